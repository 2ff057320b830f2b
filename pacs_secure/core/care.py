"""Who treats a patient and who referred a study, as the archive was told."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pacs_secure.core.vocabulary import Relation

FOR_GOOD = datetime(9999, 12, 31, tzinfo=UTC)
"""The end of what ends only when somebody ends it."""

STATED = frozenset({Relation.TREATING, Relation.REFERRING})
"""Relations that somebody, or the hospital's own system, states; the others follow from acts in the archive."""


@dataclass(frozen=True, slots=True)
class Care:
    """One statement that a person treats a patient or referred a study, with the person's name in clear."""

    origin: UUID
    """By which it can be ended."""
    relation: Relation
    person: str
    begins_at: datetime
    ends_at: datetime
    """UTC; `FOR_GOOD` when nobody said until when."""
    reason: str
