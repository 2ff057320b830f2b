"""What has to be said of an incident, and when: after 24 hours, after 72, and in the end (GDPR 33, 34; BSIG 32)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Malformed
from pacs_secure.core.reports import FIRST_DAY, LAST_DAY, Integrity, Point, Table
from pacs_secure.core.vocabulary import Action

LONGEST_WINDOW = timedelta(days=366)
LONGEST_TEXT = 20_000
MOST_STUDIES = 10_000


class Stage(StrEnum):
    """Which of the reports it is."""

    EARLY = "24h"
    """Early warning (BSIG 32(1) no. 1)."""
    NOTIFICATION = "72h"
    """To the supervisory authority (GDPR 33(1), BSIG 32(1) no. 2)."""
    FINAL = "final"
    """A month after the notification (BSIG 32(1) no. 4), and what GDPR 33(4) left for later."""


SAYABLE = frozenset(
    {"attack", "consequences", "contact", "cross-border", "high-risk", "measures", "root-cause", "severity"}
)
"""What only people know of an incident, and what no ledger says."""

DEMANDED: dict[Stage, tuple[str, ...]] = {
    Stage.EARLY: ("cause", "attack", "window", "persons", "acts", "categories", "cross-border", "contact", "ledger"),
    Stage.NOTIFICATION: (
        "cause",
        "window",
        "persons",
        "acts",
        "categories",
        "severity",
        "consequences",
        "measures",
        "high-risk",
        "contact",
        "ledger",
    ),
    Stage.FINAL: (
        "cause",
        "root-cause",
        "attack",
        "window",
        "persons",
        "acts",
        "categories",
        "severity",
        "consequences",
        "measures",
        "high-risk",
        "cross-border",
        "contact",
        "ledger",
    ),
}
"""What each stage has to say, in this order; what nobody knows yet is named as such."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Which acts of which time belong to an incident, and what people know of it."""

    begins_at: datetime
    ends_at: datetime
    """The first moment after it; both with their offset from UTC."""
    cause: str
    stage: Stage
    actor_department: str = ""
    """Only acts of this department; "" of all."""
    actions: frozenset[Action] = frozenset()
    """Only these acts; none means all that touch a patient, and searches."""
    studies: tuple[str, ...] = ()
    """Only acts on studies of these UIDs; none means all."""
    statements: dict[str, str] = field(default_factory=dict)
    """What people say of it, by the names of `SAYABLE`: likely consequences and measures among them (GDPR 33(3))."""

    def demand_whole(self) -> None:
        """Raise `Malformed` when no report can be made of it."""
        if self.begins_at.tzinfo is None or self.ends_at.tzinfo is None:
            raise Malformed("the window of an incident needs its offset from UTC")
        if not all(FIRST_DAY <= moment.date() <= LAST_DAY for moment in (self.begins_at, self.ends_at)):
            raise Malformed("the window of an incident lies beyond the calendar")
        if not timedelta(0) < self.ends_at - self.begins_at <= LONGEST_WINDOW:
            raise Malformed("the window of an incident ends after it begins, and within a year")
        if not self.cause.strip():
            raise Malformed("an incident has a cause")
        if any(len(text) > LONGEST_TEXT for text in (self.cause, *self.statements.values())):
            raise Malformed("a text about an incident is too long")
        if not self.statements.keys() <= SAYABLE:
            raise Malformed("a statement about an incident has a name that no stage knows")
        if len(self.studies) > MOST_STUDIES:
            raise Malformed("too many studies are named")

    def touches(self, draft: Draft) -> bool:
        """Say whether an entry belongs to it, as far as time, department and act go."""
        if not self.begins_at <= draft.at < self.ends_at:
            return False
        if self.actor_department and draft.department != self.actor_department:
            return False
        if self.actions:
            return draft.action in self.actions
        return draft.patient_alias is not None or draft.action is Action.STUDY_SEARCH


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a stage demands to be said."""

    name: str
    known: bool
    said: str = ""
    """In the words of whoever reports."""
    values: dict[str, str | int] = field(default_factory=dict)
    """What the ledger says of it."""


@dataclass(frozen=True, slots=True)
class Incident:
    """What is known of an incident at one stage."""

    institution: str
    origin: str
    software: str
    stage: Stage
    begins_at: str
    ends_at: str
    closed: bool
    """Whether the window was over; only then later acts change nothing in the answer to the same question."""
    cause: str
    integrity: Integrity
    narrowed: tuple[Point, ...]
    """What the acts were narrowed to."""
    totals: tuple[Point, ...]
    categories: tuple[Point, ...]
    """Kinds of data concerned, and in how many acts."""
    tables: tuple[Table, ...]
    items: tuple[Item, ...]
    blind_spots: tuple[str, ...]
    persons: Table | None
    """The pseudonyms of everybody affected; None for whoever may not read the ledger."""
