"""Restoring a backup set into an empty place; what was forgotten since it was taken stays forgotten.

The database comes last and in one commit, so that whoever is interrupted calls again: what an interrupted restore
brought is known. Rows of studies whose keys have a tombstone go in that same commit: an older index would else bring
their descriptions back. The keys themselves, which an older snapshot of the vault brings back, are taken off the shelf
again before anything opens (`resurrection`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from pacs_secure.archive.backup_proof import ProveBackup
from pacs_secure.archive.backup_sets import abreast, digest_of_blob, objects_of, pieces
from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.backups import FileDigest, HeldObject, Manifest, Progress, Tally, read_files
from pacs_secure.core.errors import Conflict, NotFound, Tampered, Unavailable
from pacs_secure.crypto.tlog import Frontier, leaf_hash
from pacs_secure.ports import Blob, Blobs, Signer, Tombstones
from pacs_secure.ports.backups import BackupPlace, DatabaseBackups, Files

CHANGED = "the set changed after it was proven: somebody writes to it"
LEDGER = "ledger/"
"""Where in a set the published files lie that change."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of restoring a set."""

    manifest: Manifest
    forgotten: int
    """Studies of the set whose keys were forgotten since; they did not come back."""
    keys: int
    """Forgotten keys that were on the shelf again, and went again."""


@dataclass(frozen=True, slots=True)
class RestoreBackup:
    """The verb: fill an empty archive from a set."""

    guard: Guard
    proof: ProveBackup
    database: DatabaseBackups
    blobs: Blobs
    published: Files
    tombstones: Tombstones
    signer: Signer | None
    """Asked whether the vault is there: without it nothing can be put on record."""
    replay: Callable[[], int]
    """Takes every forgotten key off the shelf again; returns how many were back."""
    now: Callable[[], datetime]

    def restore(
        self,
        subject: Subject,
        purpose: Purpose | None,
        place: BackupPlace,
        name: str,
        *,
        details: dict[str, str],
        keep_objects: bool = False,
        progress: Progress = lambda _: None,
    ) -> Restored:
        """Fill the archive from a set, and put that on record in the ledger that came with it.

        ``keep_objects``: there may be objects already, of before or newer; what is missing is added to them.

        Raises:
            Conflict: something is there already; nothing was changed.
            Denied: the caller may not.
            NotFound: there is no such set.
            Tampered: the set is not what was signed, and nothing was changed; or it changed since it was proven,
                and no row was brought.
            Unavailable: something is out of reach, or a forgotten key is back that this process may not delete.
        """
        permit = self.guard.decide(AccessRequest(subject, Action.BACKUP_RESTORE, purpose, details=details))
        if not self.database.is_empty():
            raise Conflict("the database is not empty")
        with self._demand_sound(place, name, progress) as (manifest, proven):
            files = place.get(name)
            published = _published(files, manifest)
            self._demand_nothing_else(files, manifest, published, keep_objects=keep_objects)
            self._bring_objects(place, files, manifest, progress)
            self._publish(place, files, manifest, published)
            # The database without what was forgotten, and the very one that was proven: nobody else can reach it.
            gone = self.database.load_from(proven, self.tombstones.holds, progress, self.now())
        for object_id in gone.objects:
            self.blobs.remove(object_id)
        # On record, and forgotten keys off the shelf.
        told: dict[str, str | int] = {"set": name, "manifest": sha256(manifest.to_json()).hexdigest()}
        told |= {"studies": manifest.content.studies.count, "forgotten": gone.studies}
        self.guard.finish(permit, Outcome.COMPLETED, told)
        return Restored(manifest, gone.studies, self.replay())

    def _bring_objects(self, place: BackupPlace, files: Files, manifest: Manifest, progress: Progress) -> None:
        """Bring every object, each as it was proven, and demand that the list of them is the one that was."""
        frontier = Frontier()

        def bring(held: HeldObject) -> HeldObject:
            self._bring(place.objects, held)
            return held

        for held in abreast(bring, objects_of(files)):
            frontier.append(leaf_hash(held.line().encode()))
            progress(1)
        if Tally(frontier.size, frontier.root().hex()) != manifest.objects:
            raise Tampered(CHANGED)

    def _publish(self, place: BackupPlace, files: Files, manifest: Manifest, published: Sequence[FileDigest]) -> None:
        for said in published:
            self.published.write(said.name, _as_said(place.ledger, said))
        for said in manifest.ledger_files:
            self.published.write(said.name.removeprefix(LEDGER), _as_said(files, said))

    def _demand_nothing_else(
        self, files: Files, manifest: Manifest, published: Sequence[FileDigest], *, keep_objects: bool
    ) -> None:
        """Demand that nothing is there but what of this very set an interrupted restore has brought."""
        if next(self.published.names(), None) is not None:
            lately = (replace(one, name=one.name.removeprefix(LEDGER)) for one in manifest.ledger_files)
            brought = {one.name: one for one in (*published, *lately)}
            if any(brought.get(name) != self.published.digest(name) for name in self.published.names()):
                raise Conflict("another ledger is published there already")
        if not keep_objects and next(self.blobs.names(), None) is not None:
            held = {one.object_id for one in objects_of(files)}
            if any(stored.object_id not in held for stored in self.blobs.names()):
                raise Conflict("there are other objects already")

    def _bring(self, source: Blobs, held: HeldObject) -> None:
        """Have an object there as it lies in the set; one that is there and differs is a damaged one."""
        with suppress(NotFound), self.blobs.open(held.object_id) as there:
            if there.length == held.length and digest_of_blob(there) == held.sha256:
                return
        self.blobs.remove(held.object_id)
        with source.open(held.object_id) as blob:
            self.blobs.put(held.object_id, _proven_pieces(blob, held))

    @contextmanager
    def _demand_sound(
        self, place: BackupPlace, name: str, progress: Progress
    ) -> Iterator[tuple[Manifest, DatabaseBackups]]:
        if self.signer is None:
            raise Unavailable("this process was not given the role that signs")
        self.signer.public_key()
        with self.proof.restored(place, name, progress) as (proof, database):
            if proof.manifest is None or not proof.verdict.sound or database is None:
                raise Tampered("the set is not what was signed: verify it, it says what is damaged")
            yield proof.manifest, database


def _published(files: Files, manifest: Manifest) -> list[FileDigest]:
    """Return the list of published files, and demand that it is the one that was proven."""
    return list(read_files(_as_said(files, manifest.published).splitlines(keepends=True)))


def _as_said(files: Files, said: FileDigest) -> bytes:
    content = files.read(said.name)
    if sha256(content).hexdigest() != said.sha256:
        raise Tampered(CHANGED)
    return content


def _proven_pieces(blob: Blob, held: HeldObject) -> Iterator[bytes]:
    """Yield an object, and fail before it gets its name when it is not the one that was proven."""
    digest = sha256()
    yield from pieces(blob, digest)
    if digest.hexdigest() != held.sha256:
        raise Tampered(CHANGED)
