"""Rebuilding: a lost index made anew from objects and vault alone, and the ledger from what was published of it.

The order of steps:

1. begin     in an empty database, or where an earlier run stopped
2. ledger    back as it was published, proven by its signed root; what was not published is missing, and said so
3. keys      each institution's own, found by what the ledger proves, so that pseudonyms go on
4. admit     decided and on record, behind the last entry that was taken back
5. adopt     object by object, oldest first: label and DEK open under the study key, the Data Set is what the label
             says, and index row and entry share a commit
6. finish    only now may the archive open its doors

What neither objects nor vault say falls to the safer side: every study is restricted, in no department, until an
officer has looked (GDPR 18). An object that does not open is a finding, and stays where it is; so does one that a
crash left of a study which the ledger says was forgotten.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from pacs_secure.archive.adoption import Adoption
from pacs_secure.archive.forgotten_studies import ForgottenStudies
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institution_recovery import InstitutionRecovery
from pacs_secure.archive.ledger_check import MOST_FINDINGS
from pacs_secure.archive.ledger_recovery import LedgerRecovery
from pacs_secure.archive.ledger_walk import Progress
from pacs_secure.archive.proofs import of_study
from pacs_secure.core.access import AccessRequest, Action, Grant, Permit, StudyFacts, Subject
from pacs_secure.core.audit import Draft, Finding, Outcome, Pace, Verdict
from pacs_secure.core.errors import ArchiveError, NotFound, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.rebuilding import Seen
from pacs_secure.ports import Added, Blobs, KeyList, KeyUnwrapper, Patients, Rebuilds, Records, Shelf

AT_ONCE = 200
MOST_ACTS = 1000
"""Studies whose act is remembered; one that comes again later is said to be rebuilt again."""

Watch = Callable[[Seen], object]
Study = tuple[Institution, Uid]


@dataclass(slots=True)
class _Run:
    """What one run has seen and done so far."""

    subject: Subject
    grant: Grant
    begun: float
    forgotten: ForgottenStudies
    findings: list[Finding] = field(default_factory=list)
    shelves: dict[Institution, frozenset[KeyId]] = field(default_factory=dict)
    acts: dict[Study, Permit] = field(default_factory=dict)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("adopted", "known", "duplicates", "keyless", "wanting", "studies"), 0)
    )
    octets: int = 0

    def found(self, object_id: ObjectId, problem: str) -> None:
        self.counts["wanting"] += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding("object", None, f"{object_id}: {problem}"))

    @property
    def objects(self) -> int:
        counts = self.counts
        return sum(counts[name] for name in ("adopted", "known", "duplicates", "keyless", "wanting"))


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The verb: make a lost index anew."""

    guard: Guard
    records: Records
    patients: Patients
    stores: Sequence[Blobs]
    """The second behind the first, where there is one."""
    rebuilds: Rebuilds
    adoption: Adoption
    ledger: LedgerRecovery
    institutions: InstitutionRecovery
    keys: KeyList | None
    unwrapper: KeyUnwrapper
    home: Institution
    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    def run(self, subject: Subject, watch: Watch = lambda _: None, entries: Progress = lambda _: None) -> Verdict:
        """Rebuild index and ledger; run again, it goes on where it stopped.

        Raises:
            Conflict: the database is not empty, and no rebuild of it is under way.
            Denied: the subject may not do this.
            Tampered: what was published of the ledger is not what was signed.
            Unavailable: something is out of reach; what was done until then stays.
        """
        request = AccessRequest(subject, Action.ARCHIVE_REBUILD, None)
        if not self.guard.judge(request).allowed:
            self.guard.decide(request)  # which records the refusal and raises
        # 1 begin
        self.rebuilds.begin(self.now())
        # 2 ledger
        taken = self.ledger.take_back(entries)
        # 3 keys
        known = [self.institutions.settle(of) for of in sorted(self._known_institutions())]
        # 4 admit
        forgotten = ForgottenStudies(self.ledger.entries(), self.adoption.seals.index)
        run = _Run(subject, self.guard.admit(request), self.monotonic(), forgotten)
        try:
            # 5 adopt
            self._adopt_all(run, watch)
            # 6 finish
            self.rebuilds.finish(self.now())
        except ArchiveError as error:
            self.guard.finish_later(run.grant, Outcome.FAILED, {"error": type(error).__name__, **run.counts})
            raise
        told = {**run.counts, "entries": taken, "pseudonyms": "go on" if all(known) else "begin anew"}
        self.guard.finish(run.grant, Outcome.COMPLETED, told)
        pace = Pace(run.objects, run.octets, self.monotonic() - run.begun)
        return Verdict(run.objects, tuple(run.findings), pace, told)

    def _known_institutions(self) -> frozenset[Institution]:
        listed = frozenset() if self.keys is None else self.keys.institutions(Shelf.STUDY)
        return listed | {self.home}

    def _adopt_all(self, run: _Run, watch: Watch) -> None:
        # Oldest first: the first instance of a study decides its columns, as it did when it came.
        names = sorted({stored.object_id for blobs in self.stores for stored in blobs.names()})
        for some in _batches(names):
            there = self.records.naming_objects(some)
            for object_id in some:
                if object_id in there:
                    run.counts["known"] += 1
                else:
                    self._adopt(run, object_id)
                watch(Seen(run.objects, len(names), run.octets, self.monotonic() - run.begun))

    def _adopt(self, run: _Run, object_id: ObjectId) -> None:
        recoverer = self.adoption.recoverer
        try:
            of = self._institution_of(run, recoverer.key_of(run.grant, object_id))
            if of is None:
                run.counts["keyless"] += 1
                return
            recovered = recoverer.open(run.grant, of, object_id)
            run.octets += recovered.sealed.stored_length
            if run.forgotten.had(of, recovered.identity.study_instance_uid, object_id):
                run.found(object_id, "its study was forgotten: it stays out of the index")
                return
            permit, new = self._permit(run, (of, recovered.identity.study_instance_uid))
            indexed = self.adoption.row_of(recovered, permit.act)
            if new:
                self.guard.prepare(of, self.patients.of_token(of, indexed.study.patient_token))
            added = self.records.add(permit, indexed, self._say(permit) if new else None, self._prove)
        except Unavailable:
            raise
        except NotFound:
            run.counts["keyless"] += 1
        except ArchiveError as error:
            run.found(object_id, str(error))
        else:
            run.acts[of, recovered.identity.study_instance_uid] = permit
            run.counts["studies"] += new
            run.counts["adopted" if added is Added.NEW else "duplicates"] += 1

    def _institution_of(self, run: _Run, key_id: KeyId) -> Institution | None:
        """Return on whose shelf a key lies, None when on nobody's: it was forgotten, or never was the archive's."""
        if self.keys is None:
            return self.home if self.unwrapper.fetch(self.home, Shelf.STUDY, [key_id]) else None
        if not run.shelves:
            run.shelves |= {of: self.keys.listed(of, Shelf.STUDY) for of in self._known_institutions()}
        return next((of for of, listed in run.shelves.items() if key_id in listed), None)

    def _permit(self, run: _Run, study: Study) -> tuple[Permit, bool]:
        """Return the permit of a study's own act, and whether that is still to be recorded."""
        known = run.acts.get(study)
        if known is not None:
            return known, False
        if len(run.acts) >= MOST_ACTS:
            run.acts.clear()
        subject = replace(run.subject, institution=study[0])
        return self.guard.decide(AccessRequest(subject, Action.ARCHIVE_REBUILD, None)), True

    def _say(self, permit: Permit) -> Callable[[StudyFacts], Draft]:
        told = {"rebuilt": "restricted until an officer has looked"}
        return lambda facts: self.guard.draft(permit, Outcome.COMPLETED, told, facts)

    def _prove(self, facts: StudyFacts) -> bytes:
        return of_study(self.adoption.seals.index(facts.institution), facts)


def _batches(names: list[ObjectId]) -> Iterator[list[ObjectId]]:
    rest = iter(names)
    while some := list(islice(rest, AT_ONCE)):
        yield some
