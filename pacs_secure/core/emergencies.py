"""A broken glass: one person, one patient, a few hours, and the judgement of somebody else."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.identifiers import Institution


class Judgement(StrEnum):
    """What somebody else thought of it afterwards."""

    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not justified"


@dataclass(frozen=True, slots=True)
class Review:
    """The one judgement of an emergency, by another person than who declared it."""

    judgement: Judgement
    actor: str
    """Keyed pseudonym of who judged."""
    at: datetime
    """UTC."""
    box: bytes = field(repr=False)
    """The remark, sealed."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """Access of one person to one patient of their institution for a time (ACC-06)."""

    emergency_id: UUID
    institution: Institution
    patient_alias: UUID
    actor: str
    """Keyed pseudonym of who broke the glass."""
    opened_at: datetime
    ends_at: datetime
    """UTC; it holds from the opening until before the end."""
    box: bytes = field(repr=False)
    """Who, for whom and why, sealed."""
    review: Review | None = None
    """None: still open in every report, whether it has ended or not."""
