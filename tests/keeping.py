"""An archive on a disk with a place for its backups, and a vault in memory that gives snapshots of itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from pacs_secure.adapters.backup_directory import BackupDirectory
from pacs_secure.adapters.file_tree import FileTree
from pacs_secure.adapters.sql import SqlBackups, SqlScratch
from pacs_secure.archive.backup import Backup, Keeping, Taken
from pacs_secure.archive.backup_proof import Proof, ProveBackup
from pacs_secure.archive.backup_restore import RestoreBackup, Restored
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import KeyUnwrapper, Shelf, Signer
from pacs_secure.ports.backups import VaultSnapshots, VaultTrial
from tests.builders import HERE, subject
from tests.fakes_keys import FakeKeyring, MemorySnapshots
from tests.world import ORIGIN, DiskWorld

OPERATOR = subject(Role.OPERATOR)
NOTE = {"protocol": "test"}


class FakeVault:
    """Takes snapshots of a shelf in memory, and tries them."""

    def __init__(self, keyring: FakeKeyring) -> None:
        self.keyring = keyring

    def take(self, to: Path) -> None:
        shelf = self.keyring.snapshot()
        lines = [[of, shelf_, str(key_id), key.hex()] for (of, shelf_, key_id), (_, key) in shelf.items()]
        to.write_text(json.dumps(lines))

    def shelf(self, snapshot: Path) -> dict[tuple[Institution, Shelf, KeyId], bytes]:
        try:
            read = json.loads(snapshot.read_bytes())
        except ValueError:
            raise Tampered("the snapshot does not restore") from None
        return {
            (Institution(of), Shelf(shelf), KeyId(UUID(key_id))): bytes.fromhex(key) for of, shelf, key_id, key in read
        }

    @contextmanager
    def restored(self, snapshot: Path) -> Iterator[KeyUnwrapper]:
        other = FakeKeyring()
        other.restore({place: (place, key) for place, key in self.shelf(snapshot).items()})
        yield other


@dataclass
class Kept:
    """An archive, and the place of its backups."""

    world: DiskWorld
    place: BackupDirectory
    signer: Signer
    vault: VaultSnapshots | None
    trial: VaultTrial | None
    keeping: Keeping = field(default_factory=Keeping)
    ahead: timedelta = timedelta()
    snapshots: MemorySnapshots = field(default_factory=MemorySnapshots)
    home: Institution = HERE

    @property
    def keyring(self) -> FakeKeyring:
        assert isinstance(self.vault, FakeVault)
        return self.vault.keyring

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @property
    def backup(self) -> Backup:
        engines = self.world.house.engines
        return Backup(
            guard=self.world.archive.guard,
            database=SqlBackups(self.world.database),
            blobs=engines.blobs,
            published=FileTree(self.world.checkpoints),
            vault=self.vault,
            signer=self.signer,
            origin=ORIGIN,
            home=self.home,
            keeping=self.keeping,
            now=self.now,
        )

    @property
    def proof(self) -> ProveBackup:
        engines = self.world.house.engines
        return ProveBackup(
            guard=self.world.archive.guard,
            scratch=SqlScratch(),
            trial=self.trial,
            snapshots=self.snapshots,
            tombstones=engines.tombstones,
            origin=ORIGIN,
            public_key=engines.public_key,
            now=self.now,
        )

    @property
    def restoring(self) -> RestoreBackup:
        engines = self.world.house.engines
        return RestoreBackup(
            guard=self.world.archive.guard,
            proof=self.proof,
            database=SqlBackups(self.world.database),
            blobs=engines.blobs,
            published=FileTree(self.world.checkpoints),
            tombstones=engines.tombstones,
            signer=engines.signer,
            replay=self.world.house.resurrection.look_at_all,
            now=self.now,
        )

    def restore(self, name: str, *, keep_objects: bool = False) -> Restored:
        by = replace(OPERATOR, institution=self.home)
        return self.restoring.restore(by, None, self.place, name, details=NOTE, keep_objects=keep_objects)

    def take(self) -> Taken:
        return self.backup.create(replace(OPERATOR, institution=self.home), None, self.place, details=NOTE)

    def verify(self, name: str) -> Proof:
        by = replace(OPERATOR, institution=self.home)
        return self.proof.verify(by, None, self.place, name, details=NOTE)

    def folder(self, name: str) -> Path:
        return self.place.get(name).path("manifest.json").parent


def keep(world: DiskWorld, to: Path, keyring: FakeKeyring) -> Kept:
    vault = FakeVault(keyring)
    return Kept(world, BackupDirectory(to), keyring, vault, vault)
