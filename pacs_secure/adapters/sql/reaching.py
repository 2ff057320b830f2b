"""Who reaches which study, in SQL: the one place where relations and safeguards meet rows.

The ties of a viewer come proven and as values, never from a table that the statement reads: whoever
owns the database could put any row there. A property test holds scope and decision equal (ACC-02, ACC-03).
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, false, or_, select, true
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import rows
from pacs_secure.adapters.sql.growth import FACTS
from pacs_secure.adapters.sql.tables import patients, studies
from pacs_secure.core.access import TIES_A_PATIENT, Reach, Relation, Safeguard, Scope, StoredFacts, Viewer
from pacs_secure.core.errors import OverLimit
from pacs_secure.core.identifiers import Uid

MOST_TIES = 10_000
"""Of one person at once; engines bound the parameters of a statement."""

Condition = ColumnElement[bool]


def in_scope(scope: Scope) -> Condition:
    """Say in SQL what deciding each study singly would say; raises `OverLimit` for more than `MOST_TIES` ties."""
    reached = or_(false(), *(_reached(reach, scope) for reach in _in_order(scope.usable)))
    also = true() if scope.also is None else in_scope(scope.also)
    return and_(studies.c.institution == scope.institution, reached, also)


def stored(connection: Connection, viewer: Viewer, study_instance_uid: Uid) -> list[StoredFacts]:
    """Return what is kept of every study of a UID: of the viewer's own institution first, then where they are invited.

    One statement, whatever there is: it takes as long for what is hidden as for what is missing.
    """
    own = studies.c.institution == viewer.institution
    invited = [
        tie.alias for tie in viewer.ties if tie.relation is Relation.INVITED and tie.institution != viewer.institution
    ]
    near = or_(own, studies.c.alias.in_(_few(invited))) if invited else own
    named = _facts.where(studies.c.study_instance_uid == study_instance_uid, near)
    found = connection.execute(named.order_by(case((own, 0), else_=1), studies.c.institution))
    return [rows.stored_facts(row) for row in found]


def _in_order(reaches: frozenset[Reach]) -> list[Reach]:
    """Put reaches into one order: the same scope is the same statement, which engines keep prepared."""
    return sorted(reaches, key=lambda reach: (reach.relation, sorted(reach.despite)))


def _reached(reach: Reach, scope: Scope) -> Condition:
    return and_(_reached_by(reach.relation, scope), _passed(reach.despite, scope.viewer))


def _reached_by(relation: Relation, scope: Scope) -> Condition:
    """Say which studies one relation reaches; one that nothing ties the viewer by reaches none."""
    viewer = scope.viewer
    if relation is Relation.NONE:
        return true()
    if relation is Relation.DEPARTMENT:
        return studies.c.department == viewer.department if viewer.department else false()
    aliases = [tie.alias for tie in viewer.ties if (tie.relation, tie.institution) == (relation, scope.institution)]
    if not aliases:
        return false()
    if relation in TIES_A_PATIENT:
        return studies.c.patient_id.in_(select(patients.c.id).where(patients.c.alias.in_(_few(aliases))))
    return studies.c.alias.in_(_few(aliases))


def _few(aliases: Sequence[UUID]) -> list[UUID]:
    if len(aliases) > MOST_TIES:
        raise OverLimit(f"one person may have {MOST_TIES} ties")
    return sorted(set(aliases))


def _passed(despite: frozenset[Safeguard], viewer: Viewer) -> Condition:
    """Say which studies have no safeguard but these."""
    found: list[Condition] = []
    if blocked := rows.pack_safeguards(frozenset(Safeguard) - despite):
        found.append(studies.c.safeguards.bitwise_and(blocked) == 0)
    if Safeguard.ENDED not in despite:
        ended = studies.c.treatment_ended_on
        found.append(or_(ended == "", ended > viewer.ended_before))
    return and_(true(), *found)


_facts = select(*FACTS).select_from(studies.join(patients))
