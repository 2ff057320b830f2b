"""What a backup is made of: a database as one moment saw it, files, and snapshots of the vault."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from pacs_secure.core.backups import Content, FileDigest, LeftOut, NamedObject, Progress, Tally
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports.keys import KeyUnwrapper, Shelf
from pacs_secure.ports.objects import Blobs

Forgotten = Callable[[Institution, Shelf, KeyId], bool]
"""Says whether a key of a shelf of an institution has its tombstone."""


class Files(Protocol):
    """Files below one directory, by relative names; each is written whole or not at all."""

    def names(self) -> Iterator[str]:
        """Yield the name of every file, in order; what is being written is none."""

    def read(self, name: str) -> bytes:
        """Return a file; raise `NotFound` when there is none."""

    def digest(self, name: str) -> FileDigest:
        """Return its length and SHA-256 without holding it in memory; raise `NotFound` when there is none."""

    def length(self, name: str) -> int:
        """Return how long a file is; raise `NotFound` when there is none."""

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines; raise `NotFound` when there is none."""

    def writing(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Lend what a long file is written by; it is there, durable, when nothing failed."""

    def write(self, name: str, content: bytes) -> FileDigest:
        """Write a file, in place of the one that is there; durable on return."""

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens when there is none."""

    def path(self, name: str) -> Path:
        """Return where it lies, for whoever writes a large one; the folder is made."""


class DatabaseBackups(Protocol):
    """Index and ledger as a whole."""

    def export(self, folder: Path, name: Callable[[NamedObject], object], progress: Progress) -> Content:
        """Write the database, as one moment saw it, into an empty folder, and say what that moment held.

        ``name`` is told the object of every row, in the order of their ids. Nobody waits for it meanwhile.
        """

    def content(self, progress: Progress) -> Content:
        """Say what the database holds now."""

    def ledger(self, size: int) -> Tally:
        """Return the root of the ledger's tree over its first entries, as many as there are up to ``size``."""

    def named_objects(self) -> Iterator[NamedObject]:
        """Yield the object of every row of the index, in the order of their ids."""

    def named_keys(self) -> Iterator[tuple[Institution, Shelf, KeyId]]:
        """Yield every key without which something of the index or the ledger would open to nobody."""

    def is_empty(self) -> bool:
        """Say whether there is no row yet but those of a fresh installation."""

    def load(self, folder: Path, forgotten: Forgotten, progress: Progress, at: datetime | None = None) -> LeftOut:
        """Fill the database with what `export` wrote, in one commit, but with no study that a forgotten key is of.

        ``at``: note in that commit that the index is from before then, for whoever sweeps what no row names.

        Raises:
            Conflict: it is not empty.
            Tampered: what was written cannot be read.
        """

    def load_from(
        self, proven: "DatabaseBackups", forgotten: Forgotten, progress: Progress, at: datetime | None = None
    ) -> LeftOut:
        """Fill the database as `load` does, with what a `Scratch` holds: that which was compared, and nothing else."""


class BackupPlace(Protocol):
    """Where sets are kept; what they share lies beside them."""

    @property
    def objects(self) -> Blobs:
        """Return the sealed objects of all sets."""

    @property
    def ledger(self) -> Files:
        """Return the published files of all sets that never change."""

    def names(self) -> list[str]:
        """Return the names of the finished sets, oldest first."""

    def get(self, name: str) -> Files:
        """Return a finished set; raise `NotFound` when there is none."""

    def begin(self, name: str) -> Files:
        """Begin a set; what an interrupted one left is removed."""

    def finish(self, name: str) -> None:
        """Give a begun set its name; durable on return."""

    def remove(self, name: str) -> None:
        """Remove a set; what it shares with others stays."""

    def locked(self) -> AbstractContextManager[None]:
        """Let nobody else change anything meanwhile; raise `Unavailable` when somebody does."""


class VaultSnapshots(Protocol):
    """Takes snapshots of the vault as it stands, sealed as it stores itself."""

    def take(self, to: Path) -> None:
        """Write a snapshot; needs a role that may do this and nothing else."""


class VaultTrial(Protocol):
    """Tries a snapshot of the vault in a vault of its own, which ends with the trial."""

    def restored(self, snapshot: Path) -> AbstractContextManager[KeyUnwrapper]:
        """Restore a snapshot and lend what brings keys back from it.

        Raises:
            Tampered: the snapshot does not restore, or not with the shares that were given.
        """


class Scratch(Protocol):
    """Makes databases of this machine's own that end with their use."""

    def restored(self, folder: Path, progress: Progress) -> AbstractContextManager[DatabaseBackups]:
        """Lend an empty database that was filled with what `DatabaseBackups.export` wrote into a folder.

        Raises:
            Tampered: what was written cannot be read.
        """
