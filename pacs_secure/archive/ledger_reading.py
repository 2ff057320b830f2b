"""Reading the ledger: by time, act, study or patient, for few, within their own institution, and on record itself.

Nobody finds out here what one employee did: that is a question of its own, which takes two
persons (`pacs_secure.archive.employee_questions`, LOG-07). So no search names one, persons are
numbers that hold within one act, or within one answer about one patient or study, and what names
them is opened for one patient, one study or one entry at a time.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from uuid import UUID

from pacs_secure.archive.declarations import Whom, patients_of
from pacs_secure.archive.details import Details
from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.report.reading import alone
from pacs_secure.core.access import AccessRequest, Action, Grant, Permit, Purpose, Role, Subject
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome
from pacs_secure.core.errors import ArchiveError, Denied, Malformed, NotFound, Tampered
from pacs_secure.core.identifiers import uid
from pacs_secure.core.seeking import Sought
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import Ledger, Patients

MOST_AT_ONCE = 500
_LARGEST_INDEX = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for in the ledger."""

    since: datetime | None = None
    until: datetime | None = None
    """UTC; from the beginning until before the end."""
    action: Action | None = None
    outcome: Outcome | None = None
    role: Role | None = None
    department: str | None = None
    study_instance_uid: str = ""
    whom: Whom | None = None
    """The patient, by Patient ID and nothing else."""
    person: str = field(default="", repr=False)
    """An employee, by name or pseudonym: never answered here."""
    newest_first: bool = True
    after: int | None = None
    """Go on behind this entry."""
    limit: int = 100
    opened: bool = False
    """Whether what names persons is to be opened."""

    def told(self) -> dict[str, str]:
        """Return it as facts that may name a person."""
        named = {
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "action": self.action,
            "outcome": self.outcome,
            "role": self.role,
            "department": self.department,
            "study": self.study_instance_uid,
            "person": self.person,
        }
        return {name: str(value) for name, value in named.items() if value} | (self.whom.told() if self.whom else {})


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """One entry as it was read."""

    entry: LedgerEntry
    draft: Draft
    person: int
    """The same number is the same person, within one answer only, and about many patients within one act of it;
    0 when nobody is known."""
    told: dict[str, str] | None = field(default=None, repr=False)
    """What names persons, when it was opened and its key is not forgotten."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """One answer."""

    entries: Sequence[ReadEntry]
    after: int | None
    """Behind which entry the next page begins; None when there is no more."""


@dataclass(frozen=True, slots=True)
class LedgerReading:
    """The verb: read entries of one's own institution."""

    guard: Guard
    ledger: Ledger
    patients: Patients
    facts: Facts
    seals: InstitutionSeals
    opener: Details
    busy: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever reads the whole ledger."""

    def search(self, subject: Subject, purpose: Purpose | None, wanted: Wanted, *, details: dict[str, str]) -> ReadPage:
        """Return one page of the entries that are wanted.

        Raises:
            Denied: the subject may not read the ledger, names an employee, or wants to open more than one
                patient's or study's details at a time.
            Malformed: an identifier, a time or a number is none.
            NotFound: there is no entry to go on behind.
            Tampered: the index of the ledger is not what its entries say.
            Unavailable: ledger, index or keys are out of reach.
        """
        told = {**details, "ledger": "searched", "details": "opened" if wanted.opened else "shut"}
        request = AccessRequest(subject, Action.LEDGER_READ, purpose, details=told, private=wanted.told())
        permit = self.guard.decide(request)
        with self._refusing(request):
            _demand_answerable(wanted)
            sought, patient = self._sought(permit, wanted)
        grant = self.guard.grant(permit, 0, patient=patient)
        with self.failing(grant, patient):
            page = self.page(grant, sought, wanted.after, wanted.limit, opened=wanted.opened)
        self.guard.finish(grant, Outcome.COMPLETED, {"results": len(page.entries)}, patient=patient)
        return page

    def entry(
        self, subject: Subject, purpose: Purpose | None, index: int, *, opened: bool, details: dict[str, str]
    ) -> ReadEntry:
        """Return one entry, and open what it says of persons when that is asked for.

        Raises:
            NotFound: there is no such entry, or it is another institution's.
        """
        told = {**details, "ledger": str(index), "details": "opened" if opened else "shut"}
        request = AccessRequest(subject, Action.LEDGER_READ, purpose, details=told)
        permit = self.guard.decide(request)
        with self._refusing(request):
            found = list(self.ledger.entries(index, index + 1)) if 0 <= index <= _LARGEST_INDEX else []
            whose = [read_draft(entry.content) for entry in found]
            if not whose or whose[0].institution != subject.institution:
                raise NotFound("no such object")
        patient = whose[0].patient_alias
        grant = self.guard.grant(permit, 0, patient=patient)
        with self.failing(grant, patient):
            (read,) = self._read(found, opened=opened, across_acts=True)
        self.guard.finish(grant, Outcome.COMPLETED, {"results": 1}, patient=patient)
        return read

    def page(
        self,
        grant: Grant,
        sought: Sought,
        after: int | None,
        limit: int,
        *,
        opened: bool = False,
        thorough: bool = False,
    ) -> ReadPage:
        """Return one page of entries for whoever holds the Grant, but for its own; raises as `search` does.

        A ``thorough`` page is read from the whole ledger, oldest first, so that no index can leave anything out.

        Raises:
            TooOften: such a page is being read for somebody else.
        """
        with alone(self.busy) if thorough else nullcontext():
            source = self._everything(sought, after) if thorough else self.ledger.find(sought, after)
            found = list(islice(_fitting(source, sought, grant.act), limit + 1))
        entries = found[:limit]
        read = self._read(entries, opened=opened, across_acts=is_about_one(sought))
        return ReadPage(read, entries[-1].index if len(found) > limit else None)

    @contextmanager
    def failing(self, grant: Grant, patient: UUID | None = None) -> Iterator[None]:
        """Record that a reading failed."""
        try:
            yield
        except ArchiveError as error:
            self.guard.finish(grant, Outcome.FAILED, {"error": type(error).__name__}, patient=patient)
            raise

    def _sought(self, permit: Permit, wanted: Wanted) -> tuple[Sought, UUID | None]:
        """Resolve who and what is named to random names; return the one patient it is about beside it."""
        subject, purpose, patient = permit.request.subject, permit.request.purpose, None
        sought = Sought(
            subject.institution,
            wanted.since,
            wanted.until,
            wanted.action,
            wanted.outcome,
            wanted.role,
            wanted.department,
            newest_first=wanted.newest_first,
        )
        if wanted.whom is not None:
            found = patients_of(self.patients, self.seals, subject.institution, wanted.whom)
            sought = replace(sought, patients=found)
            patient = next(iter(found)) if len(found) == 1 else None
        if wanted.study_instance_uid:
            study = self.facts.of(subject, purpose, uid(wanted.study_instance_uid))
            if study is None or study.institution != subject.institution:
                return replace(sought, patients=frozenset()), patient
            sought, patient = replace(sought, study=study.alias), study.patient_alias
        return sought, patient

    def _everything(self, sought: Sought, after: int | None) -> Iterator[LedgerEntry]:
        """Yield every entry behind a place that one actor's may be."""
        name = sought.actor.encode()
        for entry in self.ledger.entries(0 if after is None else after + 1, self.ledger.size()):
            if name in entry.content and sought.concerns(read_draft(entry.content)):
                yield entry

    def _read(self, entries: Sequence[LedgerEntry], *, opened: bool, across_acts: bool) -> list[ReadEntry]:
        drafts = [read_draft(entry.content) for entry in entries]
        told = self.opener.open(drafts) if opened else [None] * len(drafts)
        numbers = numbered(drafts, across_acts=across_acts)
        # A workplace that lasts would join what the numbers keep apart.
        said = drafts if across_acts else [replace(draft, address="") for draft in drafts]
        return list(map(ReadEntry, entries, said, numbers, told))

    @contextmanager
    def _refusing(self, request: AccessRequest) -> Iterator[None]:
        """Record what is refused after the policy has allowed it."""
        try:
            yield
        except ArchiveError as error:
            self.guard.refuse(request, {"error": type(error).__name__})
            raise


def _fitting(source: Iterable[LedgerEntry], sought: Sought, but_for: UUID) -> Iterator[LedgerEntry]:
    for entry in source:
        draft = read_draft(entry.content)
        if not sought.concerns(draft):
            raise Tampered("the index of the ledger is not what its entries say")
        if draft.act != but_for and sought.fits(draft):
            yield entry


def demand_page(limit: int) -> None:
    """Refuse a page of no entries, or of too many; raise `Malformed`."""
    if not 0 < limit <= MOST_AT_ONCE:
        raise Malformed(f"a page has 1 to {MOST_AT_ONCE} entries")


def _demand_answerable(wanted: Wanted) -> None:
    if wanted.person:
        raise Denied("what an employee did is a question that a second person has to approve")
    if wanted.opened and wanted.whom is None and not wanted.study_instance_uid:
        raise Denied("details are opened for one patient, one study or one entry at a time")
    demand_page(wanted.limit)
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise Malformed("the period ends before it begins")


def is_about_one(sought: Sought) -> bool:
    """Say whether a search is about one patient, one study, or an employee about whom a second person agreed.

    Anywhere else whoever opens one entry would know whose all the others with its number are (LOG-07).
    """
    return sought.study is not None or len(sought.patients or ()) == 1 or bool(sought.actor)


def numbered(drafts: Iterable[Draft], *, across_acts: bool) -> list[int]:
    """Return a number for whoever acted in each entry: a person's, or else one for each act; 0 for nobody."""
    numbers: dict[str | tuple[UUID, str], int] = {}
    return [
        numbers.setdefault(draft.actor if across_acts else (draft.act, draft.actor), len(numbers) + 1)
        if draft.actor
        else 0
        for draft in drafts
    ]
