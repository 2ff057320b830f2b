"""Shares and boards in memory, beside the ties that they make; contract suites hold them to the real ones."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from pacs_secure.core.access import Permit, Tie
from pacs_secure.core.audit import Draft
from pacs_secure.core.boards import Board, Ending
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


class MemoryBoards:
    """Boards beside a `MemoryTies`, whose ledger they record in."""

    def __init__(self, ties: MemoryTies | None = None) -> None:
        self.ties = ties or MemoryTies()
        self.kept: dict[UUID, Board] = {}

    def convene(self, permit: Permit, board: Board, draft: Draft) -> None:
        demand_one(draft, board.institution)
        self.ties.tie(permit, (), draft)
        self.kept[board.board_id] = board

    def change(self, permit: Permit, after: Board, ties: Sequence[Tie], ending: Ending | None, draft: Draft) -> None:
        demand_one(draft, after.institution, ties)
        kept = self.kept.get(after.board_id)
        if kept is None or kept.version != after.version - 1:
            raise Conflict("the board has been changed meanwhile; try again")
        self.ties.tie(permit, ties, draft)
        if ending is not None:
            self._end(after.board_id, ending, {tie.tie_id for tie in ties})
        self.kept[after.board_id] = after

    def _end(self, origin: UUID, ending: Ending, new: set[UUID]) -> None:
        for tie in self.ties.kept:
            concerned = ending.actor in {"", tie.actor} and ending.alias in {None, tie.alias}
            if tie.origin == origin and concerned and tie.tie_id not in new:
                self.ties.released.setdefault(tie.tie_id, ending.at)

    def by_id(self, board_id: UUID) -> Board | None:
        return self.kept.get(board_id)

    def of(self, institution: Institution, most: int) -> Sequence[Board]:
        return self._newest(lambda board: board.institution == institution, most)

    def among(self, actor: str, most: int) -> Sequence[Board]:
        return self._newest(lambda board: board.sits(actor), most)

    def _newest(self, wanted: Callable[[Board], bool], most: int) -> Sequence[Board]:
        in_order = sorted(self.kept.values(), key=lambda board: board.board_id.bytes)
        return sorted(filter(wanted, in_order), key=lambda board: board.begins_at, reverse=True)[:most]
