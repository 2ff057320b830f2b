"""Shares in memory, beside the ties that they make; the contract suite holds them to the real ones."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from pacs_secure.core.access import Permit, Tie
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.sharing import Share
from tests.fakes import MemoryTies


class MemoryShares:
    """Shares beside a `MemoryTies`, whose ledger they record in."""

    def __init__(self, ties: MemoryTies | None = None) -> None:
        self.ties = ties or MemoryTies()
        self.kept: dict[UUID, Share] = {}

    def add(self, permit: Permit, share: Share, ties: Sequence[Tie], draft: Draft) -> None:
        demand_one(draft, share.institution, ties)
        self.ties.tie(permit, ties, draft)
        self.kept[share.share_id] = share

    def change(self, permit: Permit, before: Share, after: Share, ties: Sequence[Tie], draft: Draft) -> None:
        demand_one(draft, after.institution, ties)
        if self.kept.get(before.share_id) != before:
            raise Conflict("the share has been changed meanwhile")
        self.ties.tie(permit, ties, draft)
        self.kept[after.share_id] = after

    def revoke(self, permit: Permit, share: Share, at: datetime, draft: Draft) -> None:
        demand_one(draft, share.institution)
        kept = self.kept.get(share.share_id)
        if kept is None or kept.revoked_at is not None:
            raise Conflict("the share is revoked already")
        self.ties.release(permit, share.share_id, at, draft)
        self.kept[share.share_id] = replace(kept, revoked_at=at)

    def by_id(self, share_id: UUID) -> Share | None:
        return self.kept.get(share_id)

    def of(self, institution: Institution, most: int) -> Sequence[Share]:
        return self._newest(lambda share: share.institution == institution, most)

    def among(self, actor: str, most: int) -> Sequence[Share]:
        return self._newest(lambda share: actor in {share.inviter, share.invitee}, most)

    def _newest(self, wanted: Callable[[Share], bool], most: int) -> Sequence[Share]:
        in_order = sorted(self.kept.values(), key=lambda share: share.share_id.bytes)
        return sorted(filter(wanted, in_order), key=lambda share: share.begins_at, reverse=True)[:most]


def demand_one(draft: Draft, institution: Institution, ties: Sequence[Tie] = ()) -> None:
    """Refuse what is not of one institution with the entry that records it."""
    if {draft.institution} != {institution, *(tie.institution for tie in ties)}:
        raise Denied("institutions are strictly apart")
