"""A directory with backup sets: each lies in a folder of its own, and what they share lies beside them, once.

<set>/manifest.json       what the set holds; manifest.note signs its digest
<set>/database/           SQLite's file, or a file of rows for each table
<set>/objects.list        every object that a row names: id, length, SHA-256
<set>/ledger/             the newest checkpoints, and the list of what was published
<set>/vault/snapshot      the vault as it stores itself; goes before the set does
objects/, ledger/         ciphertext and published files, by reference
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.durable_files import sync_directory
from pacs_secure.adapters.file_tree import FileTree
from pacs_secure.core.backups import MANIFEST
from pacs_secure.core.errors import NotFound, Unavailable

_BEGUN = ".begun-"
# Neither a link nor a pipe in its place leads or holds anybody.
_LOCK = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class BackupDirectory:
    """`pacs_secure.ports.backups.BackupPlace` on a local or mounted file system."""

    def __init__(self, directory: Path, *, make: bool = True) -> None:
        """Open a place for sets; ``make`` one where there is none.

        Raises:
            NotFound: there is none.
            Unavailable: it cannot be used.
        """
        self._directory = directory
        if not make and not directory.is_dir():
            raise NotFound("there is no such place for backups")
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            raise Unavailable("the place for backups cannot be used") from None
        self.objects = DiskBlobs(directory / "objects")
        self.ledger = FileTree(directory / "ledger")

    def close(self) -> None:
        """Close what is open."""
        self.objects.close()

    def names(self) -> list[str]:
        """Return the names of the finished sets, oldest first."""
        with _usable():
            found = self._directory.glob(f"[0-9]*/{MANIFEST}")
            # A link is no set: what lies behind it is not of this place, and must never go with it.
            return sorted(place.parent.name for place in found if not place.parent.is_symlink())

    def get(self, name: str) -> FileTree:
        """Return a finished set; raise `NotFound` when there is none."""
        if name not in self.names():
            raise NotFound("there is no such backup set")
        return FileTree(self._directory / name)

    def begin(self, name: str) -> FileTree:
        """Begin a set; what an interrupted one left is removed."""
        with _usable():
            for left in self._directory.glob(f"{_BEGUN}*"):
                shutil.rmtree(left)
            begun = self._directory / f"{_BEGUN}{name}"
            begun.mkdir(mode=0o700)
        return FileTree(begun)

    def finish(self, name: str) -> None:
        """Give a begun set its name; durable on return."""
        with _usable():
            begun = self._directory / f"{_BEGUN}{name}"
            for folder, _, files in os.walk(begun):
                for file in files:
                    _sync(Path(folder) / file)
                sync_directory(Path(folder))
            begun.rename(self._directory / name)
            try:
                sync_directory(self._directory)
            except OSError:
                # Nobody was told that there is a set, so there must be none.
                (self._directory / name).rename(begun)
                raise

    def remove(self, name: str) -> None:
        """Remove a set; what it shares with others stays."""
        with _usable():
            # Without its manifest it is none any more, whatever comes between.
            FileTree(self._directory / name).remove(MANIFEST)
            shutil.rmtree(self._directory / name, ignore_errors=True)
            sync_directory(self._directory)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else change anything meanwhile; raise `Unavailable` when somebody does."""
        with _usable(), os.fdopen(os.open(self._directory / ".lock", _LOCK, 0o600), "rb") as lock:
            if not stat.S_ISREG(os.fstat(lock.fileno()).st_mode):
                raise Unavailable("the place for backups cannot be used")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unavailable("another backup is under way there") from None
            yield


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise Unavailable("the place for backups cannot be used") from None


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
