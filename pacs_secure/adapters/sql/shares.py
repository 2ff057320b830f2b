"""Shares in SQL: each change, the ties that it makes or ends, and its ledger entry are one commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, insert, or_, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.adapters.sql.sharing_tables import shares
from pacs_secure.adapters.sql.ties import add_in, demand_of, release_in
from pacs_secure.core.access import Permit, Purpose, Tie
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied, Tampered
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.sharing import Share

_named = select(shares).where(shares.c.share_id == bindparam("an_id"))
_not_revoked = update(shares).where(shares.c.share_id == bindparam("an_id"), shares.c.revoked_at.is_(None))
_change = _not_revoked.where(shares.c.attempts == bindparam("so_far"), shares.c.redeemed_at.is_(None))


class SqlShares:
    """`pacs_secure.ports.Shares` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, permit: Permit, share: Share, ties: Sequence[Tie], draft: Draft) -> None:  # noqa: ARG002 - the Permit is the proof
        """Add a share, its ties and the entry that records it, in one commit.

        Raises:
            Denied: one of them is of another institution than the entry.
        """
        _demand(share, ties, draft)

        def add(connection: Connection) -> None:
            connection.execute(insert(shares).values(_values(share)))
            add_in(connection, ties)
            append_in(connection, draft)

        self._database.write(add)

    def change(self, permit: Permit, before: Share, after: Share, ties: Sequence[Tie], draft: Draft) -> None:  # noqa: ARG002 - the same
        """Count an attempt or a redemption of a share that is still as it was read; ties and entry share the commit.

        Raises:
            Conflict: it has been changed or revoked meanwhile.
            Denied: a tie is of another institution than the entry.
        """
        _demand(after, ties, draft)
        wanted = _change.values(attempts=after.attempts, redeemed_at=after.redeemed_at)

        def change(connection: Connection) -> None:
            if not connection.execute(wanted, {"an_id": before.share_id, "so_far": before.attempts}).rowcount:
                raise Conflict("the share has been changed meanwhile")
            add_in(connection, ties)
            append_in(connection, draft)

        self._database.write(change)

    def revoke(self, permit: Permit, share: Share, at: datetime, draft: Draft) -> None:  # noqa: ARG002 - the same
        """End a share and every tie of it at that moment, and record it, in one commit.

        Raises:
            Conflict: it is revoked already.
            Denied: the entry is of another institution.
        """
        _demand(share, (), draft)

        def revoke(connection: Connection) -> None:
            if not connection.execute(_not_revoked.values(revoked_at=at), {"an_id": share.share_id}).rowcount:
                raise Conflict("the share is revoked already")
            release_in(connection, share.share_id, at)
            append_in(connection, draft)

        self._database.write(revoke)

    def by_id(self, share_id: UUID) -> Share | None:
        """Return the share of that name."""
        with self._database.read() as connection:
            row = connection.execute(_named, {"an_id": share_id}).first()
            return None if row is None else _share(row)

    def of(self, institution: Institution, most: int) -> Sequence[Share]:
        """Return the newest shares of an institution's studies, newest first."""
        return self._newest(shares.c.institution == institution, most)

    def among(self, actor: str, most: int) -> Sequence[Share]:
        """Return the newest shares that a person made or was given, newest first."""
        return self._newest(or_(shares.c.inviter == actor, shares.c.invitee == actor), most)

    def _newest(self, condition: ColumnElement[bool], most: int) -> Sequence[Share]:
        newest = select(shares).where(condition).order_by(shares.c.begins_at.desc(), shares.c.share_id).limit(most)
        with self._database.read() as connection:
            return [_share(row) for row in connection.execute(newest)]


def _demand(share: Share, ties: Sequence[Tie], draft: Draft) -> None:
    if share.institution != draft.institution:
        raise Denied("institutions are strictly apart")
    demand_of(draft.institution, ties)


def _values(share: Share) -> dict[str, Any]:
    return {
        "share_id": share.share_id,
        "institution": share.institution,
        "study_alias": share.study_alias,
        "patient_alias": share.patient_alias,
        "inviter": share.inviter,
        "invitee": share.invitee,
        "purpose": share.purpose.value,
        "begins_at": share.begins_at,
        "ends_at": share.ends_at,
        "attempts": share.attempts,
        "redeemed_at": share.redeemed_at,
        "revoked_at": share.revoked_at,
        "code": share.code,
        "proof": share.proof,
        "box": share.box,
    }


def _share(row: AnyRow) -> Share:
    try:
        purpose = Purpose(row.purpose)
    except ValueError:
        raise Tampered("a stored share is none") from None
    return Share(
        share_id=row.share_id,
        institution=Institution(row.institution),
        study_alias=row.study_alias,
        patient_alias=row.patient_alias,
        inviter=row.inviter,
        invitee=row.invitee,
        purpose=purpose,
        begins_at=row.begins_at,
        ends_at=row.ends_at,
        attempts=row.attempts,
        redeemed_at=row.redeemed_at,
        revoked_at=row.revoked_at,
        code=row.code,
        proof=row.proof,
        box=row.box,
    )
