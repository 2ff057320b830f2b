"""What the data-protection officer is told: the outbox, and who carries it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.notices import KeptNotice


class Notices(Protocol):
    """The outbox. A notice comes into it in the commit of its act: by `Ledger.append` or `Emergencies.open`."""

    def get(self, institution: Institution, notice_id: UUID) -> KeptNotice | None:
        """Return a notice of the institution, or None."""

    def listed(self, institution: Institution, limit: int, *, acknowledged: bool) -> Sequence[KeptNotice]:
        """Return the newest notices, those that somebody has acknowledged or those that nobody has."""

    def acknowledge(self, permit: Permit, notice_id: UUID, actor: str, at: datetime, draft: Draft) -> None:
        """Mark a notice as read and record it, in one commit.

        Raises:
            Conflict: somebody has acknowledged it before.
            Denied: the Permit is another institution's.
            NotFound: there is no such notice.
        """

    def waiting(self, institution: Institution, channel: str, limit: int) -> Sequence[KeptNotice]:
        """Return the oldest notices that nobody has acknowledged and the channel has not taken, in order."""

    def sent(self, institution: Institution, channel: str, through: int, at: datetime) -> None:
        """Note that the channel has taken every notice up to that number."""


class Messenger(Protocol):
    """Carries notices out of the house: that something happened, never to whom or by whom."""

    @property
    def channel(self) -> str:
        """Return the name of the way it goes: each way takes every notice."""

    def send(self, notices: Sequence[KeptNotice]) -> None:
        """Deliver notices, each of them named singly; raise `Unavailable` when they were not surely taken."""
