"""Tombstones in memory that pass the contract of those in a directory."""

from collections.abc import Iterator, Sequence

from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import Shelf, Tombstone


class MemoryTombstones:
    """A graveyard; set ``down`` to put it out of reach."""

    def __init__(self) -> None:
        self.down = False
        self._buried: dict[tuple[KeyId, Institution, Shelf], Tombstone] = {}

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        self._reach()
        for one in tombstones:
            self._buried.setdefault((one.key_id, one.institution, one.shelf), one)

    def all(self) -> Iterator[Tombstone]:
        self._reach()
        yield from list(self._buried.values())

    def holds(self, institution: Institution, shelf: Shelf, key_id: KeyId) -> bool:
        self._reach()
        return (key_id, institution, shelf) in self._buried

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the tombstones are out of reach")
