"""Verifying: the ledger against itself and against what was published, the objects against the index.

The verifier inside the house is for the quiet night; the stand-alone `pacs-audit-verify` trusts
neither this code nor its database.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from itertools import chain, islice
from typing import TypeVar

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.ledger_check import MOST_FINDINGS, LedgerCheck
from pacs_secure.archive.ledger_walk import LedgerWalk, Progress
from pacs_secure.archive.proofs import demand_study, demand_tie
from pacs_secure.archive.seals import Opener
from pacs_secure.archive.writer_check import WriterCheck
from pacs_secure.core.access import AccessRequest, Action, Grant, Subject
from pacs_secure.core.audit import Finding, Outcome, Verdict
from pacs_secure.core.errors import ArchiveError, Malformed, NotFound, Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId
from pacs_secure.core.instance import InstanceRow
from pacs_secure.crypto.index_seal import IndexSeal
from pacs_secure.ports import Blobs, KeyUnwrapper, Ledger, Publisher, Records, Retention, Shelf, Ties

DEAD_AFTER = timedelta(days=1)
"""Ciphertext that no row names is swept when older: a crash left it, nobody was told Success."""

_OLDEST_YEAR = 1970

MOST_DEAD = 100
"""Objects that crashes leave in a day at most; more without a row means that the index is old, or another one."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verify:
    """The verb: say whether everything still is what it was."""

    guard: Guard
    records: Records
    ties: Ties
    ledger: Ledger
    publisher: Publisher
    retention: Retention
    blobs: Blobs
    opener: Opener
    seals: InstitutionSeals
    home: Institution
    unwrapper: KeyUnwrapper
    origin: str
    public_key: Callable[[], bytes]
    now: Callable[[], datetime]

    def check_ledger(
        self, subject: Subject, progress: Progress = lambda _: None, since: datetime | None = None
    ) -> Verdict:
        """Verify chain, writers, tree and every checkpoint; the reading is itself recorded first.

        Every finding names the position it concerns, the first one of each divergence. ``since`` leaves out
        what is older, as far as the next checkpoint proves it.

        Raises:
            Malformed: no ledger is as old as that.
        """
        if since is not None and since.year < _OLDEST_YEAR:
            raise Malformed(f"there is no ledger from before {_OLDEST_YEAR}")
        told = {} if since is None else {"since": since.isoformat()}
        grant = self.guard.admit(AccessRequest(subject, Action.LEDGER_VERIFY, None, details=told))
        with self._recorded(grant):
            check = self.new_check(from_the_start=since is None)
            if since is not None:
                self.walk.begin_since(check, since)
            begun = check.position
            size = self.walk.take(check, progress)
            facts = {"signatures": "verified" if check.signatures else "not verified: the vault is away"}
            return self._finish(grant, Verdict(size - begun, tuple(check.findings)), facts)

    def new_check(self, *, from_the_start: bool = True) -> LedgerCheck:
        """Return a check that has seen nothing yet, for whoever reads the ledger under a grant of their own."""
        writers = WriterCheck(self.writer_key, from_the_start=from_the_start)
        return LedgerCheck(self.origin, self.public_key(), writers)

    def informed_check(self) -> LedgerCheck:
        """Return a check that knows what was signed and has seen no entry; the size is asked for after it."""
        check = self.new_check()
        self.walk.learn(check)
        return check

    @property
    def walk(self) -> LedgerWalk:
        """Return the way along the ledger."""
        return LedgerWalk(self.ledger, self.publisher, self.retention)

    def writer_key(self, writer: KeyId) -> bytes | None:
        """Return the first key of a writer, None when the shelf has none; raise `Unavailable` without the vault."""
        found = self.unwrapper.fetch(self.home, Shelf.WRITER, [writer]).get(writer)
        return None if found is None else found.key

    def check_archive(self, subject: Subject, *, deep: bool, progress: Progress = lambda _: None) -> Verdict:
        """Verify that every row has its object; ``deep``: that each object opens, and that every fact has its proof.

        Objects that no row names and that are older than a day are swept, unless they are so many
        that the index must be an old one, or another archive's: then that is the finding.

        Raises:
            Unavailable: keys, index or store are out of reach; that says nothing of what they hold.
        """
        request = AccessRequest(subject, Action.ARCHIVE_VERIFY, None, details={"deep": str(deep).lower()})
        grant = self.guard.admit(request)
        findings: list[Finding] = []
        named: set[ObjectId] = set()
        checked = 0
        with self._recorded(grant):
            for row in self.records.every_instance(grant):
                named.add(row.sealed.object_id)
                checked += 1
                progress(1)
                problem = self._check_object(grant, row, deep=deep)
                if problem is not None and len(findings) < MOST_FINDINGS:
                    findings.append(Finding("object", None, f"{row.sealed.object_id}: {problem}"))
            if deep:
                findings += self._check_facts(grant)
            dead = self._dead(named)
            if len(dead) > min(MOST_DEAD, checked):
                problem = f"no row names {len(dead)} objects: the index is not theirs, nothing was swept"
                findings.append(Finding("index", None, problem))
                dead = []
            for object_id in dead:
                self.blobs.remove(object_id)
            return self._finish(grant, Verdict(checked, tuple(findings)), {"swept": len(dead)})

    def _check_object(self, grant: Grant, row: InstanceRow, *, deep: bool) -> str | None:
        try:
            if deep:
                digest = self.opener.prove(grant, row)
                fingerprint = self.seals.index(row.identity.institution).fingerprint(digest)
                if not compare_digest(fingerprint, row.data_set_fingerprint):
                    return "its Data Set is not the one that was received"
            else:
                with self.blobs.open(row.sealed.object_id) as blob:
                    if blob.length != row.sealed.stored_length:
                        return "its length changed"
        except Unavailable:
            raise
        except NotFound:
            return "it is missing, or its key was forgotten"
        except ArchiveError as error:
            return str(error)
        return None

    def _check_facts(self, grant: Grant) -> list[Finding]:
        """Find studies and ties whose proof does not hold: what decisions would refuse to rest on."""
        studies = (
            (f"study {stored.facts.alias}", self._unproven(demand_study, stored.facts.institution, stored))
            for stored in self.records.every_study(grant)
        )
        ties = (
            (f"tie {tie.tie_id}", self._unproven(demand_tie, tie.institution, tie)) for tie in self.ties.every(grant)
        )
        found = (Finding("facts", None, f"{what}: {problem}") for what, problem in chain(studies, ties) if problem)
        return list(islice(found, MOST_FINDINGS))

    def _unproven(self, demand: Callable[[IndexSeal, T], object], of: Institution, kept: T) -> str:
        """Return why a proof does not hold, or ""."""
        try:
            demand(self.seals.index(of), kept)
        except Tampered as error:
            return str(error)
        return ""

    def _dead(self, named: set[ObjectId]) -> list[ObjectId]:
        return [
            stored.object_id
            for stored in self.blobs.names()
            if stored.object_id not in named and self.now() - stored.written_at > DEAD_AFTER
        ]

    @contextmanager
    def _recorded(self, grant: Grant) -> Iterator[None]:
        """Record that a verification failed before it came to a verdict."""
        try:
            yield
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise

    def _finish(self, grant: Grant, verdict: Verdict, facts: Mapping[str, str | int]) -> Verdict:
        counts = {"checked": verdict.checked, "findings": len(verdict.findings)}
        self.guard.finish(grant, Outcome.COMPLETED, {**counts, **facts})
        return verdict
