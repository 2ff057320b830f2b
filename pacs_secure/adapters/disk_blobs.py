"""Sealed objects as files of one directory tree; no path is ever made from anything but a random id.

Writing is the protocol of crypto-and-ledger 8: temporary file in the same directory, every byte
written, fsync, a link that refuses a taken name, fsync of the directory. What fails leaves nothing.
"""

import errno
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from pacs_secure.core.errors import Conflict, NotFound, Unavailable
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.ports import StoredName

TEMPORARY = ".tmp-"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe must hold nobody
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


class DiskBlob:
    """One stored object, open for reading."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        try:
            self._length = os.fstat(descriptor).st_size
        except OSError as error:
            raise Unavailable("an object cannot be read") from error

    @property
    def length(self) -> int:
        """Stored bytes."""
        return self._length

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes there, fewer only at the end."""
        try:
            content = os.pread(self._descriptor, length, offset)
            # A short read is the end, or a kernel that gives at most 2 GiB at once.
            while len(content) < min(length, self._length - offset):
                more = os.pread(self._descriptor, length - len(content), offset + len(content))
                if not more:
                    break
                content += more
        except OSError as error:
            raise Unavailable("an object cannot be read") from error
        return content


class DiskBlobs:
    """Objects below ``directory``, fanned out by the last two digits of their id: UUIDv7 begin with the time.

    Below ``least_free`` bytes of free space nothing more is taken.
    """

    def __init__(self, directory: Path, least_free: int = 0) -> None:
        self._least_free = least_free
        self._lock = threading.Lock()
        self._directories: dict[str, int] = {}
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._root = os.open(directory, _DIRECTORY)
        except OSError as error:
            raise Unavailable("the object directory cannot be used") from error

    def close(self) -> None:
        """Close the directories."""
        with self._lock:
            for descriptor in self._directories.values():
                os.close(descriptor)
            self._directories.clear()
            os.close(self._root)

    def put(self, object_id: ObjectId, parts: Iterable[bytes | bytearray | memoryview]) -> int:
        """Write the parts as one object; durable on return; return its length.

        Raises:
            Conflict: the id is taken.
            Unavailable: the disk is full, or so full that nothing more is taken, or failing.
        """
        temporary = f"{TEMPORARY}{uuid4()}"
        try:
            directory = self._directory(object_id, make=True)
            descriptor = os.open(temporary, _NEW, 0o600, dir_fd=directory)
            try:
                length = self._write(descriptor, parts)
                self._name(directory, temporary, str(object_id))
            finally:
                os.close(descriptor)
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=directory)
        except FileExistsError as error:
            raise Conflict("an object of this id is stored") from error
        except OSError as error:
            raise Unavailable("an object cannot be stored") from error
        return length

    @contextmanager
    def open(self, object_id: ObjectId) -> Iterator[DiskBlob]:
        """Open one object; raise `NotFound` when there is none."""
        try:
            descriptor = os.open(str(object_id), _READ, dir_fd=self._directory(object_id))
        except FileNotFoundError as error:
            raise NotFound("there is no such object") from error
        except OSError as error:
            raise Unavailable("an object cannot be opened") from error
        try:
            yield DiskBlob(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, object_id: ObjectId) -> None:
        """Remove one object for good; nothing happens when there is none."""
        try:
            directory = self._directory(object_id)
            os.unlink(str(object_id), dir_fd=directory)
            os.fsync(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise Unavailable("an object cannot be removed") from error

    def names(self) -> Iterator[StoredName]:
        """List every object, in no order; what is being written, and strangers' files, are no objects."""
        for _, name, status in self._files():
            object_id = _object_id(name)
            if object_id and stat.S_ISREG(status.st_mode):
                yield StoredName(object_id, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def sweep_temporary(self, older_than: timedelta) -> int:
        """Remove what writers that died have left, when it is older than any write lasts; return how many."""
        before = time.time() - older_than.total_seconds()
        stale = [
            f"{folder}/{name}"
            for folder, name, status in self._files()
            if name.startswith(TEMPORARY) and status.st_mtime < before
        ]
        try:
            for path in stale:
                with suppress(FileNotFoundError):
                    os.unlink(path, dir_fd=self._root)
        except OSError as error:
            raise Unavailable("what was left behind cannot be removed") from error
        return len(stale)

    def _write(self, descriptor: int, parts: Iterable[bytes | bytearray | memoryview]) -> int:
        length = 0
        for part in parts:
            self._demand_space(descriptor)
            rest = memoryview(part).cast("B")
            # write may take less than it is given, without an error, when the disk is nearly full.
            while rest:
                written = os.write(descriptor, rest)
                if not written:
                    raise OSError(errno.EIO, "nothing was written")
                rest = rest[written:]
                length += written
        os.fsync(descriptor)
        if os.fstat(descriptor).st_size != length:
            raise OSError(errno.EIO, "the file is not as long as what was written")
        return length

    def _demand_space(self, descriptor: int) -> None:
        if self._least_free:
            space = os.fstatvfs(descriptor)
            if space.f_bavail * space.f_frsize < self._least_free:
                raise Unavailable("the disk is nearly full")

    def _name(self, directory: int, temporary: str, name: str) -> None:
        """Give the finished file its name, durably; link refuses a taken one, rename would replace it."""
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        try:
            os.unlink(temporary, dir_fd=directory)
            os.fsync(directory)
        except OSError:
            # Nobody was told that it is stored, so it must not be found later.
            with suppress(OSError):
                os.unlink(name, dir_fd=directory)
            raise

    def _directory(self, object_id: ObjectId, *, make: bool = False) -> int:
        name = object_id.hex[-2:]
        with self._lock:
            if name not in self._directories:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o700, dir_fd=self._root)
                    # Also when it is there: who made it may not have come so far.
                    os.fsync(self._root)
                self._directories[name] = os.open(name, _DIRECTORY, dir_fd=self._root)
            return self._directories[name]

    def _files(self) -> Iterator[tuple[str, str, os.stat_result]]:
        """Yield folder, name and status of every file of the fan-out."""
        for number in range(256):
            folder = f"{number:02x}"
            try:
                yield from [(folder, name, status) for name, status in self._listed(folder)]
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Unavailable("the object directory cannot be read") from error

    def _listed(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        # A descriptor of its own: those of writers share one reading position.
        descriptor = os.open(folder, _DIRECTORY, dir_fd=self._root)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        yield entry.name, entry.stat(follow_symlinks=False)
        finally:
            os.close(descriptor)


def _object_id(name: str) -> ObjectId | None:
    try:
        value = UUID(name)
    except ValueError:
        return None
    return ObjectId(value) if str(value) == name else None
