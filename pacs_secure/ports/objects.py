"""Sealed objects by their ids."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pacs_secure.core.identifiers import ObjectId


class Blob(Protocol):
    """One stored object, open for reading at any place."""

    @property
    def length(self) -> int:
        """Stored bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes there, fewer only at the end."""


@dataclass(frozen=True, slots=True)
class StoredName:
    """One object in the store, for the sweep of what no row names."""

    object_id: ObjectId
    length: int
    written_at: datetime


class Blobs(Protocol):
    """Ciphertext by object id; written once, never changed."""

    def put(self, object_id: ObjectId, parts: Iterable[bytes | bytearray | memoryview]) -> int:
        """Write the parts as one object; durable on return (crypto-and-ledger 8); return its length.

        Raises:
            Conflict: the id is taken.
        """

    def open(self, object_id: ObjectId) -> AbstractContextManager[Blob]:
        """Open one object; raise `NotFound` when there is none."""

    def remove(self, object_id: ObjectId) -> None:
        """Remove one object; nothing happens when there is none."""

    def names(self) -> Iterator[StoredName]:
        """List every object, in no order."""

    def sweep_temporary(self, older_than: timedelta) -> int:
        """Remove what writers that died have left, when it is older than any write lasts; return how many."""
