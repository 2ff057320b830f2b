"""Invitations: a share brings one study to one person for a time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.access import Purpose
from pacs_secure.core.identifiers import Institution

MOST_ATTEMPTS = 5
"""Wrong one-time codes that end a share."""


class Standing(StrEnum):
    """How a share stands at a moment."""

    ACTIVE = "active"
    EXPIRED = "expired"
    LOCKED = "locked"
    """Too many wrong codes were given; it opens nothing, and never will."""
    REVOKED = "revoked"
    WAITING = "waiting"
    """For its one-time code; until then it opens nothing."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, by the name under which an institution knows them."""

    institution: Institution
    identifier: str


@dataclass(frozen=True, slots=True)
class Share:
    """One person's invitation to one study, as it is kept: nobody is named in clear."""

    share_id: UUID
    institution: Institution
    """Whose study it is."""
    study_alias: UUID
    patient_alias: UUID
    inviter: str
    invitee: str
    """Keyed pseudonyms, the same as in ledger and ties."""
    purpose: Purpose
    begins_at: datetime
    ends_at: datetime
    """UTC; it holds from the beginning until before the end."""
    code: bytes
    """A slow hash of its one-time code, b"" when it has none."""
    box: bytes
    """Study, inviter, invitee and reason, sealed."""
    attempts: int = 0
    """Codes that were given so far, the right one among them."""
    redeemed_at: datetime | None = None
    revoked_at: datetime | None = None
    proof: bytes = b""
    """Shows that the archive wrote it (`pacs_secure.archive.proofs`); from nothing that lacks it comes a tie."""

    def standing(self, at: datetime) -> Standing:
        """Say how it stands at a moment."""
        if self.revoked_at is not None:
            return Standing.REVOKED
        if at >= self.ends_at:
            return Standing.EXPIRED
        if not self.code or self.redeemed_at is not None:
            return Standing.ACTIVE
        return Standing.WAITING if self.attempts < MOST_ATTEMPTS else Standing.LOCKED

    @property
    def wrong_codes(self) -> int:
        """How many wrong codes were given."""
        return self.attempts - (self.redeemed_at is not None)

    def covers(self, at: datetime) -> bool:
        """Say whether a moment lies within its time, revoked or not since."""
        return self.begins_at <= at < min(self.ends_at, self.revoked_at or self.ends_at)
