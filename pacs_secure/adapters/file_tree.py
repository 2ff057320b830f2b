"""Files below one directory, by relative names, each whole or not at all: what backups and the published ledger are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pacs_secure.adapters.durable_files import replace_file, sync_directory
from pacs_secure.core.backups import FileDigest
from pacs_secure.core.errors import Malformed, NotFound, Unavailable

_AT_ONCE = 1 << 20


class FileTree:
    """`pacs_secure.ports.backups.Files` on a local or mounted file system."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> Iterator[str]:
        """Yield the name of every file, in order; hidden ones are locks, or being written."""
        found: list[str] = []
        with _reachable():
            for folder, folders, files in os.walk(self._directory, onerror=_fail):
                folders[:] = [name for name in folders if not name.startswith(".")]
                here = Path(folder).relative_to(self._directory)
                found += [(here / name).as_posix() for name in files if not name.startswith(".")]
        yield from sorted(found)

    def read(self, name: str) -> bytes:
        """Return a file; raise `NotFound` when there is none."""
        with _reachable():
            return self._place(name).read_bytes()

    def digest(self, name: str) -> FileDigest:
        """Return its length and SHA-256 without holding it in memory; raise `NotFound` when there is none."""
        digest, length = sha256(), 0
        with _reachable(), self._place(name).open("rb") as stream:
            while content := stream.read(_AT_ONCE):
                digest.update(content)
                length += len(content)
        return FileDigest(name, length, digest.hexdigest())

    def length(self, name: str) -> int:
        """Return how long a file is; raise `NotFound` when there is none."""
        with _reachable():
            return self._place(name).stat().st_size

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines; raise `NotFound` when there is none."""
        with _reachable(), self._place(name).open("rb") as stream:
            yield from stream

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Lend what a long file is written by; it is there, durable, when nothing failed."""
        place = self.path(name)
        fresh = place.with_name(f".{place.name}.new")
        with _reachable():
            with fresh.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            fresh.rename(place)
            sync_directory(place.parent)

    def write(self, name: str, content: bytes) -> FileDigest:
        """Write a file, in place of the one that is there; durable on return."""
        place = self.path(name)
        with _reachable():
            replace_file(place, content)
        return FileDigest(name, len(content), sha256(content).hexdigest())

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens when there is none."""
        with _reachable(), suppress(FileNotFoundError):
            place = self._place(name)
            place.unlink()
            sync_directory(place.parent)

    def path(self, name: str) -> Path:
        """Return where a file lies or will lie; its folder is made, for its owner only."""
        place = self._place(name)
        with _reachable():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place

    def _place(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise Malformed("a file's name leads elsewhere")
        return self._directory.joinpath(*parts)


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound("there is no such file") from None
    except OSError:
        raise Unavailable("a directory of files is out of reach, or full") from None
