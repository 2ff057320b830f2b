"""Boards: several persons look at several studies until a day, as a tumour board does."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.identifiers import Institution

MOST_SEATS = 50
"""Members a board may have at once."""
MOST_CASES = 100
"""Studies that may be on a board at once."""
MOST_EVER = 500
"""Members, and studies, that a board may ever have had."""


class BoardStanding(StrEnum):
    """How a board stands at a moment."""

    CLOSED = "closed"
    OPEN = "open"
    OVER = "over"
    """Its time has passed."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One member, by their keyed pseudonym."""

    actor: str
    since: datetime
    box: bytes
    """Who they are, sealed."""
    until: datetime | None = None
    """When they were removed."""


@dataclass(frozen=True, slots=True)
class Case:
    """One study on a board."""

    study_alias: UUID
    patient_alias: UUID
    brought_by: str
    """Keyed pseudonym: whoever brings a study is never tied to it by the board, so nobody invites themselves."""
    since: datetime
    box: bytes
    """Which study it is and who brought it, sealed."""
    until: datetime | None = None
    """When it was withdrawn."""


@dataclass(frozen=True, slots=True)
class Board:
    """One board, as it is kept: nobody is named in clear."""

    board_id: UUID
    institution: Institution
    """Whose studies are on it."""
    convener: str
    meets_on: date
    begins_at: datetime
    ends_at: datetime
    """UTC; it is open from the beginning until before the end."""
    box: bytes
    """Title, convener and reason, sealed."""
    seats: tuple[Seat, ...] = ()
    cases: tuple[Case, ...] = ()
    """Members and studies, past ones too: what was read by whom must be told afterwards."""
    version: int = 1
    """Counts its changes: of two at once one wins."""
    closed_at: datetime | None = None
    proof: bytes = b""
    """Shows that the archive wrote it (`pacs_secure.archive.proofs`); from nothing that lacks it comes a tie."""

    def standing(self, at: datetime) -> BoardStanding:
        """Say how it stands at a moment."""
        if self.closed_at is not None:
            return BoardStanding.CLOSED
        return BoardStanding.OPEN if at < self.ends_at else BoardStanding.OVER

    @property
    def members(self) -> tuple[Seat, ...]:
        """Who is a member now."""
        return tuple(seat for seat in self.seats if seat.until is None)

    @property
    def studies(self) -> tuple[Case, ...]:
        """What is on it now."""
        return tuple(case for case in self.cases if case.until is None)

    def sits(self, actor: str) -> bool:
        """Say whether somebody convened it or is a member now."""
        return actor == self.convener or any(seat.actor == actor for seat in self.members)


@dataclass(frozen=True, slots=True)
class Ending:
    """Which ties of a board a change ends: those of one person, those to one study, or all of them."""

    at: datetime
    actor: str = ""
    alias: UUID | None = None
