"""Ties between persons and patients or studies in SQL; every change shares its commit with its ledger entry."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, bindparam, insert, or_, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.adapters.sql.tables import Moment, RandomId, ties
from pacs_secure.core.access import Grant, Permit, Purpose, Relation, Tie
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Denied
from pacs_secure.core.identifiers import Institution

_AT = bindparam("at", type_=Moment())
_holding = and_(
    ties.c.begins_at <= _AT, ties.c.ends_at > _AT, or_(ties.c.released_at.is_(None), ties.c.released_at > _AT)
)
_add = insert(ties)
_release = (
    update(ties)
    .where(
        ties.c.origin == bindparam("an_origin"),
        ties.c.ends_at > _AT,
        or_(ties.c.released_at.is_(None), ties.c.released_at > _AT),
    )
    .values(released_at=_AT)
)
_release_one = _release.where(ties.c.actor == bindparam("an_actor"))
_release_about = _release.where(ties.c.alias == bindparam("an_alias"))
_ordered = select(ties).order_by(ties.c.begins_at, ties.c.tie_id)
_of = _ordered.where(ties.c.institution == bindparam("an_institution"), ties.c.alias == bindparam("an_alias"), _holding)
_from_origin = _ordered.where(
    ties.c.institution == bindparam("an_institution"), ties.c.origin == bindparam("an_origin"), _holding
)
_AT_ONCE = 500
_every = (
    select(ties).where(ties.c.tie_id > bindparam("after", type_=RandomId())).order_by(ties.c.tie_id).limit(_AT_ONCE)
)
_of_person = _ordered.where(ties.c.actor == bindparam("an_actor"), _holding)


class SqlTies:
    """`pacs_secure.ports.Ties` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tie(self, permit: Permit, ties: Sequence[Tie], draft: Draft) -> None:  # noqa: ARG002 - the Permit is the proof
        """Add ties of one act and record it, in one commit.

        Raises:
            Denied: one of them is of another institution than the entry.
        """
        demand_of(draft.institution, ties)

        def add(connection: Connection) -> None:
            add_in(connection, ties)
            append_in(connection, draft)

        self._database.write(add)

    def release(self, permit: Permit, origin: UUID, at: datetime, draft: Draft) -> int:  # noqa: ARG002 - the same
        """End every tie of one origin that still holds at that moment, and record it; return how many."""

        def release(connection: Connection) -> int:
            ended = release_in(connection, origin, at)
            append_in(connection, draft)
            return ended

        return self._database.write(release)

    def of_person(self, actor: str, at: datetime) -> Sequence[Tie]:
        """Return the ties of a person that hold at that moment, whatever their purpose, in any institution."""
        with self._database.read() as connection:
            return [_tie(row) for row in connection.execute(_of_person, {"an_actor": actor, "at": at})]

    def every(self, proof: Grant) -> Iterator[Tie]:  # noqa: ARG002 - the Grant is the proof
        """Yield every tie of every institution, ended ones too, for verification only."""
        after = UUID(int=0)
        while found := self._after(after):
            yield from map(_tie, found)
            after = found[-1].tie_id

    def _after(self, last: UUID) -> Sequence[AnyRow]:
        with self._database.read() as connection:
            return connection.execute(_every, {"after": last}).all()

    def of(self, institution: Institution, alias: UUID, at: datetime) -> Sequence[Tie]:
        """Return the ties to a patient or study that hold at that moment, oldest first."""
        named = {"an_institution": institution, "an_alias": alias, "at": at}
        with self._database.read() as connection:
            return [_tie(row) for row in connection.execute(_of, named)]

    def from_origin(self, institution: Institution, origin: UUID, at: datetime) -> Sequence[Tie]:
        """Return the ties of one origin that hold at that moment, oldest first."""
        named = {"an_institution": institution, "an_origin": origin, "at": at}
        with self._database.read() as connection:
            return [_tie(row) for row in connection.execute(_from_origin, named)]


def demand_of(institution: Institution, made: Sequence[Tie]) -> None:
    """Refuse ties of another institution than the entry that records them."""
    if any(tie.institution != institution for tie in made):
        raise Denied("institutions are strictly apart")


def add_in(connection: Connection, made: Sequence[Tie]) -> None:
    """Add ties inside a write that is under way."""
    if made:
        connection.execute(_add, [_values(tie) for tie in made])


def release_in(
    connection: Connection, origin: UUID, at: datetime, *, actor: str = "", alias: UUID | None = None
) -> int:
    """End ties inside a write that is under way: all of an origin, or those of one person or to one study among them.

    ``actor`` and ``alias`` are not named together.
    """
    named: dict[str, object] = {"an_origin": origin, "at": at}
    if actor:
        return connection.execute(_release_one, {**named, "an_actor": actor}).rowcount
    if alias is not None:
        return connection.execute(_release_about, {**named, "an_alias": alias}).rowcount
    return connection.execute(_release, named).rowcount


def _values(tie: Tie) -> dict[str, object]:
    return {
        "tie_id": tie.tie_id,
        "relation": tie.relation.value,
        "institution": tie.institution,
        "actor": tie.actor,
        "alias": tie.alias,
        "purpose": tie.purpose or "",
        "begins_at": tie.begins_at,
        "ends_at": tie.ends_at,
        "origin": tie.origin,
        "box": tie.box,
        "proof": tie.proof,
    }


def _tie(row: AnyRow) -> Tie:
    return Tie(
        tie_id=row.tie_id,
        relation=Relation(row.relation),
        institution=Institution(row.institution),
        actor=row.actor,
        alias=row.alias,
        purpose=Purpose(row.purpose) if row.purpose else None,
        begins_at=row.begins_at,
        ends_at=row.ends_at,
        origin=row.origin,
        box=row.box,
        proof=row.proof,
    )
