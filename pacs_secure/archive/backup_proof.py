"""Proving a backup set: every byte of it is what was signed, and an empty place filled from it is equal.

Whatever is damaged is named. Keys are proven where the shares are given that open the vault's snapshot.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from pacs_secure.archive.backup_sets import (
    abreast,
    digest_of_blob,
    note_proven,
    objects_of,
    open_manifest,
    published_of,
)
from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action, Purpose, Subject
from pacs_secure.core.audit import Finding, Outcome, Verdict
from pacs_secure.core.backups import OBJECTS, PUBLISHED, SNAPSHOT, HeldObject, Manifest, Progress, Tally
from pacs_secure.core.errors import ArchiveError, NotFound, Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.crypto.tlog import Frontier, leaf_hash, parse_checkpoint, verify_note
from pacs_secure.ports import Shelf, Snapshots, Tombstones
from pacs_secure.ports.backups import BackupPlace, DatabaseBackups, Files, Scratch, VaultTrial

MOST_FINDINGS = 100
_KEYS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Proof:
    """What proving a set showed."""

    verdict: Verdict
    manifest: Manifest | None
    """None: the manifest itself does not hold."""
    keys: int | None
    """How many keys opened from the vault's snapshot; None: nobody tried."""


class _Findings:
    """What is wrong, as much as anybody reads."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.checked = 0

    def say(self, place: str, problem: str) -> None:
        if len(self.found) < MOST_FINDINGS:
            self.found.append(Finding(place, None, problem))

    @contextmanager
    def of(self, place: str) -> Iterator[None]:
        """Say what does not hold; what is out of reach says nothing of what it holds."""
        try:
            yield
        except Unavailable:
            raise
        except ArchiveError as error:
            self.say(place, str(error))


@dataclass(frozen=True, slots=True)
class ProveBackup:
    """The verb: restore a set into an empty place and compare."""

    guard: Guard
    scratch: Scratch
    trial: VaultTrial | None
    """None: nobody gave the shares that open a snapshot of the vault."""
    snapshots: Snapshots
    tombstones: Tombstones
    origin: str
    public_key: Callable[[], bytes]
    now: Callable[[], datetime]

    def verify(
        self,
        subject: Subject,
        purpose: Purpose | None,
        place: BackupPlace,
        name: str,
        *,
        details: dict[str, str],
        progress: Progress = lambda _: None,
    ) -> Proof:
        """Compare every byte with what was signed, then the roots of what it restores to (INT-05).

        Raises:
            Denied: the caller may not.
            NotFound: there is no such set.
            Unavailable: something is out of reach; that says nothing of what it holds.
        """
        grant = self.guard.admit(AccessRequest(subject, Action.BACKUP_VERIFY, purpose, details=details))
        try:
            proof = self.prove(place, name, progress)
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        told: dict[str, str | int] = {"set": name, "checked": proof.verdict.checked}
        told |= {"findings": len(proof.verdict.findings), "keys": -1 if proof.keys is None else proof.keys}
        self.guard.finish(grant, Outcome.COMPLETED, told)
        if proof.verdict.sound:
            self._note_snapshot(proof)
            with suppress(Unavailable):  # the place may be one that nobody writes to any more
                note_proven(place.get(name), self.now())
        return proof

    def _note_snapshot(self, proof: Proof) -> None:
        """Tell the pool of keys which snapshot was restored: what was minted before it can be brought back."""
        if proof.manifest is not None and proof.manifest.vault is not None and proof.keys is not None:
            name = sha256(proof.manifest.name.encode()).digest()
            self.snapshots.add(proof.manifest.vault.taken_at, self.now(), name)

    def prove(self, place: BackupPlace, name: str, progress: Progress = lambda _: None) -> Proof:
        """Compare, and record nothing."""
        with self.restored(place, name, progress) as (proof, _):
            return proof

    @contextmanager
    def restored(
        self, place: BackupPlace, name: str, progress: Progress = lambda _: None
    ) -> Iterator[tuple[Proof, DatabaseBackups | None]]:
        """Lend the database that was compared with what it showed: for restoring, whose own act is on record."""
        with ExitStack() as scratch:
            yield self._prove(place, name, progress, scratch)

    def _prove(
        self, place: BackupPlace, name: str, progress: Progress, scratch: ExitStack
    ) -> tuple[Proof, DatabaseBackups | None]:
        files, findings = place.get(name), _Findings()
        try:
            manifest = open_manifest(files, self.origin, self.public_key())
        except Tampered as error:
            return Proof(Verdict(0, (Finding("manifest", None, str(error)),)), None, None), None
        if manifest.name != name:
            findings.say("manifest", "it is another set's")
        bad = _compare_files(files, manifest, self.now(), findings)
        if OBJECTS not in bad:
            _compare_objects(place, files, manifest, findings, progress)
        if PUBLISHED not in bad:
            _compare_published(place, files, findings)
        keys, database = None, None
        if not any(name.startswith("database/") for name in bad):
            with findings.of("database"):
                database = scratch.enter_context(self.scratch.restored(files.path("database"), progress))
                keys = self._compare_content(files, manifest, database, findings, progress)
        return Proof(Verdict(findings.checked, tuple(findings.found)), manifest, keys), database

    def _compare_content(
        self, files: Files, manifest: Manifest, database: DatabaseBackups, findings: _Findings, progress: Progress
    ) -> int | None:
        there, said = database.content(progress), manifest.content
        for name in said.differences(there):
            findings.say("database", f"the table {name} does not restore to what it was")
        if said.ledger != there.ledger:
            findings.say("ledger", "it does not restore to the root that it had")
        with findings.of("object"):
            _compare_named(database, files)
        with findings.of("checkpoint"):
            self._compare_checkpoint(files, manifest, database)
        findings.checked += sum(tally.count for tally in there.tables.values())
        return None if findings.found else self._open_keys(files, manifest, database, findings)

    def _compare_checkpoint(self, files: Files, manifest: Manifest, database: DatabaseBackups) -> None:
        """Demand that the published checkpoint is signed, and of this very ledger."""
        if "ledger/checkpoint" not in {one.name for one in manifest.ledger_files}:
            return
        note = files.read("ledger/checkpoint")
        verify_note(note, self.origin, self.public_key())
        head = parse_checkpoint(note)
        if database.ledger(head.size) != Tally(head.size, head.root.hex()):
            raise Tampered("the published checkpoint is not of this ledger")

    def _open_keys(
        self, files: Files, manifest: Manifest, database: DatabaseBackups, findings: _Findings
    ) -> int | None:
        """Restore the vault's snapshot and bring back every key that the database names, but the forgotten ones."""
        if self.trial is None or manifest.vault is None or _gone_in_time(files, manifest, self.now()):
            return None
        opened = 0
        with findings.of("vault"), self.trial.restored(files.path(SNAPSHOT)) as unwrapper:
            for (institution, shelf), some in _by_place(database).items():
                for start in range(0, len(some), _KEYS_AT_ONCE):
                    asked = some[start : start + _KEYS_AT_ONCE]
                    found = unwrapper.fetch(institution, shelf, asked)
                    opened += len(found)
                    for key_id in asked:
                        if key_id not in found and not self.tombstones.holds(institution, shelf, key_id):
                            findings.say("vault", f"the snapshot lacks a key that the database names: {shelf} {key_id}")
        return None if findings.found else opened


def _gone_in_time(files: Files, manifest: Manifest, now: datetime) -> bool:
    """Say whether the snapshot of the vault is past its time and was pruned."""
    vault = manifest.vault
    return vault is not None and vault.expires_at <= now and SNAPSHOT not in files.names()


def _compare_files(files: Files, manifest: Manifest, now: datetime, findings: _Findings) -> set[str]:
    """Hold the set's own files against what was signed; return the names of those that do not hold."""
    bad: set[str] = set()
    for said in manifest.files():
        if said.name == SNAPSHOT and _gone_in_time(files, manifest, now):
            continue
        findings.checked += 1
        try:
            problem = "" if files.digest(said.name) == said else "is not what was written"
        except NotFound:
            problem = "is missing"
        if problem:
            findings.say("file", f"{said.name} {problem}")
            bad.add(said.name)
    return bad


def _compare_objects(
    place: BackupPlace, files: Files, manifest: Manifest, findings: _Findings, progress: Progress
) -> None:
    """Read every object that the set refers to."""
    frontier = Frontier()

    def problem(said: HeldObject) -> str:
        try:
            with place.objects.open(said.object_id) as blob:
                sound = blob.length == said.length and digest_of_blob(blob) == said.sha256
        except NotFound:
            return "is missing"
        return "" if sound else "is not what was copied"

    for said, found in abreast(lambda said: (said, problem(said)), objects_of(files)):
        frontier.append(leaf_hash(said.line().encode()))
        findings.checked += 1
        progress(1)
        if found:
            findings.say("object", f"{said.object_id} {found}")
    if Tally(frontier.size, frontier.root().hex()) != manifest.objects:
        findings.say("object", "the list of objects has another root than was signed")


def _compare_published(place: BackupPlace, files: Files, findings: _Findings) -> None:
    for said in published_of(files):
        findings.checked += 1
        try:
            if place.ledger.digest(said.name) != said:
                findings.say("ledger", f"{said.name} is not what was published")
        except NotFound:
            findings.say("ledger", f"{said.name} is missing")


def _compare_named(database: DatabaseBackups, files: Files) -> None:
    """Demand that rows and list name the same objects, of the same lengths."""
    listed = objects_of(files)
    for named in database.named_objects():
        one = next(listed, None)
        if one is None or (one.object_id, one.length) != (named.object_id, named.length):
            raise Tampered("rows and objects of the set do not name each other")
    if next(listed, None) is not None:
        raise Tampered("the set holds objects that no row names")


def _by_place(database: DatabaseBackups) -> dict[tuple[Institution, Shelf], list[KeyId]]:
    found: defaultdict[tuple[Institution, Shelf], list[KeyId]] = defaultdict(list)
    for institution, shelf, key_id in database.named_keys():
        found[institution, shelf].append(key_id)
    return found
