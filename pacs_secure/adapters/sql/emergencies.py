"""Broken glasses in SQL; every change shares its commit with its tie, its notice and its ledger entry."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.emergency_tables import emergencies
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.adapters.sql.ties import add_in, demand_of, release_in
from pacs_secure.core.access import Permit, Tie
from pacs_secure.core.audit import Draft
from pacs_secure.core.emergencies import Emergency, Judgement, Review
from pacs_secure.core.errors import Conflict, Denied, NotFound
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.notices import Notice

_add = insert(emergencies)
_this = (
    emergencies.c.institution == bindparam("an_institution"),
    emergencies.c.emergency_id == bindparam("an_emergency"),
)
_get = select(emergencies).where(*_this)
_get_to_change = _get.with_for_update()
_listed = (
    select(emergencies)
    .where(emergencies.c.institution == bindparam("an_institution"))
    .order_by(emergencies.c.reviewed_at.is_not(None), emergencies.c.opened_at.desc(), emergencies.c.emergency_id)
    .limit(bindparam("a_limit"))
)
_listed_of = _listed.where(emergencies.c.actor == bindparam("an_actor"))


class SqlEmergencies:
    """`pacs_secure.ports.Emergencies` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, permit: Permit, emergency: Emergency, tie: Tie, notice: Notice, draft: Draft) -> None:
        """Keep an emergency, its tie, the notice of it and its record, in one commit.

        Raises:
            Denied: one of them is of another institution than the permitted act.
        """
        _demand_home(permit, draft, emergency.institution, notice.institution)
        demand_of(draft.institution, [tie])

        def keep(connection: Connection) -> None:
            connection.execute(_add, _values(emergency))
            add_in(connection, [tie])
            append_in(connection, draft, notice)

        self._database.write(keep)

    def get(self, institution: Institution, emergency_id: UUID) -> Emergency | None:
        """Return an emergency of the institution, or None."""
        with self._database.read() as connection:
            row = connection.execute(_get, {"an_institution": institution, "an_emergency": emergency_id}).first()
            return None if row is None else _emergency(row)

    def listed(self, institution: Institution, limit: int, actor: str = "") -> Sequence[Emergency]:
        """Return emergencies, those of one person when named: unreviewed ones first, then the newest."""
        named = {"an_institution": institution, "a_limit": limit} | ({"an_actor": actor} if actor else {})
        with self._database.read() as connection:
            return [_emergency(row) for row in connection.execute(_listed_of if actor else _listed, named)]

    def end(self, permit: Permit, emergency_id: UUID, at: datetime, draft: Draft) -> None:
        """End an emergency and its tie before their time, and record it, in one commit.

        Raises:
            Conflict: it is over.
            Denied: the Permit is another institution's.
            NotFound: there is no such emergency.
        """
        institution = _demand_home(permit, draft)

        def end(connection: Connection) -> None:
            if _found(connection, institution, emergency_id).ends_at <= at:
                raise Conflict("it is over")
            _end_in(connection, emergency_id, at)
            append_in(connection, draft)

        self._database.write(end)

    def review(self, permit: Permit, emergency_id: UUID, review: Review, draft: Draft) -> None:
        """Keep the one review of an emergency and record it, in one commit; one not justified ends at once.

        Raises:
            Conflict: it has been reviewed before.
            Denied: the Permit is another institution's.
            NotFound: there is no such emergency.
        """
        institution = _demand_home(permit, draft)

        def keep(connection: Connection) -> None:
            found = _found(connection, institution, emergency_id)
            if found.review is not None:
                raise Conflict("it has been reviewed before")
            reviewed = update(emergencies).where(emergencies.c.emergency_id == emergency_id)
            connection.execute(reviewed.values(_review_values(review)))
            if review.judgement is Judgement.NOT_JUSTIFIED and found.ends_at > review.at:
                _end_in(connection, emergency_id, review.at)
            append_in(connection, draft)

        self._database.write(keep)


def _demand_home(permit: Permit, draft: Draft, *touched: Institution) -> Institution:
    """Return the institution of a permitted act in which all of it must stay."""
    home = permit.request.subject.institution
    if {draft.institution, *touched} != {home}:
        raise Denied("institutions are strictly apart")
    return home


def _found(connection: Connection, institution: Institution, emergency_id: UUID) -> Emergency:
    row = connection.execute(_get_to_change, {"an_institution": institution, "an_emergency": emergency_id}).first()
    if row is None:
        raise NotFound("no such object")
    return _emergency(row)


def _end_in(connection: Connection, emergency_id: UUID, at: datetime) -> None:
    connection.execute(update(emergencies).where(emergencies.c.emergency_id == emergency_id).values(ends_at=at))
    release_in(connection, emergency_id, at)


def _values(emergency: Emergency) -> dict[str, object]:
    return {
        "emergency_id": emergency.emergency_id,
        "institution": emergency.institution,
        "patient_alias": emergency.patient_alias,
        "actor": emergency.actor,
        "opened_at": emergency.opened_at,
        "ends_at": emergency.ends_at,
        "box": emergency.box,
    }


def _review_values(review: Review) -> dict[str, object]:
    return {
        "judgement": review.judgement.value,
        "reviewed_by": review.actor,
        "reviewed_at": review.at,
        "review_box": review.box,
    }


def _emergency(row: AnyRow) -> Emergency:
    review = None
    if row.judgement is not None:
        review = Review(Judgement(row.judgement), row.reviewed_by, row.reviewed_at, row.review_box)
    return Emergency(
        emergency_id=row.emergency_id,
        institution=Institution(row.institution),
        patient_alias=row.patient_alias,
        actor=row.actor,
        opened_at=row.opened_at,
        ends_at=row.ends_at,
        box=row.box,
        review=review,
    )
