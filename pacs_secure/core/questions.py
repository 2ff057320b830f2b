"""A question about what one employee did: asked by one person, ruled on by another, answered for a week (LOG-07)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.identifiers import Institution

LONGEST_PERIOD = timedelta(days=366)
"""That one question may be about."""

ANSWERED_FOR = timedelta(days=7)
"""How long after the approval its answer may be read."""


class QuestionState(StrEnum):
    """How far a question has come."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    ENDED = "ended"
    """Approved, and the time for its answer is over."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The second person's word."""

    approved: bool
    actor: str
    """Keyed pseudonym of the person."""
    at: datetime
    """UTC."""
    box: bytes = field(repr=False)
    """The person's name and reason, sealed."""
    proof: bytes = b""
    """Shows that the archive wrote it (`pacs_secure.archive.question_proofs`)."""


@dataclass(frozen=True, slots=True)
class EmployeeQuestion:
    """Somebody asks what an employee of the institution did in a time; who it is about is sealed."""

    question_id: UUID
    institution: Institution
    actor: str
    """Keyed pseudonym of whoever asks, and alone may read the answer."""
    since: datetime
    until: datetime
    """UTC; from the beginning until before the end."""
    at: datetime
    box: bytes = field(repr=False)
    """Who asks, about whom and why, sealed."""
    proof: bytes = b""
    ruling: Ruling | None = None

    @property
    def answered_until(self) -> datetime | None:
        """Until before when the answer may be read; None while it may not."""
        if self.ruling is None or not self.ruling.approved:
            return None
        return self.ruling.at + ANSWERED_FOR

    def state(self, at: datetime) -> QuestionState:
        """Say how far it has come at a moment."""
        if self.ruling is None:
            return QuestionState.WAITING
        if self.answered_until is None:
            return QuestionState.REFUSED
        return QuestionState.APPROVED if at < self.answered_until else QuestionState.ENDED


@dataclass(frozen=True, slots=True)
class OpenedQuestion:
    """A question with what its boxes hold."""

    question: EmployeeQuestion
    state: QuestionState
    """When it was opened."""
    person: str = field(default="", repr=False)
    about: str = field(default="", repr=False)
    reason: str = field(default="", repr=False)
    ruled_by: str = field(default="", repr=False)
    remark: str = field(default="", repr=False)
    """Why the second person approved or refused."""
