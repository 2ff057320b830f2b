"""Backing up: a consistent set of database, objects, published ledger and vault, signed, and pruned in its time.

What is published of the ledger is read first, then the database as one moment sees it, then the objects
that its rows name, then the vault: so the ledger continues what is published, no row names an object
that the set lacks, and no row a key that the snapshot lacks. Everything in a set is ciphertext or names nobody.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from tempfile import TemporaryFile
from typing import BinaryIO
from uuid import UUID

from pacs_secure import __version__
from pacs_secure.archive.backup_pruning import Pruned, prune
from pacs_secure.archive.backup_sets import (
    PUBLISHED_LATELY,
    Held,
    abreast,
    copied,
    held_before,
    name_of,
    seal_manifest,
)
from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.backups import (
    OBJECTS,
    PUBLISHED,
    SNAPSHOT,
    Content,
    FileDigest,
    HeldObject,
    Manifest,
    NamedObject,
    Progress,
    Tally,
    VaultSnapshot,
)
from pacs_secure.core.errors import ArchiveError, NotFound, Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, ObjectId
from pacs_secure.crypto.tlog import Frontier, leaf_hash
from pacs_secure.ports import Blobs, Signer
from pacs_secure.ports.backups import BackupPlace, DatabaseBackups, Files, VaultSnapshots

ATTEMPTS = 3
"""Moments of the database that are tried: objects of an erased study may go while a set is taken."""
_NAMED = 24
"""Bytes that an object is noted in: id and length."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long; together the published horizon of an erasure (GDPR 17)."""

    sets: timedelta = timedelta(days=30)
    """Until then a set's index tells, sealed, of studies that were erased since."""
    vault: timedelta = timedelta(days=14)
    """Until then a vault snapshot holds keys that were forgotten since."""

    @property
    def horizon(self) -> timedelta:
        """Return after which time nothing of what was erased is in any backup."""
        return max(self.sets, self.vault)


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking a set."""

    manifest: Manifest
    copied: int
    """Objects that no set before had."""
    pruned: Pruned

    def told(self) -> dict[str, str | int]:
        """Return what the ledger says of it."""
        manifest = self.manifest
        return {
            "set": manifest.name,
            "manifest": sha256(manifest.to_json()).hexdigest(),
            "studies": manifest.content.studies.count,
            "objects": manifest.objects.count,
            "copied": self.copied,
            "bytes": manifest.objects_bytes,
            "pruned": self.pruned.sets,
            "vault": "yes" if manifest.vault else "no",
        }


@dataclass(frozen=True, slots=True)
class Backup:
    """The verb: take a set."""

    guard: Guard
    database: DatabaseBackups
    blobs: Blobs
    published: Files
    """The directory that the ledger is published to."""
    vault: VaultSnapshots | None
    """None: this process may take no snapshot of the vault; sets are without."""
    signer: Signer | None
    origin: str
    home: Institution
    keeping: Keeping
    now: Callable[[], datetime]

    def create(
        self,
        subject: Subject,
        purpose: Purpose | None,
        place: BackupPlace,
        *,
        details: dict[str, str],
        then_prune: bool = True,
        progress: Progress = lambda _: None,
    ) -> Taken:
        """Take a set and prune what is past its time; a set that is not whole never gets its name.

        ``then_prune``: not where the set is proven first, by whoever calls `prune` afterwards.

        Raises:
            Denied: the caller may not.
            Tampered: a row names an object that is missing or has another length.
            Unavailable: something is out of reach or full, another backup is under way, or this process may not sign.
        """
        permit = self.guard.decide(AccessRequest(subject, Action.BACKUP_CREATE, purpose, details=details))
        grant = self.guard.grant(permit, 0)
        try:
            signer = self._demand_signer()
            with place.locked():
                manifest, new = self._take(place, signer, progress)
                taken = Taken(manifest, new, self._prune(place, signer) if then_prune else Pruned())
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish(permit, Outcome.COMPLETED, taken.told())
        return taken

    def prune(
        self, subject: Subject, purpose: Purpose | None, place: BackupPlace, *, details: dict[str, str]
    ) -> Pruned:
        """Remove what is past its time, and put on record when something was; raises as `create` does."""
        permit = self.guard.decide(AccessRequest(subject, Action.BACKUP_CREATE, purpose, details=details))
        signer = self._demand_signer()
        with place.locked():
            pruned = self._prune(place, signer)
        if pruned != Pruned():
            self.guard.finish(permit, Outcome.COMPLETED, pruned.told())
        return pruned

    def _prune(self, place: BackupPlace, signer: Signer) -> Pruned:
        return prune(place, self.now(), self.origin, signer.public_key())

    def _demand_signer(self) -> Signer:
        if self.signer is None:
            raise Unavailable("this process was not given the role that signs backup sets")
        return self.signer

    def _take(self, place: BackupPlace, signer: Signer, progress: Progress) -> tuple[Manifest, int]:
        began = self.now()
        name = name_of(began)
        files = place.begin(name)
        changing, published = self._copy_published(place, files, signer)
        content, objects, size, new = self._copy_data(place, files, signer, progress)
        vault = self._snapshot(files)
        manifest = Manifest(
            name=name,
            taken_at=began,
            archive=__version__,
            institution=self.home,
            origin=self.origin,
            content=content,
            database=tuple(files.digest(one) for one in files.names() if one.startswith("database/")),
            objects=objects,
            objects_bytes=size,
            objects_list=files.digest(OBJECTS),
            published=published,
            ledger_files=tuple(changing),
            expires_at=began + self.keeping.sets,
            vault=vault,
        )
        seal_manifest(files, manifest, signer)
        place.finish(name)
        return manifest, new

    def _copy_published(self, place: BackupPlace, files: Files, signer: Signer) -> tuple[list[FileDigest], FileDigest]:
        """Copy what is published of the ledger: what may change into the set, what never does beside it, once."""
        changing = []
        for name in PUBLISHED_LATELY:
            try:
                changing.append(files.write(f"ledger/{name}", self.published.read(name)))
            except NotFound:
                continue
        before = held_before(place, self.origin, signer.public_key()).published
        settled = (name for name in self.published.names() if name not in PUBLISHED_LATELY)
        copied_files = (self._copy_file(place, name, before) for name in settled)
        lines = [one.line() for one in copied_files if one is not None]
        return changing, files.write(PUBLISHED, "".join(lines).encode())

    def _copy_file(self, place: BackupPlace, name: str, before: dict[str, FileDigest]) -> FileDigest | None:
        known = before.get(name)
        try:
            if known is not None and place.ledger.length(name) == known.length:
                return known
        except NotFound:
            pass  # it is written again
        try:
            return place.ledger.write(name, self.published.read(name))
        except NotFound:
            return None  # a partial tile went when the full one came, which the newest checkpoint does not need

    def _copy_data(
        self, place: BackupPlace, files: Files, signer: Signer, progress: Progress
    ) -> tuple[Content, Tally, int, int]:
        """Copy the database and every object that its rows name; when one has gone meanwhile, of another moment."""
        for _ in range(ATTEMPTS):
            for name in list(files.names()):
                if name.startswith("database/"):
                    files.remove(name)
            try:
                with TemporaryFile() as named:
                    folder = files.path("database/any").parent
                    content = self.database.export(folder, partial(_note, named), progress)
                    return content, *self._copy_objects(place, files, named, signer, progress)
            except NotFound:
                continue
            except OSError:
                raise Unavailable("there is no room for temporary files") from None
        raise Tampered("a row names an object that is missing: verify the archive")

    def _copy_objects(
        self, place: BackupPlace, files: Files, named: BinaryIO, signer: Signer, progress: Progress
    ) -> tuple[Tally, int, int]:
        frontier, size, new = Frontier(), 0, 0
        before = held_before(place, self.origin, signer.public_key())

        def copy(one: tuple[NamedObject, HeldObject | None]) -> tuple[HeldObject, bool]:
            return copied(self.blobs, place.objects, *one)

        with files.writing(OBJECTS) as listed:
            for held, fresh in abreast(copy, _with_known(named, before)):
                listed.write(held.line().encode())
                frontier.append(leaf_hash(held.line().encode()))
                size, new = size + held.length, new + fresh
                progress(1)
        return Tally(frontier.size, frontier.root().hex()), size, new

    def _snapshot(self, files: Files) -> VaultSnapshot | None:
        if self.vault is None:
            return None
        began = self.now()
        self.vault.take(files.path(SNAPSHOT))
        return VaultSnapshot(files.digest(SNAPSHOT), began, began + self.keeping.vault)


def _with_known(named: BinaryIO, before: Held) -> Iterator[tuple[NamedObject, HeldObject | None]]:
    """Yield each object that a row names with what the set before says of it; both are in the order of their ids."""
    named.seek(0)
    held = before.objects()
    old = next(held, None)
    while note := named.read(_NAMED):
        one = NamedObject(ObjectId(UUID(bytes=note[:16])), int.from_bytes(note[16:], "big"))
        while old is not None and old.object_id < one.object_id:
            old = next(held, None)
        yield one, old if old is not None and old.object_id == one.object_id else None


def _note(to: BinaryIO, one: NamedObject) -> None:
    to.write(one.object_id.bytes + one.length.to_bytes(_NAMED - 16, "big"))
