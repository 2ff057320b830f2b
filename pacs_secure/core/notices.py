"""What the data-protection officer is told without having asked."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.identifiers import Institution


class NoticeKind(StrEnum):
    """Why somebody is told."""

    ALARM = "alarm"
    """Something that watches the archive found it wanting: a witness, a clock, the ledger itself."""
    BREAK_GLASS = "break-glass"
    """Somebody broke the glass for a patient (ACC-06)."""
    PROTECTED_ACCESS = "protected-access"
    """Somebody read a study that bears a label (ACC-08)."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell, kept in the commit of the act that it tells of; but for its box it names nobody."""

    notice_id: UUID
    institution: Institution
    """Whose officer is told."""
    kind: NoticeKind
    about: UUID
    """The emergency, the act of reading, or the alarm."""
    act: UUID
    """Ties it to the entries of the ledger."""
    made_at: datetime
    """UTC."""
    box: bytes = field(repr=False)
    """Who and why, sealed."""


@dataclass(frozen=True, slots=True)
class KeptNotice:
    """A notice in its place, and what became of it."""

    notice: Notice
    number: int
    """Index of the ledger entry whose commit it shared: notices are in the order of the ledger."""
    sent_at: datetime | None = None
    """When a messenger first took it."""
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    """Keyed pseudonym of who acknowledged it."""

    def outline(self) -> dict[str, str]:
        """Return what may be said of it outside the house: that something happened, never to whom or by whom."""
        notice = self.notice
        return {
            "id": str(notice.notice_id),
            "kind": notice.kind.value,
            "institution": notice.institution,
            "about": str(notice.about),
            "at": notice.made_at.isoformat(timespec="seconds"),
        }
