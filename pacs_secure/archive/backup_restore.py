"""Restoring a backup set into an empty place; what was forgotten since it was taken stays forgotten.

The database comes last and in one commit, so that whoever is interrupted calls again: what an interrupted restore
brought is known. Rows of studies whose keys have a tombstone go in that same commit: an older index would else bring
their descriptions back. The keys themselves, which an older snapshot of the vault brings back, are taken off the shelf
again before anything opens (`resurrection`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256

from pacs_secure.archive.backup_proof import ProveBackup
from pacs_secure.archive.backup_sets import abreast, copied, objects_of, published_of
from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.backups import HeldObject, Manifest, NamedObject, Progress
from pacs_secure.core.errors import Conflict, Tampered, Unavailable
from pacs_secure.ports import Blobs, Signer, Tombstones
from pacs_secure.ports.backups import BackupPlace, DatabaseBackups, Files

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
            Tampered: the set is not what was signed; nothing was changed.
            Unavailable: something is out of reach, or a forgotten key is back that this process may not delete.
        """
        permit = self.guard.decide(AccessRequest(subject, Action.BACKUP_RESTORE, purpose, details=details))
        if not self.database.is_empty():
            raise Conflict("the database is not empty")
        manifest = self._demand_sound(place, name, progress)
        files = place.get(name)
        self._demand_nothing_else(files, manifest, keep_objects=keep_objects)
        # 1 objects
        for _ in abreast(partial(self._bring, place.objects), objects_of(files)):
            progress(1)
        # 2 the published ledger
        for said in published_of(files):
            self.published.write(said.name, place.ledger.read(said.name))
        for said in manifest.ledger_files:
            self.published.write(said.name.removeprefix(LEDGER), files.read(said.name))
        # 3 the database, without what was forgotten
        gone = self.database.load(files.path("database"), self.tombstones.holds, progress, self.now())
        for object_id in gone.objects:
            self.blobs.remove(object_id)
        # 4 on record, and forgotten keys off the shelf
        told: dict[str, str | int] = {"set": name, "manifest": sha256(manifest.to_json()).hexdigest()}
        told |= {"studies": manifest.content.studies.count, "forgotten": gone.studies}
        self.guard.finish(permit, Outcome.COMPLETED, told)
        return Restored(manifest, gone.studies, self.replay())

    def _demand_nothing_else(self, files: Files, manifest: Manifest, *, keep_objects: bool) -> None:
        """Demand that nothing is there but what of this very set an interrupted restore has brought."""
        if next(self.published.names(), None) is not None:
            lately = (replace(one, name=one.name.removeprefix(LEDGER)) for one in manifest.ledger_files)
            brought = {one.name: one for one in (*published_of(files), *lately)}
            if any(brought.get(name) != self.published.digest(name) for name in self.published.names()):
                raise Conflict("another ledger is published there already")
        if not keep_objects and next(self.blobs.names(), None) is not None:
            held = {one.object_id for one in objects_of(files)}
            if any(stored.object_id not in held for stored in self.blobs.names()):
                raise Conflict("there are other objects already")

    def _bring(self, source: Blobs, held: HeldObject) -> None:
        """Have an object there as it lies in the set; one that is there and differs is a damaged one."""
        named = NamedObject(held.object_id, held.length)
        there, _ = copied(source, self.blobs, named, None)
        if there != held:
            self.blobs.remove(held.object_id)
            copied(source, self.blobs, named, None)

    def _demand_sound(self, place: BackupPlace, name: str, progress: Progress) -> Manifest:
        if self.signer is None:
            raise Unavailable("this process was not given the role that signs")
        self.signer.public_key()
        proof = self.proof.prove(place, name, progress)
        if proof.manifest is None or not proof.verdict.sound:
            raise Tampered("the set is not what was signed: verify it, it says what is damaged")
        return proof.manifest
