"""How the index grows by one instance: patient, study and series are found or made, and their counters kept.

Everything here runs inside one write, so that finding and making cannot race.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import Table, and_, bindparam, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import rows
from pacs_secure.adapters.sql.epochs import epoch_of
from pacs_secure.adapters.sql.tables import instances, name_tokens, patients, series, studies, study_modalities
from pacs_secure.core.access import StudyFacts
from pacs_secure.core.errors import Conflict
from pacs_secure.core.instance import IndexedInstance
from pacs_secure.ports import Added

THIS_STUDY = and_(
    studies.c.institution == bindparam("an_institution"), studies.c.study_instance_uid == bindparam("a_study")
)
FACTS = (
    studies.c.institution,
    studies.c.study_instance_uid,
    studies.c.alias,
    patients.c.alias.label("patient_alias"),
    studies.c.department,
    studies.c.safeguards,
    studies.c.held,
    studies.c.treatment_ended_on,
    studies.c.epoch,
    studies.c.proof,
)
"""What `rows.stored_facts` reads."""

_facts = select(studies.c.id, *FACTS).join_from(studies, patients).where(THIS_STUDY)
_facts_to_change = _facts.add_columns(studies.c.modalities, studies.c.study_date, studies.c.study_time).with_for_update(
    of=studies
)
_patient = select(patients.c.id, patients.c.alias).where(
    patients.c.institution == bindparam("an_institution"), patients.c.patient_token == bindparam("a_patient")
)
_kept = (
    select(instances.c.data_set_fingerprint, studies.c.study_instance_uid)
    .select_from(instances.join(series).join(studies))
    .where(
        instances.c.institution == bindparam("an_institution"),
        instances.c.sop_instance_uid == bindparam("an_instance"),
    )
)
_grow_series = (
    update(series)
    .where(series.c.study_id == bindparam("in_study"), series.c.series_instance_uid == bindparam("a_series"))
    .values(instance_count=series.c.instance_count + 1)
    .returning(series.c.id)
)
_grow_study = (
    update(studies)
    .where(studies.c.id == bindparam("this_study"))
    .values(
        modalities=bindparam("all_modalities"),
        series_count=studies.c.series_count + bindparam("more_series"),
        instance_count=studies.c.instance_count + 1,
        updated_at=bindparam("at"),
    )
)

_add_instance, _add_name_token, _add_modality = insert(instances), insert(name_tokens), insert(study_modalities)


def add(
    connection: Connection, indexed: IndexedInstance, prove: Callable[[StudyFacts], bytes], epoch: int
) -> tuple[Added, StudyFacts]:
    """Add one instance unless it is there already; return its study as it now stands.

    ``prove`` makes the proof of the facts of a study that begins here.

    Raises:
        Conflict: the SOP Instance UID is taken by other bytes or lies in another study, or the study is of another
            epoch than the instance was sealed for.
    """
    identity = indexed.row.identity
    # The instance first: where it is found, so is its study, whoever commits in between.
    kept = connection.execute(
        _kept, {"an_institution": identity.institution, "an_instance": identity.sop_instance_uid}
    ).first()
    found = _find_study(connection, indexed)
    current = found.facts.epoch if found else epoch_of(connection, identity.institution, identity.study_instance_uid)
    if epoch != current:
        raise Conflict("the study was forgotten meanwhile")
    if kept is None:
        study = found or _make_study(connection, indexed, prove, epoch)
        _add_to(connection, study, indexed)
        return Added.NEW, study.facts
    same = (kept.data_set_fingerprint, kept.study_instance_uid) == (
        indexed.row.data_set_fingerprint,
        identity.study_instance_uid,
    )
    if found is None or not same:
        raise Conflict("the SOP Instance UID is taken by another instance")
    return Added.DUPLICATE, found.facts


@dataclass(frozen=True, slots=True)
class _Study:
    """A study as the write found or made it."""

    id: int
    facts: StudyFacts
    modalities: frozenset[str]
    study_date: str
    study_time: str


def _find_study(connection: Connection, indexed: IndexedInstance) -> _Study | None:
    identity = indexed.row.identity
    asked = {"an_institution": identity.institution, "a_study": identity.study_instance_uid}
    row = connection.execute(_facts_to_change, asked).first()
    if row is None:
        return None
    facts = rows.study_facts(row)
    modalities = frozenset(rows.unpack_modalities(row.modalities))
    return _Study(row.id, facts, modalities, row.study_date, row.study_time)


def _make_study(
    connection: Connection, indexed: IndexedInstance, prove: Callable[[StudyFacts], bytes], epoch: int
) -> _Study:
    """Make a study of this instance's columns; instances that follow never change them."""
    identity = indexed.row.identity
    patient_id, patient_alias = _patient_of(connection, indexed)
    alias = uuid4()
    facts = StudyFacts(
        identity.institution,
        identity.study_instance_uid,
        alias,
        patient_alias,
        indexed.department,
        safeguards=indexed.safeguards,
        epoch=epoch,
    )
    made = {"patient_id": patient_id, "alias": alias, "epoch": epoch, "proof": prove(facts)}
    values = {**rows.study_values(indexed), **made}
    study_id = _insert(connection, studies, values)
    tokens = [{"token": token, "study_id": study_id} for token in indexed.study.name_tokens]
    if tokens:
        connection.execute(_add_name_token, tokens)
    return _Study(study_id, facts, frozenset(), *rows.plain_moment(indexed.study))


def _patient_of(connection: Connection, indexed: IndexedInstance) -> tuple[int, UUID]:
    values = {"institution": indexed.row.identity.institution, "patient_token": indexed.study.patient_token}
    row = connection.execute(
        _patient, {"an_institution": values["institution"], "a_patient": values["patient_token"]}
    ).first()
    if row is not None:
        return row.id, row.alias
    alias = uuid4()
    return _insert(connection, patients, {**values, "alias": alias}), alias


def _add_to(connection: Connection, study: _Study, indexed: IndexedInstance) -> None:
    asked = {"in_study": study.id, "a_series": indexed.row.identity.series_instance_uid}
    found: int | None = connection.execute(_grow_series, asked).scalar()
    series_id = found or _insert(connection, series, {**rows.series_values(indexed), "study_id": study.id})
    connection.execute(_add_instance, {**rows.instance_values(indexed), "series_id": series_id})
    modality = rows.plain_modality(indexed.series.modality)
    if found is None:
        _note_modality(connection, study, modality)
    connection.execute(
        _grow_study,
        {
            "this_study": study.id,
            "all_modalities": rows.pack_modalities(study.modalities | ({modality} if found is None else frozenset())),
            "more_series": int(found is None),
            "at": indexed.row.received_at,
        },
    )


def _note_modality(connection: Connection, study: _Study, modality: str) -> None:
    """Put the study among those of a new series' modality, unless it is there already."""
    if modality and modality not in study.modalities:
        row = {"institution": study.facts.institution, "modality": modality, "study_id": study.id}
        dated = {"study_date": study.study_date, "study_time": study.study_time}
        connection.execute(_add_modality, {**row, **dated})


def _insert(connection: Connection, table: Table, values: Mapping[str, object]) -> int:
    key: int = connection.execute(insert(table).returning(table.c.id), values).scalar_one()
    return key
