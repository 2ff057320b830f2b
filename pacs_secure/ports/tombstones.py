"""What was forgotten for good, so that a restored shelf cannot bring it back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports.keys import Shelf


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Says that a key was forgotten; it names nobody, for ids of keys are random."""

    key_id: KeyId
    institution: Institution
    shelf: Shelf
    forgotten_at: datetime
    """UTC; when it was buried, which is before it is deleted."""


class Tombstones(Protocol):
    """The graveyard of keys: append-only, outside the database and outside every backup of it and of the vault."""

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        """Add what is not there yet; durable on return, and called before any of the keys is deleted.

        A key that lies there already keeps its first tombstone.

        Raises:
            Tampered: what is there is not what was buried; nothing is added.
        """

    def all(self) -> Iterator[Tombstone]:
        """Yield every tombstone, oldest first.

        Raises:
            Tampered: what is there is not what was buried.
        """

    def holds(self, institution: Institution, shelf: Shelf, key_id: KeyId) -> bool:
        """Return whether the key of this name that lay on this shelf of this institution was forgotten.

        Raises:
            Tampered: what is there is not what was buried.
        """
