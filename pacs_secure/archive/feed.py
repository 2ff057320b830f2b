"""Passing the ledger on: entries of one institution, in the order of the ledger, for systems that keep audit messages.

What is passed on is what everybody may see who keeps a copy of the ledger: nothing sealed is opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action, Door, Purpose, Role, Subject
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome
from pacs_secure.core.errors import ArchiveError, Malformed, Tampered
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.seeking import Sought
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.messages.occurrence import Occurrence
from pacs_secure.ports import Ledger

MOST_AT_ONCE = 500
"""Entries read for one page."""


@dataclass(frozen=True, slots=True)
class Page:
    """What comes next, and where the page after it begins."""

    entries: tuple[Occurrence, ...]
    """Empty when nothing is left, or when all of it was another institution's."""
    next_place: int


class Feeding:
    """How far one reader has come: a page is passed on only once the reader says so."""

    def __init__(self, ledger: Ledger, origin: str, institution: Institution, start: int) -> None:
        self.place = start
        """Index of the next entry to read."""
        self._ledger = ledger
        self._origin = origin
        self._institution = institution
        self._given = 0
        self._range: tuple[int, int] | None = None

    def page(self) -> Page:
        """Return what comes next; an entry that cannot be read is passed on as the alarm that it is.

        Raises:
            Unavailable: the ledger is out of reach.
        """
        found: list[Occurrence] = []
        place = self.place
        stop = max(place, min(self.size(), place + MOST_AT_ONCE))
        for entry in self._ledger.entries(place, stop):
            try:
                one = occurrence(entry, self._origin)
            except Tampered:
                at = found[-1].draft.at if found else datetime.fromtimestamp(0, UTC)
                one = Occurrence(entry.index, entry.leaf_hash, unreadable(self._institution, at), self._origin)
            if one.draft.institution == self._institution:
                found.append(one)
        return Page(tuple(found), stop)  # also past what has expired and is not there any more

    def passed_on(self, page: Page) -> None:
        """Go on behind a page that was taken."""
        self.place = page.next_place
        if page.entries:
            self._range = (self._range or (page.entries[0].index, 0))[0], page.entries[-1].index
            self._given += len(page.entries)

    def size(self) -> int:
        """Return how many entries there are."""
        return self._ledger.size()

    def account(self) -> dict[str, int]:
        """Say what was passed on: how many entries, and from which to which."""
        reach = {} if self._range is None else dict(zip(("first", "last"), self._range, strict=True))
        return {"entries": self._given, **reach}


@dataclass(frozen=True, slots=True)
class LedgerFeed:
    """The verb: pass entries on, and have it on record from where to where."""

    guard: Guard
    ledger: Ledger
    origin: str

    @contextmanager
    def begin(
        self, subject: Subject, purpose: Purpose | None, start: int, details: dict[str, str]
    ) -> Iterator[Feeding]:
        """Begin at an entry; the end of the block is the end of the act, and says what was passed on.

        Raises:
            Denied: somebody else passes entries on.
            Malformed: there is no entry of a negative number.
            Unavailable: it cannot be recorded, so nothing is passed on (LOG-04).
        """
        request = AccessRequest(subject, Action.LEDGER_FEED, purpose, details={**details, "from": str(start)})
        if start < 0:
            self.guard.refuse(request, {"error": Malformed.__name__})
            raise Malformed("the ledger begins at entry 0")
        grant = self.guard.admit(request)
        feeding = Feeding(self.ledger, self.origin, subject.institution, start)
        outcome, problem = Outcome.ABORTED, dict[str, str]()
        try:
            yield feeding
            outcome = Outcome.COMPLETED
        except ArchiveError as error:
            outcome, problem = Outcome.FAILED, {"error": type(error).__name__}
            raise
        finally:
            self.guard.finish_later(grant, outcome, {**feeding.account(), **problem})

    def last_account(self, institution: Institution, channel: str) -> int:
        """Return where a receiver goes on as the ledger itself tells it: behind what it is on record to have taken.

        Raises:
            Unavailable: the ledger is out of reach.
        """
        size = self.ledger.size()
        sought = Sought(institution, action=Action.LEDGER_FEED)
        for entry in self.ledger.find(sought):
            draft = read_draft(entry.content)
            if not sought.fits(draft) or draft.facts.get("channel") != channel:
                continue
            last = draft.facts.get("last")
            place = last + 1 if isinstance(last, int) else int(draft.facts.get("from", 0))
            if place <= size:
                return place
        return 0


def unreadable(of: Institution, at: datetime) -> Draft:
    """Return what stands for an entry that cannot be read, so that one of them keeps no other from being passed on."""
    return Draft(
        at=at,
        act=UUID(int=0),
        action=Action.SYSTEM_ALARM,
        outcome=Outcome.FAILED,
        institution=of,
        actor="",
        role=Role.STRANGER,
        department="",
        door=Door.JOB,
        address="",
        purpose=None,
        rule="",
        policy_version="",
        facts={"alarm": "ledger", "problem": "the entry cannot be read"},
    )


def occurrence(entry: LedgerEntry, origin: str) -> Occurrence:
    """Read an entry for the renderings; raises `Tampered` when it is none of this build's."""
    return Occurrence(entry.index, entry.leaf_hash, read_draft(entry.content), origin)
