"""Who reaches which study, in SQL: the one place where relations and safeguards meet rows.

A decision on one study and the narrowing of a search are made of the same conditions, so that they
cannot part; a property test holds them equal all the same (ACC-02, ACC-03).
"""

from collections.abc import Sequence

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, case, false, or_, select, true
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import rows
from pacs_secure.adapters.sql.growth import FACTS
from pacs_secure.adapters.sql.tables import Moment, patients, studies, ties
from pacs_secure.core.access import (
    TIES_A_PATIENT,
    TIES_A_STUDY,
    Reach,
    Relation,
    Safeguard,
    Scope,
    StudyFacts,
    Viewer,
)
from pacs_secure.core.identifiers import Institution, Uid

Condition = ColumnElement[bool]

_ACTOR: BindParameter[str] = bindparam("an_actor")
_PURPOSE: BindParameter[str] = bindparam("a_purpose")
_AT = bindparam("at", type_=Moment())
_TIES = tuple(sorted(TIES_A_PATIENT | TIES_A_STUDY))


def in_scope(scope: Scope) -> Condition:
    """Say in SQL what deciding each study singly would say."""
    viewer = scope.viewer
    reached = or_(false(), *(_reached(reach, viewer) for reach in _in_order(scope.usable)))
    also = true() if scope.also is None else in_scope(scope.also)
    return and_(studies.c.institution == scope.institution, reached, also)


def asked(viewer: Viewer) -> dict[str, object]:
    """Return what the conditions of a viewer's ties ask: the values of their parameters."""
    return {"an_actor": viewer.actor, "a_purpose": viewer.purpose or "", "at": viewer.at}


def facts_of(connection: Connection, viewer: Viewer, study_instance_uid: Uid) -> StudyFacts | None:
    """Return the facts of a study with the viewer's ties to it: of their own institution, or where they are invited."""
    named = {"a_study": study_instance_uid, "an_institution": viewer.institution, **asked(viewer)}
    row = connection.execute(_facts, named).first()
    if row is None:
        return None
    held = frozenset(relation for relation in _TIES if getattr(row, f"tie_{relation}"))
    return rows.study_facts(row, viewer.ended_before, held)


def inviting(connection: Connection, viewer: Viewer) -> Sequence[Institution]:
    """Return the other institutions into which an invitation leads, in order."""
    named = {"an_institution": viewer.institution, **asked(viewer)}
    return [Institution(row.institution) for row in connection.execute(_inviting, named)]


def holding() -> Condition:
    """Say that a tie holds at the moment that is asked about."""
    return and_(ties.c.begins_at <= _AT, ties.c.ends_at > _AT)


def _in_order(reaches: frozenset[Reach]) -> list[Reach]:
    """Put reaches into one order: the same scope is the same statement, which engines keep prepared."""
    return sorted(reaches, key=lambda reach: (reach.relation, sorted(reach.despite)))


def _reached(reach: Reach, viewer: Viewer) -> Condition:
    return and_(_reached_by(reach.relation, viewer), _passed(reach.despite, viewer))


def _reached_by(relation: Relation, viewer: Viewer) -> Condition:
    """Say which studies one relation reaches; a relation that no table knows yet reaches none."""
    if relation is Relation.NONE:
        return true()
    if relation is Relation.DEPARTMENT:
        return studies.c.department == viewer.department if viewer.department else false()
    return _tied(relation) if viewer.actor and relation in _TIES else false()


def _tied(relation: Relation) -> Condition:
    """Say which studies a tie of one kind leads the viewer to."""
    mine = and_(
        ties.c.actor == _ACTOR,
        ties.c.relation == relation.value,
        holding(),
        or_(ties.c.purpose == "", ties.c.purpose == _PURPOSE),
    )
    # IN rather than EXISTS: the few ties of one person are found first, and lead to their studies.
    if relation in TIES_A_STUDY:
        return studies.c.alias.in_(select(ties.c.alias).where(mine))
    theirs = select(patients.c.id).join(ties, ties.c.alias == patients.c.alias).where(mine)
    return studies.c.patient_id.in_(theirs)


def _passed(despite: frozenset[Safeguard], viewer: Viewer) -> Condition:
    """Say which studies have no safeguard but these."""
    found: list[Condition] = []
    if blocked := rows.pack_safeguards(frozenset(Safeguard) - despite):
        found.append(studies.c.safeguards.bitwise_and(blocked) == 0)
    if Safeguard.ENDED not in despite:
        ended = studies.c.treatment_ended_on
        found.append(or_(ended == "", ended > viewer.ended_before))
    return and_(true(), *found)


_own = studies.c.institution == bindparam("an_institution")
_facts: Select[*tuple[object, ...]] = (
    select(*FACTS, *(_tied(relation).label(f"tie_{relation}") for relation in _TIES))
    .join_from(studies, patients)
    .where(studies.c.study_instance_uid == bindparam("a_study"), or_(_own, _tied(Relation.INVITED)))
    .order_by(case((_own, 0), else_=1), studies.c.institution)
    .limit(1)
)
_inviting = (
    select(ties.c.institution)
    .where(
        ties.c.actor == _ACTOR,
        ties.c.relation == Relation.INVITED.value,
        holding(),
        or_(ties.c.purpose == "", ties.c.purpose == _PURPOSE),
        ties.c.institution != bindparam("an_institution"),
    )
    .distinct()
    .order_by(ties.c.institution)
)
