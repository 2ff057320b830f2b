"""How long the ledger is kept, and the certificate that stands where entries have gone (EHDS 9, LOG-05)."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pacs_secure.core.access import Role
from pacs_secure.core.identifiers import KeyId


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was removed from the ledger, when, and by whom; it names nobody in clear."""

    number: int
    """Dense, from 1."""
    start: int
    horizon: int
    """The entries ``start <= index < horizon`` went; all before them had gone."""
    root: bytes
    """Of the tree of ``horizon`` leaves, whose hashes stay."""
    cutoff: datetime
    """UTC; every entry that went is older."""
    keys: int
    """Ledger keys that were to be forgotten with it."""
    actor: str
    """Pseudonym, the same as in the ledger."""
    role: Role
    at: datetime
    """UTC."""
    writers: Mapping[KeyId, int]
    """The number that the next entry of each writer has that wrote in the range."""

    @property
    def count(self) -> int:
        """How many entries went."""
        return self.horizon - self.start


def months_before(at: datetime, months: int) -> datetime:
    """Return the same moment so many months before, on the last day of a shorter month."""
    year, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return at.replace(year=year, month=month + 1, day=min(at.day, last))


class Stopped(StrEnum):
    """What keeps the next entry in the ledger."""

    HELD = "a legal hold"
    OPEN = "an act that is under way"
    UNPUBLISHED = "no checkpoint covers it yet"
    YOUNG = "its age"


@dataclass(frozen=True, slots=True)
class Plan:
    """What may go from the ledger now."""

    cutoff: datetime
    """UTC; what is younger stays."""
    start: int
    horizon: int
    """The entries ``start <= index < horizon`` may go."""
    until: datetime | None
    """When the newest of them was written; None when none may go."""
    keys: int
    """Ledger keys of years that are over and done with, but for those of patients on hold."""
    stopped: Stopped
    """Why no more may go; the last entries before that also stay until their bundle of 256 is full."""

    @property
    def count(self) -> int:
        """How many entries may go."""
        return self.horizon - self.start


@dataclass(frozen=True, slots=True)
class Expired:
    """What went from the ledger."""

    plan: Plan
    entries: int
    """That were removed, also those that an earlier run had left."""
    keys: int
    certificates: int
    """That were made."""

    def told(self) -> dict[str, str | int]:
        """Return it as facts of a ledger entry."""
        return {
            "entries": self.entries,
            "keys": self.keys,
            "certificates": self.certificates,
            "horizon": self.plan.horizon,
            "cutoff": self.plan.cutoff.isoformat(),
            "stopped": self.plan.stopped.value,
        }
