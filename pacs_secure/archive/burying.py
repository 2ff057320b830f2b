"""Burying: no key is deleted before it stands, outside every backup, that it was."""

from collections.abc import Callable, Collection
from datetime import datetime

from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import KeyEraser, Shelf, Tombstone, Tombstones


class Burying:
    """Every verb's way to forget a key: a `KeyEraser` that writes the tombstones first."""

    def __init__(self, eraser: KeyEraser, tombstones: Tombstones, now: Callable[[], datetime]) -> None:
        self._eraser = eraser
        self._tombstones = tombstones
        self._now = now

    def erase(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> None:
        """Bury keys, take them off the shelf and prove each gone; done again it changes nothing.

        Raises:
            Tampered: the tombstones are not what was buried; nothing is deleted.
            Unavailable: this process may not bury, in which case nothing is deleted, or not all are proven gone.
        """
        at = self._now()
        self._tombstones.bury([Tombstone(key_id, institution, shelf, at) for key_id in key_ids])
        self._eraser.erase(institution, shelf, key_ids)
