"""Verifying: the ledger against itself and against what was published, the objects against the index.

The verifier inside the house is for the quiet night; the stand-alone `pacs-audit-verify` trusts
neither this code nor its database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.seals import Opener
from pacs_secure.core.access import AccessRequest, Action, Grant, Subject
from pacs_secure.core.audit import Finding, LedgerEntry, Outcome, Verdict
from pacs_secure.core.errors import ArchiveError, NotFound
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.core.instance import InstanceRow
from pacs_secure.crypto.tlog import Frontier, leaf_hash, parse_checkpoint, parse_entry, verify_note
from pacs_secure.ports import Blobs, Ledger, Publisher, Records

MOST_FINDINGS = 100
DEAD_AFTER = timedelta(days=1)
"""Ciphertext that no row names is swept when older: a crash left it, nobody was told Success."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Verify:
    """The verb: say whether everything still is what it was."""

    guard: Guard
    records: Records
    ledger: Ledger
    publisher: Publisher
    blobs: Blobs
    opener: Opener
    origin: str
    public_key: Callable[[], bytes]
    now: Callable[[], datetime]

    def check_ledger(self, subject: Subject, progress: Progress = lambda _: None) -> Verdict:
        """Verify chain, tree and every checkpoint; the reading is itself recorded first.

        Every finding names the position it concerns.
        """
        grant = self.guard.admit(AccessRequest(subject, Action.LEDGER_VERIFY, None))
        check = _LedgerCheck(self.origin, self.public_key())
        size = self.ledger.size()
        check.published(self.publisher.checkpoint())
        for note in self.ledger.checkpoints():
            check.kept(note)
        published = self.publisher.leaf_hashes(0, check.published_size)
        for entry in self.ledger.entries(0, size):
            check.entry(entry, next(published, None))
            progress(1)
        check.end(size)
        return self._finish(grant, Verdict(size, tuple(check.findings[:MOST_FINDINGS])))

    def check_archive(self, subject: Subject, *, deep: bool, progress: Progress = lambda _: None) -> Verdict:
        """Verify that every row has its object, and with ``deep`` that every object opens to what was received.

        Objects that no row names and that are older than a day are swept.
        """
        request = AccessRequest(subject, Action.ARCHIVE_VERIFY, None, details={"deep": str(deep).lower()})
        grant = self.guard.admit(request)
        findings: list[Finding] = []
        named: set[ObjectId] = set()
        checked = 0
        for row in self.records.every_instance(grant):
            named.add(row.sealed.object_id)
            checked += 1
            progress(1)
            problem = self._check_object(grant, row, deep=deep)
            if problem is not None:
                findings.append(Finding("object", None, f"{row.sealed.object_id}: {problem}"))
        self._sweep(named)
        return self._finish(grant, Verdict(checked, tuple(findings[:MOST_FINDINGS])))

    def _check_object(self, grant: Grant, row: InstanceRow, *, deep: bool) -> str | None:
        try:
            if deep:
                self.opener.prove(grant, row)
            else:
                with self.blobs.open(row.sealed.object_id) as blob:
                    if blob.length != row.sealed.stored_length:
                        return "its length changed"
        except NotFound:
            return "it is missing, or its key was forgotten"
        except ArchiveError as error:
            return str(error)
        return None

    def _sweep(self, named: set[ObjectId]) -> None:
        for stored in self.blobs.names():
            if stored.object_id not in named and self.now() - stored.written_at > DEAD_AFTER:
                self.blobs.remove(stored.object_id)

    def _finish(self, grant: Grant, verdict: Verdict) -> Verdict:
        self.guard.finish(grant, Outcome.COMPLETED, {"checked": verdict.checked, "findings": len(verdict.findings)})
        return verdict


class _LedgerCheck:
    """Walks the ledger once and collects what is wrong with it."""

    def __init__(self, origin: str, public_key: bytes) -> None:
        self.findings: list[Finding] = []
        self.published_size = 0
        self._origin = origin
        self._public_key = public_key
        self._roots: dict[int, bytes] = {}
        self._frontier = Frontier()
        self._prev = bytes(32)

    def published(self, note: bytes | None) -> None:
        """Take the newest published checkpoint."""
        if note is not None and self.kept(note):
            self.published_size = parse_checkpoint(note).size

    def kept(self, note: bytes) -> bool:
        """Take one checkpoint; say whether its signature holds."""
        try:
            verify_note(note, self._origin, self._public_key)
            checkpoint = parse_checkpoint(note)
        except ArchiveError as error:
            self._find("checkpoint", None, str(error))
            return False
        known = self._roots.setdefault(checkpoint.size, checkpoint.root)
        if known != checkpoint.root:
            self._find("checkpoint", checkpoint.size, "two checkpoints of this size have different roots: a fork")
        return True

    def entry(self, entry: LedgerEntry, published_leaf: bytes | None) -> None:
        """Take the next entry in order."""
        position = self._frontier.size
        actual = leaf_hash(entry.content)
        if entry.index != position:
            self._find("chain", position, f"the entry here carries index {entry.index}")
        if actual != entry.leaf_hash:
            self._find("entry", position, "the entry does not match its leaf hash")
        elif entry.prev_hash != self._prev or not _says(entry, position):
            self._find("chain", position, "the entry does not continue the one before it")
        if published_leaf is not None and published_leaf != actual:
            self._find("tree", position, "the entry is not the one that was published")
        self._prev = entry.leaf_hash
        self._frontier.append(actual)
        expected = self._roots.get(self._frontier.size)
        if expected is not None and expected != self._frontier.root():
            self._find("checkpoint", self._frontier.size, "the tree has another root than was signed at this size")

    def end(self, size: int) -> None:
        """Compare the end with what was signed."""
        signed = max(self._roots, default=0)
        if signed > size:
            self._find("tree", size, f"{signed - size} entries that a checkpoint covers are missing")

    def _find(self, place: str, position: int | None, problem: str) -> None:
        self.findings.append(Finding(place, position, problem))


def _says(entry: LedgerEntry, position: int) -> bool:
    """Whether the entry's own bytes carry its place and its predecessor."""
    try:
        content = parse_entry(entry.content)
    except ArchiveError:
        return False
    return content.get("index") == position and content.get("prev") == entry.prev_hash.hex()
