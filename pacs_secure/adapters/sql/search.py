"""Narrowing in SQL: the scope of a decision and the part of a query that plain columns and tokens answer.

Every study that leaves this module is in scope; nothing filters afterwards. Conditions on lower
levels narrow a higher one to what holds at least one such series or instance. Each statement is
shaped so that an index leads it: a UID, a token, a modality's studies, or the newest-first order.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.sql.expression import UnaryExpression

from pacs_secure.adapters.sql.growth import FACTS
from pacs_secure.adapters.sql.reaching import Condition, in_scope
from pacs_secure.adapters.sql.tables import instances, name_tokens, patients, series, studies, study_modalities
from pacs_secure.core.access import Scope
from pacs_secure.core.errors import OverLimit
from pacs_secure.core.query import Level, Narrowing

MOST_VALUES = 10_000
"""Values one list may hold: engines bound the parameters of a statement."""

Found = Select[*tuple[Any, ...]]

_STUDY_COLUMNS = (
    *FACTS,
    studies.c.study_instance_uid,
    studies.c.box.label("study_box"),
    studies.c.modalities,
    studies.c.series_count.label("series_in_study"),
    studies.c.instance_count.label("instances_in_study"),
)
_SERIES_COLUMNS = (
    series.c.series_instance_uid,
    series.c.box.label("series_box"),
    series.c.instance_count.label("instances_in_series"),
)
_INSTANCE_COLUMNS = (instances.c.sop_instance_uid, instances.c.box.label("instance_box"))

NEWEST_FIRST = (studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.id.desc())
SERIES_ORDER = (series.c.series_number.asc().nulls_last(), series.c.series_instance_uid)
INSTANCE_ORDER = (instances.c.instance_number.asc().nulls_last(), instances.c.sop_instance_uid)

_OF_THIS_STUDY = and_(
    study_modalities.c.institution == studies.c.institution,
    study_modalities.c.study_date == studies.c.study_date,
    study_modalities.c.study_time == studies.c.study_time,
    study_modalities.c.study_id == studies.c.id,
)


def statement(scope: Scope, narrowing: Narrowing) -> Found:
    """Build the whole search; a patient-level search is answered by studies.

    Raises:
        OverLimit: a list holds more than `MOST_VALUES` values.
    """
    of_series, of_instance = _series_conditions(narrowing), _instance_conditions(scope, narrowing)
    found: Found
    if narrowing.level is Level.INSTANCE:
        found = select(*_STUDY_COLUMNS, *_SERIES_COLUMNS, *_INSTANCE_COLUMNS)
        found = found.select_from(studies.join(patients).join(series).join(instances)).where(*of_series, *of_instance)
        below: tuple[ColumnElement[Any], ...] = (*SERIES_ORDER, *INSTANCE_ORDER)
    elif narrowing.level is Level.SERIES:
        found = select(*_STUDY_COLUMNS, *_SERIES_COLUMNS).select_from(studies.join(patients).join(series))
        found = found.where(*of_series, *_holding_instance(narrowing, of_instance))
        below = SERIES_ORDER
    else:
        found = (
            select(*_STUDY_COLUMNS)
            .select_from(studies.join(patients))
            .where(*_holding_series(narrowing, of_series, of_instance))
        )
        below = ()
    found = found.where(in_scope(scope), *_study_conditions(narrowing))
    found, order = _among_studies_of_a_modality(found, scope, narrowing)
    found = found.order_by(*order, *below)
    if narrowing.limit is not None:
        found = found.limit(narrowing.limit).offset(narrowing.offset)
    return found


def _among_studies_of_a_modality(
    found: Found, scope: Scope, narrowing: Narrowing
) -> tuple[Found, tuple[UnaryExpression[Any], ...]]:
    """Lead by the studies of one modality when one is asked for: they lie newest first already."""
    alone = _alone(narrowing.modalities_in_study) or _alone(narrowing.modalities)
    if not alone:
        return found, NEWEST_FIRST
    dated = study_modalities.c.study_date
    found = found.join_from(studies, study_modalities, _OF_THIS_STUDY).where(
        study_modalities.c.institution == scope.institution,
        study_modalities.c.modality == alone,
        *_between(dated, narrowing),
    )
    return found, (dated.desc(), study_modalities.c.study_time.desc(), study_modalities.c.study_id.desc())


def _alone(modalities: Sequence[str]) -> str:
    """Return the one modality asked for, or ""."""
    return modalities[0] if len(modalities) == 1 else ""


def _study_conditions(narrowing: Narrowing) -> list[Condition]:
    found = _between(studies.c.study_date, narrowing)
    if narrowing.study_instance_uids:
        found.append(_one_of(studies.c.study_instance_uid, narrowing.study_instance_uids))
    for column, token in (
        (studies.c.patient_id_token, narrowing.patient_id_token),
        (studies.c.accession_number_token, narrowing.accession_number_token),
        (studies.c.birth_date_token, narrowing.birth_date_token),
    ):
        if token is not None:
            found.append(column == token)
    for alternatives in narrowing.name_tokens:
        # IN rather than EXISTS: the index on tokens may then lead, whatever the number of studies.
        named = select(name_tokens.c.study_id).where(_one_of(name_tokens.c.token, sorted(alternatives)))
        found.append(studies.c.id.in_(named))
    if narrowing.modalities_in_study and not _alone(narrowing.modalities_in_study):
        held = _one_of(study_modalities.c.modality, narrowing.modalities_in_study)
        other = select(study_modalities.c.study_id).where(_OF_THIS_STUDY, held)
        found.append(other.correlate(studies).exists())
    return found


def _between(dated: ColumnElement[str], narrowing: Narrowing) -> list[Condition]:
    found: list[Condition] = []
    if narrowing.study_date_from:
        found.append(dated >= narrowing.study_date_from)
    if narrowing.study_date_to:
        # A study without a date lies in no range (PS3.4 C.2.2.2.5).
        found += [dated <= narrowing.study_date_to, dated > ""]
    return found


def _series_conditions(narrowing: Narrowing) -> list[Condition]:
    found = []
    if narrowing.series_instance_uids:
        found.append(_one_of(series.c.series_instance_uid, narrowing.series_instance_uids))
    if narrowing.modalities:
        found.append(_one_of(series.c.modality, narrowing.modalities))
    if narrowing.series_number is not None:
        found.append(series.c.series_number == narrowing.series_number)
    return found


def _instance_conditions(scope: Scope, narrowing: Narrowing) -> list[Condition]:
    found = []
    if narrowing.sop_instance_uids:
        # The institution is the study's too, but the index on UIDs begins with it.
        found.append(instances.c.institution == scope.institution)
        found.append(_one_of(instances.c.sop_instance_uid, narrowing.sop_instance_uids))
    if narrowing.sop_class_uids:
        found.append(_one_of(instances.c.sop_class_uid, narrowing.sop_class_uids))
    if narrowing.instance_number is not None:
        found.append(instances.c.instance_number == narrowing.instance_number)
    return found


def _holding_instance(narrowing: Narrowing, of_instance: list[Condition]) -> list[Condition]:
    """Narrow series to those that hold an instance of which everything is true."""
    if not of_instance:
        return []
    if narrowing.sop_instance_uids:
        return [series.c.id.in_(select(instances.c.series_id).where(*of_instance))]
    held = select(instances.c.id).where(instances.c.series_id == series.c.id, *of_instance)
    return [held.correlate(series).exists()]


def _holding_series(narrowing: Narrowing, of_series: list[Condition], of_instance: list[Condition]) -> list[Condition]:
    """Narrow studies to those that hold a series (and in it an instance) of which everything is true.

    A UID names few rows, so the search begins there (IN); anything else is asked of one study
    after the other (EXISTS), newest first, and ends with the page.
    """
    conditions = of_series + _holding_instance(narrowing, of_instance)
    if not conditions:
        return []
    if narrowing.series_instance_uids or narrowing.sop_instance_uids:
        return [studies.c.id.in_(select(series.c.study_id).where(*conditions))]
    held = select(series.c.id).where(series.c.study_id == studies.c.id, *conditions)
    return [held.correlate(studies).exists()]


def _one_of(column: ColumnElement[Any], values: Sequence[object]) -> Condition:
    if len(values) > MOST_VALUES:
        raise OverLimit(f"a list may hold {MOST_VALUES} values")
    return column.in_(values) if len(values) > 1 else column == values[0]
