"""Telling a patient who came to their pictures: an extract that is itself a disclosure, and on record as one (DSR-03).

Employees stand in it by role and department. Their names are told only by a data-protection
officer who says why they are indispensable (CJEU C-579/21); whoever is outside the institution is a
recipient, and is named. Of other patients, aliases, keys and addresses it holds nothing.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from uuid import UUID

from pacs_secure.archive.declarations import Whom, locate
from pacs_secure.archive.details import Details
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.ledger_proofs import LedgerProofs
from pacs_secure.archive.report.reading import alone
from pacs_secure.core.access import DEVICES, AccessRequest, Action, Grant, Purpose, Role, Subject
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome
from pacs_secure.core.errors import ArchiveError, Denied, NotFound, Tampered
from pacs_secure.core.reasons import reason
from pacs_secure.core.seeking import Sought
from pacs_secure.core.trails import Access, Recipient, Trail, category_of
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import Ledger, Patients

AT_ONCE = 500
"""Entries that are opened together."""

_OF_DEVICES = "device:"
"""Before its AE title in the name of a device."""

_Act = tuple[UUID, UUID | None]
"""One act with one study: an association may bring several."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Whose trail is wanted, and how much of others it may tell."""

    whom: Whom
    name_employees: bool = False
    reason: str = ""
    """Why names are indispensable."""
    proofs: bool = False
    thorough: bool = False
    """Whether to read the whole ledger instead of trusting its index to leave nothing out."""

    def told(self) -> dict[str, str]:
        """Return it as facts that may name a person."""
        return self.whom.told() | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, slots=True)
class PatientTrail:
    """The verb: produce the extract."""

    guard: Guard
    ledger: Ledger
    patients: Patients
    seals: InstitutionSeals
    opener: Details
    prover: LedgerProofs
    now: Callable[[], datetime]
    busy: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever reads the whole ledger."""

    def produce(
        self, subject: Subject, purpose: Purpose | None, wanted: Disclosure, *, details: dict[str, str]
    ) -> Trail:
        """Return everything that happened with one patient's pictures in the subject's institution.

        Raises:
            Denied: the subject may not disclose, or wants names and is no data-protection officer.
            Malformed: the patient or the reason for naming is none.
            NotFound: there is no such patient.
            Conflict: several patients have this Patient ID and no issuer is named.
            Tampered: what is kept is not what was recorded.
            TooOften: another extract is being made from the whole ledger.
            Unavailable: ledger, index or keys are out of reach.
        """
        told = {**details, "employees": "named" if wanted.name_employees else "by role"}
        request = AccessRequest(subject, Action.LEDGER_DISCLOSE, purpose, details=told, private=wanted.told())
        permit = self.guard.decide(request)
        with self._refusing(request):
            if wanted.name_employees:
                _demand_named(subject, wanted.reason)
            alias = locate(self.patients, self.seals, subject.institution, wanted.whom)
            if alias is None:
                raise NotFound("no such object")
        grant = self.guard.grant(permit, 0, patient=alias)
        try:
            with alone(self.busy) if wanted.thorough else nullcontext():
                trail = self._trail(grant, alias, wanted)
        except ArchiveError as error:
            self.guard.finish(grant, Outcome.FAILED, {"error": type(error).__name__}, patient=alias)
            raise
        self.guard.finish(grant, Outcome.COMPLETED, {"accesses": len(trail.accesses)}, patient=alias)
        return trail

    def _trail(self, grant: Grant, alias: UUID, wanted: Disclosure) -> Trail:
        of = grant.request.subject.institution
        examinations = self.patients.examinations(of, alias)
        numbers = {one.alias: number for number, one in enumerate(examinations, 1)}
        acts: dict[_Act, Access] = {}
        read: list[LedgerEntry] = []
        sought = Sought(of, patients=frozenset({alias}), newest_first=False)
        source = self._whole(sought, alias) if wanted.thorough else self.ledger.find(sought)
        for entries in _batches(source, sought, grant.act):
            drafts = [draft for _, draft in entries]
            read += [replace(entry, content=b"") for entry, _ in entries]
            told = self._told(drafts, every=wanted.name_employees)
            for (entry, draft), said in zip(entries, told, strict=True):
                key, known = (draft.act, draft.study_alias), acts.get((draft.act, draft.study_alias))
                acts[key] = (
                    _begun(entry.index, draft, said, numbers, named=wanted.name_employees)
                    if known is None
                    else _joined(known, entry.index, draft)
                )
        trail = Trail(of, self.now(), wanted.name_employees, examinations, tuple(acts.values()), wanted.whom.patient_id)
        if not wanted.proofs:
            return trail
        note, proofs = self.prover.leaves(read)
        return replace(trail, checkpoint=note, proofs=proofs)

    def _whole(self, sought: Sought, alias: UUID) -> Iterator[LedgerEntry]:
        """Yield every entry about a patient, reading all there are."""
        name = str(alias).encode()
        for entry in self.ledger.entries(0, self.ledger.size()):
            if name in entry.content and sought.concerns(read_draft(entry.content)):
                yield entry

    def _told(self, drafts: Sequence[Draft], *, every: bool) -> list[dict[str, str]]:
        """Return what may be told of persons: of recipients and devices always, of employees when ``every`` is."""
        wanted = [draft if every or _names_no_employee(draft) else replace(draft, details=None) for draft in drafts]
        return [told or {} for told in self.opener.open(wanted)]

    @contextmanager
    def _refusing(self, request: AccessRequest) -> Iterator[None]:
        """Record what is refused after the policy has allowed it."""
        try:
            yield
        except ArchiveError as error:
            self.guard.refuse(request, {"error": type(error).__name__})
            raise


def _batches(
    source: Iterator[LedgerEntry], sought: Sought, but_for: UUID
) -> Iterator[Sequence[tuple[LedgerEntry, Draft]]]:
    """Yield the patient's entries with what they say, but for those of the extract itself."""

    def own() -> Iterator[tuple[LedgerEntry, Draft]]:
        for entry in source:
            draft = read_draft(entry.content)
            if not sought.concerns(draft):
                raise Tampered("the index of the ledger is not what its entries say")
            if draft.act != but_for:
                yield entry, draft

    entries = own()
    while batch := list(islice(entries, AT_ONCE)):
        yield batch


def _demand_named(subject: Subject, why: str) -> None:
    if subject.role is not Role.DPO:
        raise Denied("only a data-protection officer names employees")
    reason(why)


def _begun(index: int, draft: Draft, said: dict[str, str], numbers: dict[UUID, int], *, named: bool) -> Access:
    """Return what the first entry of an act says."""
    outside = "from_institution" in draft.facts
    employee = not outside and draft.role not in DEVICES and draft.role is not Role.GUEST
    return Access(
        at=draft.at,
        action=draft.action,
        category=category_of(draft.action),
        purpose=draft.purpose,
        outcome=draft.outcome,
        role=draft.role,
        department="" if outside else draft.department,
        person=said.get("subject", "") if named and employee else "",
        recipient=_recipient(draft, said),
        device=_device(draft, said),
        examination=None if draft.study_alias is None else numbers.get(draft.study_alias),
        pictures=_pictures(draft),
        entries=(index,),
    )


def _joined(known: Access, index: int, draft: Draft) -> Access:
    """Return what is known of an act with one more of its entries."""
    pictures = max(known.pictures, _pictures(draft))
    return replace(known, outcome=draft.outcome, pictures=pictures, entries=(*known.entries, index))


def _names_no_employee(draft: Draft) -> bool:
    """Say whether what an entry says of persons has to be looked at: who is outside, or which device it was."""
    return draft.role in DEVICES or draft.role is Role.GUEST or draft.action is Action.SHARE_CREATE


def _device(draft: Draft, said: dict[str, str]) -> str:
    """Return the AE title of the device that acted, or that somebody acted through."""
    name = said.get("subject", "") if draft.role in DEVICES else str(draft.facts.get("device", ""))
    return name.removeprefix(_OF_DEVICES)


def _recipient(draft: Draft, said: dict[str, str]) -> Recipient | None:
    elsewhere = draft.facts.get("from_institution")
    if elsewhere is not None:
        return Recipient(str(elsewhere), is_institution=True)
    if draft.role is Role.GUEST:
        return Recipient(said.get("subject", ""), is_institution=False)
    invited_from = said.get("institution", draft.institution) if draft.action is Action.SHARE_CREATE else None
    return None if invited_from in {None, draft.institution} else Recipient(str(invited_from), is_institution=True)


def _pictures(draft: Draft) -> int:
    counted = draft.facts.get("new", draft.facts.get("objects", 0))
    return counted if isinstance(counted, int) else 0
