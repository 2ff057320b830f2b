"""Reading the ledger as audit events, for systems that speak FHIR: `pacs_secure.archive.ledger_reading` in other words.

The same few may, the same is on record, and no employee can be asked for: persons are numbers that hold within
one act, or within one answer about one patient or study (LOG-07).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.ledger_reading import LedgerReading, ReadEntry, demand_page, is_about_one, numbered
from pacs_secure.core.access import AccessRequest, Action, Grant, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.audit_events import Deed, event_of
from pacs_secure.core.errors import Malformed
from pacs_secure.core.seeking import Sought
from pacs_secure.messages.occurrence import Occurrence

MOST_SCANNED = 5_000
"""Entries looked at for one page; a page that ends here may be short, or empty, and names where to go on."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class AskedEvents:
    """Which events are wanted."""

    since: datetime | None = None
    until: datetime | None = None
    """UTC; from the beginning until before the end."""
    deed: Deed | None = None
    action: Action | None = None
    outcome: Outcome | None = None
    patient: UUID | None = None
    study: UUID | None = None
    """Random names, as the ledger uses them."""
    after: int | None = None
    """Go on behind this entry."""
    count: int = 50

    def told(self) -> dict[str, str]:
        """Return it as facts for the ledger."""
        named = {name: getattr(self, name) for name in ("since", "until", "deed", "action", "patient", "study")}
        return {name: str(value) for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class EventPage:
    """One answer, newest first."""

    events: Sequence[Occurrence]
    after: int | None
    """Behind which entry the next page begins; None when there is no more."""


@dataclass(frozen=True, slots=True)
class AuditEvents:
    """The verb: read entries of one's own institution as audit events."""

    guard: Guard
    reading: LedgerReading
    origin: str

    def read(self, subject: Subject, purpose: Purpose | None, index: int, details: dict[str, str]) -> Occurrence:
        """Return one event; raises as `LedgerReading.entry` does."""
        found = self.reading.entry(subject, purpose, index, opened=False, details=details)
        return self._numbered([found], about_one=True)[0]

    def search(
        self, subject: Subject, purpose: Purpose | None, asked: AskedEvents, details: dict[str, str]
    ) -> EventPage:
        """Return one page of the events that are wanted.

        Raises:
            Denied: the subject may not read the ledger.
            Malformed: the page would be empty or too long, or the period ends before it begins.
            NotFound: there is no entry to go on behind.
            Tampered: the index of the ledger is not what its entries say.
            Unavailable: ledger or index are out of reach.
        """
        told = {**details, "ledger": "searched", "details": "shut"}
        request = AccessRequest(subject, Action.LEDGER_READ, purpose, details=told, private=asked.told())
        permit = self.guard.decide(request)
        try:
            _demand_answerable(asked)
        except Malformed as error:
            self.guard.refuse(request, {"error": type(error).__name__})
            raise
        grant = self.guard.grant(permit, 0)
        with self.reading.failing(grant):
            page = self._page(grant, asked)
        patient = asked.patient if page.events else None  # a name that nobody bears is nobody's
        self.guard.finish(grant, Outcome.COMPLETED, {"results": len(page.events)}, patient=patient)
        return page

    def _page(self, grant: Grant, asked: AskedEvents) -> EventPage:
        sought = Sought(
            grant.request.subject.institution,
            asked.since,
            asked.until,
            asked.action,
            asked.outcome,
            patients=None if asked.patient is None else frozenset({asked.patient}),
            study=asked.study,
        )
        found: list[ReadEntry] = []
        after, scanned = asked.after, 0
        while scanned < MOST_SCANNED:
            page = self.reading.page(grant, sought, after, _AT_ONCE)
            for one in page.entries:
                if asked.deed in {None, event_of(one.draft).deed}:
                    if len(found) == asked.count:
                        return EventPage(self._numbered(found, about_one=is_about_one(sought)), found[-1].entry.index)
                    found.append(one)
            after, scanned = page.after, scanned + len(page.entries)
            if after is None:
                break
        return EventPage(self._numbered(found, about_one=is_about_one(sought)), after)

    def _numbered(self, found: Sequence[ReadEntry], *, about_one: bool) -> list[Occurrence]:
        numbers = numbered((one.draft for one in found), across_acts=about_one)
        return [
            Occurrence(one.entry.index, one.entry.leaf_hash, one.draft, self.origin, number, placed=about_one)
            for one, number in zip(found, numbers, strict=True)
        ]


def _demand_answerable(asked: AskedEvents) -> None:
    demand_page(asked.count)
    if asked.since is not None and asked.until is not None and asked.since >= asked.until:
        raise Malformed("the period ends before it begins")
