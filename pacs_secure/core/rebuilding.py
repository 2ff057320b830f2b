"""A rebuild of a lost index: how far it has come, and what it could not know."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RebuildState:
    """One rebuild, as it is remembered beside what it has made."""

    begun_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a run of it is, for whoever watches."""

    objects: int
    of: int
    octets: int
    seconds: float
    """Since the run began."""


UNKNOWN = (
    "who treats whom, and which shares, boards and emergencies there were",
    "labels, legal holds, ends of treatment, departments: every study is restricted until an officer has looked",
    "devices, approved policies, sessions, notices and questions: enrol, approve and ask again",
    "which earlier entries of the ledger are about which study: their random names went with the index",
)
"""What neither objects nor vault say."""
