"""Forgetting in SQL: a study's rows go and its epoch rises in the commit that says so."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    LargeBinary,
    Row,
    Select,
    bindparam,
    cast,
    delete,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.types import NullType

from pacs_secure.adapters.sql import rows
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.forgetting_tables import forgettings
from pacs_secure.adapters.sql.growth import FACTS, THIS_STUDY
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.records import INSTANCE_ROWS
from pacs_secure.adapters.sql.tables import (
    instances,
    moment_of,
    name_tokens,
    patients,
    series,
    studies,
    study_modalities,
)
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, NotFound, Tampered
from pacs_secure.core.forgetting import Forgetting, Stage
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.instance import InstanceRow
from pacs_secure.ports.forgettings import Doomed

_ID = 16

_NUMBERS = frozenset({"requested_at", "epoch", "fenced_at"})
_TEXTS = ("institution", "study_instance_uid", "department", "stage")
_AT_ONCE = 200


@cache
def _rows_of(dialect: str) -> Select[*tuple[Any, ...]]:
    """Return what reads every column as it lies there, so that one row that is none keeps nobody from the others."""
    if dialect != "sqlite":
        return select(*(type_coerce(column, NullType()).label(column.name) for column in forgettings.c))
    # SQLite keeps anything in any column, and its driver fails on what is no text.
    kinds = {column: BigInteger() if column.name in _NUMBERS else LargeBinary() for column in forgettings.c}
    return select(*(cast(column, kind).label(column.name) for column, kind in kinds.items()))


def _every(connection: Connection) -> Select[*tuple[Any, ...]]:
    return _rows_of(connection.dialect.name)


_BURIED = forgettings.c.stage.in_((Stage.FORGOTTEN, Stage.SWEPT))
_study = select(studies.c.id, *FACTS).join_from(studies, patients).where(THIS_STUDY).with_for_update(of=studies)
_facts_of = (
    select(studies.c.updated_at, *FACTS).join_from(studies, patients).where(studies.c.id == bindparam("a_study_id"))
)
_objects = (
    select(instances.c.object_id, instances.c.study_key_id)
    .select_from(series.join(instances))
    .where(series.c.study_id == bindparam("a_study_id"))
    .order_by(instances.c.id)
)
_its_series = select(series.c.id).where(series.c.study_id == bindparam("a_study_id"))
REMOVE_STUDY = (
    delete(instances).where(instances.c.series_id.in_(_its_series)),
    delete(series).where(series.c.study_id == bindparam("a_study_id")),
    delete(name_tokens).where(name_tokens.c.study_id == bindparam("a_study_id")),
    delete(study_modalities).where(study_modalities.c.study_id == bindparam("a_study_id")),
    delete(studies).where(studies.c.id == bindparam("a_study_id")),
)
_advance = update(forgettings).where(
    forgettings.c.forgetting_id == bindparam("an_id"), forgettings.c.stage == bindparam("from_stage")
)


class SqlForgettings:
    """`pacs_secure.ports.Forgettings` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(self, permit: Permit, forgetting: Forgetting, draft: Draft) -> Forgetting:  # noqa: ARG002 - the proof
        """Begin and record it in one commit, unless that was done already; return what stands then."""

        def begin(connection: Connection) -> Forgetting:
            there = connection.execute(
                _every(connection).where(forgettings.c.study_alias == forgetting.study_alias)
            ).first()
            if there is not None:
                return _forgetting(there)
            connection.execute(insert(forgettings), _values(forgetting))
            append_in(connection, draft)
            return forgetting

        return self._database.write(begin)

    def fence(
        self,
        permit: Permit,  # noqa: ARG002 - the Permit is the proof
        forgetting_id: UUID,
        change: Callable[[Forgetting, Doomed], tuple[Forgetting, Draft]],
    ) -> Forgetting:
        """Take the study out of the index, raise its epoch and record it, in one commit; return what stands then.

        Raises:
            NotFound: there is no such forgetting.
            Tampered: the study is not in the index.
        """
        return self._database.write(lambda connection: _fence(connection, forgetting_id, change))

    def advance(self, permit: Permit, after: Forgetting, draft: Draft) -> None:  # noqa: ARG002 - the Permit is the proof
        """Keep the next stage and record it, in one commit.

        Raises:
            Conflict: it does not stand at the stage before: somebody else was faster.
        """

        def keep(connection: Connection) -> None:
            _keep(connection, after)
            append_in(connection, draft)

        self._database.write(keep)

    def under_way(self) -> Sequence[Forgetting]:
        """Return every forgetting that is not done, oldest first; whoever acts by one holds it against its proof."""
        with self._database.read() as connection:
            wanted = _every(connection).where(forgettings.c.stage != Stage.SWEPT).order_by(forgettings.c.requested_at)
            return _readable(connection.execute(wanted))

    def of_study(self, study_alias: UUID) -> Forgetting | None:
        """Return the forgetting of a study, by its random name; raise `Tampered` when the row is none."""
        with self._database.read() as connection:
            found = connection.execute(_every(connection).where(forgettings.c.study_alias == study_alias)).first()
            return None if found is None else _forgetting(found)

    def buried(self) -> Iterator[Forgetting]:
        """Yield every forgetting whose keys are gone, in no order; whoever acts by one holds it against its proof."""
        after = b""
        while found := self._buried_behind(after):
            yield from _readable(found)
            after = found[-1].forgetting_id

    def malformed(self) -> int:
        """Count the rows that are no forgetting at all: `under_way` and `buried` pass them over."""
        with self._database.read() as connection:
            found = connection.execute(_every(connection)).all()
        return len(found) - len(_readable(found))

    def _buried_behind(self, after: bytes) -> Sequence[Row[Any]]:
        with self._database.read() as connection:
            behind = type_coerce(forgettings.c.forgetting_id, LargeBinary) > after
            wanted = _every(connection).where(_BURIED, behind).order_by(forgettings.c.forgetting_id).limit(_AT_ONCE)
            return connection.execute(wanted).all()


def end_forgetting_in(connection: Connection, study_id: int) -> None:
    """Note of a study whose keys are gone already that it was forgotten, so that its epoch does not fall.

    Nothing is left to be done by such a row, so it names no key and no object, and needs no proof.
    """
    study = connection.execute(_facts_of, {"a_study_id": study_id}).one()
    ended = {"stage": Stage.SWEPT, "epoch": study.epoch + 1, "proof": bytes(32), "key_ids": b"", "object_ids": b""}
    begun = update(forgettings).where(forgettings.c.study_alias == study.alias)
    if connection.execute(begun.values(ended)).rowcount:
        return
    named = {name: getattr(study, name) for name in ("institution", "study_instance_uid", "department")}
    named |= {"study_alias": study.alias, "patient_alias": study.patient_alias, "forgetting_id": uuid4()}
    connection.execute(insert(forgettings), {**named, **ended, "requested_at": study.updated_at})


def _fence(
    connection: Connection, forgetting_id: UUID, change: Callable[[Forgetting, Doomed], tuple[Forgetting, Draft]]
) -> Forgetting:
    row = connection.execute(
        _every(connection).where(forgettings.c.forgetting_id == forgetting_id).with_for_update()
    ).first()
    if row is None:
        raise NotFound("no such object")
    before = _forgetting(row)
    if before.stage is not Stage.REQUESTED:
        return before
    # The row of the study is locked first: whoever is adding to it is through, and whoever comes finds it gone.
    named = {"an_institution": before.institution, "a_study": before.study_instance_uid}
    study = connection.execute(_study, named).first()
    if study is None or study.alias != before.study_alias:
        raise Tampered("the study that is to be forgotten is not in the index")
    this = {"a_study_id": study.id}
    found = connection.execute(_objects, this).all()
    keys = frozenset(KeyId(one.study_key_id) for one in found)
    objects = tuple(ObjectId(one.object_id) for one in found)

    def some(wanted: Collection[ObjectId]) -> Sequence[InstanceRow]:
        asked = INSTANCE_ROWS.where(series.c.study_id == study.id, instances.c.object_id.in_(list(wanted)))
        return [rows.instance_row(row) for row in connection.execute(asked)]

    doomed = Doomed(rows.stored_facts(study), keys, objects, some)
    after, draft = change(before, doomed)
    for statement in REMOVE_STUDY:
        connection.execute(statement, this)
    _keep(connection, after)
    append_in(connection, draft)
    return after


def _keep(connection: Connection, after: Forgetting) -> None:
    named = {"an_id": after.forgetting_id, "from_stage": after.stage.before}
    if connection.execute(_advance.values(_values(after)), named).rowcount != 1:
        raise Conflict("it does not stand at the stage before")


def _values(forgetting: Forgetting) -> dict[str, object]:
    values: dict[str, object] = {
        name: getattr(forgetting, name) for name in Forgetting.__slots__ if name not in {"key_ids", "object_ids"}
    }
    return {**values, "key_ids": _packed(forgetting.key_ids), "object_ids": _packed(forgetting.object_ids)}


def _readable(found: Iterable[Row[Any]]) -> list[Forgetting]:
    made: list[Forgetting] = []
    for row in found:
        with suppress(Tampered):
            made.append(_forgetting(row))
    return made


def _forgetting(row: Row[Any]) -> Forgetting:
    """Build a forgetting from columns as they lie there; raise `Tampered` when they are none."""
    try:
        house, study, department, stage = (_text(getattr(row, name)) for name in _TEXTS)
        forgetting_id, study_alias, patient_alias = (
            UUID(bytes=value) for value in (row.forgetting_id, row.study_alias, row.patient_alias)
        )
        made = Forgetting(
            forgetting_id,
            Institution(house),
            Uid(study),
            study_alias,
            patient_alias,
            department,
            moment_of(row.requested_at),
            Stage(stage),
            row.epoch,
            None if row.fenced_at is None else moment_of(row.fenced_at),
            proof=row.proof,
        )
    except (TypeError, ValueError):
        raise Tampered("a forgetting of the index is none") from None
    key_ids = tuple(map(KeyId, _unpacked(row.key_ids)))
    return replace(made, key_ids=key_ids, object_ids=tuple(map(ObjectId, _unpacked(row.object_ids))))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def _packed(ids: Sequence[UUID]) -> bytes:
    return b"".join(one.bytes for one in ids)


def _unpacked(packed: bytes) -> list[UUID]:
    if len(packed) % _ID:
        raise Tampered("a list of ids is none")
    return [UUID(bytes=packed[at : at + _ID]) for at in range(0, len(packed), _ID)]
