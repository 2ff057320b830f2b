"""Files below one directory, by relative names, each whole or not at all: what backups and the published ledger are.

No link is ever followed, wherever in the tree it lies: whoever may write there must not lead the archive elsewhere.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pacs_secure.core.backups import FileDigest
from pacs_secure.core.errors import Malformed, NotFound, Unavailable

_AT_ONCE = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
# Without O_NONBLOCK a pipe in the place of a file would hold whoever opens it for ever.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_NO_FILE = (errno.ELOOP, errno.ENXIO)
"""What a link and a socket answer to whoever opens them as a file."""


class FileTree:
    """`pacs_secure.ports.backups.Files` on a local or mounted file system."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> Iterator[str]:
        """Yield the name of every file, in order; hidden ones are locks, or being written.

        Raises:
            Unavailable: it cannot be read, or a link lies in it.
        """
        found: list[str] = []
        with _reachable(), suppress(FileNotFoundError), self._folder(()) as root:
            found += _files(root, "")
        yield from sorted(found)

    def read(self, name: str) -> bytes:
        """Return a file; raise `NotFound` when there is none."""
        with self._open(name) as stream:
            return stream.read()

    def digest(self, name: str) -> FileDigest:
        """Return its length and SHA-256 without holding it in memory; raise `NotFound` when there is none."""
        digest, length = sha256(), 0
        with self._open(name) as stream:
            while content := stream.read(_AT_ONCE):
                digest.update(content)
                length += len(content)
        return FileDigest(name, length, digest.hexdigest())

    def length(self, name: str) -> int:
        """Return how long a file is; raise `NotFound` when there is none."""
        with self._open(name) as stream:
            return os.fstat(stream.fileno()).st_size

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines; raise `NotFound` when there is none."""
        with self._open(name) as stream:
            yield from stream

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Lend what a long file is written by; it is there, durable, when nothing failed."""
        *above, last = _parts(name)
        fresh = f".{last}.new"
        with _reachable(), self._folder(above, make=True) as folder:
            with suppress(FileNotFoundError):
                os.unlink(fresh, dir_fd=folder)
            with os.fdopen(os.open(fresh, _NEW, 0o640, dir_fd=folder), "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(fresh, last, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    def write(self, name: str, content: bytes) -> FileDigest:
        """Write a file, in place of the one that is there; durable on return."""
        with self.writing(name) as stream:
            stream.write(content)
        return FileDigest(name, len(content), sha256(content).hexdigest())

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens when there is none."""
        *above, last = _parts(name)
        with _reachable(), suppress(FileNotFoundError), self._folder(above) as folder:
            os.unlink(last, dir_fd=folder)
            os.fsync(folder)

    def path(self, name: str) -> Path:
        """Return where a file lies or will lie; its folder is made, for its owner only."""
        parts = _parts(name)
        with _reachable(), self._folder(parts[:-1], make=True):
            return self._directory.joinpath(*parts)

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        """Lend a regular file; a link, a pipe or a device is none."""
        *above, last = _parts(name)
        with _reachable(), self._folder(above) as folder, os.fdopen(_regular(folder, last), "rb") as stream:
            yield stream

    @contextmanager
    def _folder(self, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
        """Lend a folder, reached step by step so that no step is a link."""
        if make:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        here = os.open(self._directory, _FOLDER)
        try:
            for part in parts:
                if make:
                    _make(here, part)
                below = os.open(part, _FOLDER, dir_fd=here)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)


def _regular(folder: int, name: str) -> int:
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise FileNotFoundError from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError
    return descriptor


def _make(folder: int, name: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=folder)
        os.fsync(folder)


def _parts(name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise Malformed("a file's name leads elsewhere")
    return parts


def _files(folder: int, above: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        there = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in there:
        if entry.is_symlink():
            raise OSError(errno.ELOOP, "a link lies in the place of a file")
        if entry.is_dir(follow_symlinks=False):
            with suppress(FileNotFoundError):
                below = os.open(entry.name, _FOLDER, dir_fd=folder)
                try:
                    yield from _files(below, f"{above}{entry.name}/")
                finally:
                    os.close(below)
        elif entry.is_file(follow_symlinks=False):
            yield above + entry.name


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound("there is no such file") from None
    except OSError:
        raise Unavailable("a directory of files is out of reach, or full") from None
