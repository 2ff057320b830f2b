"""Shares and boards: who was invited to which studies, and until when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pacs_secure.core.access import Permit, Tie
from pacs_secure.core.audit import Draft
from pacs_secure.core.boards import Board, Ending
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.sharing import Share


class Shares(Protocol):
    """The shares, beside the ties that they make: a share opens nothing by itself."""

    def add(self, permit: Permit, share: Share, ties: Sequence[Tie], draft: Draft) -> None:
        """Add a share, its ties and the entry that records it, in one commit.

        Raises:
            Denied: one of them is of another institution than the entry.
        """

    def change(self, permit: Permit, before: Share, after: Share, ties: Sequence[Tie], draft: Draft) -> None:
        """Count an attempt or a redemption of a share that is still as it was read; ties and entry share the commit.

        Raises:
            Conflict: it has been changed or revoked meanwhile.
            Denied: a tie is of another institution than the entry.
        """

    def revoke(self, permit: Permit, share: Share, at: datetime, draft: Draft) -> None:
        """End a share and every tie of it at that moment, and record it, in one commit.

        Raises:
            Conflict: it is revoked already.
        """

    def by_id(self, share_id: UUID) -> Share | None:
        """Return the share of that name."""

    def of(self, institution: Institution, most: int) -> Sequence[Share]:
        """Return the newest shares of an institution's studies, newest first."""

    def among(self, actor: str, most: int) -> Sequence[Share]:
        """Return the newest shares that a person made or was given, newest first."""


class Boards(Protocol):
    """The boards, beside the ties that they make: a board opens nothing by itself."""

    def convene(self, permit: Permit, board: Board, draft: Draft) -> None:
        """Add a board on which nothing is yet, and the entry that records it, in one commit.

        Raises:
            Denied: it is of another institution than the entry.
        """

    def change(self, permit: Permit, after: Board, ties: Sequence[Tie], ending: Ending | None, draft: Draft) -> None:
        """Replace the version before this one, add and end ties of the board, and record it, in one commit.

        Raises:
            Conflict: the board is no longer in the version before this one.
            Denied: board or ties are of another institution than the entry.
        """

    def by_id(self, board_id: UUID) -> Board | None:
        """Return the board of that name."""

    def of(self, institution: Institution, most: int) -> Sequence[Board]:
        """Return the newest boards of an institution, newest first."""

    def among(self, actor: str, most: int) -> Sequence[Board]:
        """Return the newest boards that a person convened or is a member of, newest first."""
