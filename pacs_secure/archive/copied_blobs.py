"""The first store as the archive writes to it: whatever is put is announced, whatever is removed goes everywhere."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

from pacs_secure.archive.replication import Replication
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.ports import Blob, Blobs, StoredName


class CopiedBlobs:
    """`Blobs` of the first store; the second follows it by `Replication`.

    Reading is the first store's own: only whoever can open a copy can tell whether it may stand for the other.
    """

    def __init__(self, first: Blobs, replication: Replication) -> None:
        self._first = first
        self._replication = replication

    def put(self, object_id: ObjectId, parts: Iterable[bytes | bytearray | memoryview]) -> int:
        """Write one object to the first store and have it copied soon, raising as the store does."""
        length = self._first.put(object_id, parts)
        self._replication.stored(object_id)
        return length

    def open(self, object_id: ObjectId) -> AbstractContextManager[Blob]:
        """Open one object of the first store, raising as the store does."""
        return self._first.open(object_id)

    def remove(self, object_id: ObjectId) -> None:
        """Remove one object from the first store, then from the second.

        Raises:
            Unavailable: it may still be in one of them: try again.
        """
        self._first.remove(object_id)
        self._replication.removed(object_id)

    def names(self) -> Iterator[StoredName]:
        """List the first store."""
        return self._first.names()

    def sweep_temporary(self, older_than: timedelta) -> int:
        """Remove from both stores what writers that died have left."""
        return self._first.sweep_temporary(older_than) + self._replication.second.sweep_temporary(older_than)
