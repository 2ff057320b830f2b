"""A store of objects in memory that passes the contract of the one on disk."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pacs_secure.core.errors import Conflict, NotFound, Unavailable
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.ports import StoredName


@dataclass(frozen=True, slots=True)
class MemoryBlob:
    content: bytes

    @property
    def length(self) -> int:
        return len(self.content)

    def read_at(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]


class MemoryBlobs:
    """Objects in a dictionary; set ``down`` to put them out of reach, change ``stored`` to damage them."""

    def __init__(self) -> None:
        self.down = False
        self.stored: dict[ObjectId, bytes] = {}
        self._written: dict[ObjectId, datetime] = {}
        self._lock = threading.Lock()

    def put(self, object_id: ObjectId, parts: Iterable[bytes | bytearray | memoryview]) -> int:
        self._reach()
        content = b"".join(parts)
        with self._lock:
            if object_id in self.stored:
                raise Conflict("an object of this id is stored")
            self.stored[object_id] = content
            self._written[object_id] = datetime.now(UTC)
        return len(content)

    @contextmanager
    def open(self, object_id: ObjectId) -> Iterator[MemoryBlob]:
        self._reach()
        if object_id not in self.stored:
            raise NotFound("there is no such object")
        yield MemoryBlob(self.stored[object_id])

    def remove(self, object_id: ObjectId) -> None:
        self._reach()
        with self._lock:
            self.stored.pop(object_id, None)

    def damage(self) -> None:
        """Flip the last bit of every object."""
        with self._lock:
            self.stored = {name: content[:-1] + bytes([content[-1] ^ 1]) for name, content in self.stored.items()}

    def names(self) -> Iterator[StoredName]:
        self._reach()
        with self._lock:
            stored = [StoredName(name, len(content), self._written[name]) for name, content in self.stored.items()]
        yield from stored

    def sweep_temporary(self, older_than: timedelta) -> int:
        self._reach()
        return 0  # what was never whole is nowhere in memory

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the object store is out of reach")
