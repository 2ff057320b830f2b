"""Keys that are still to be had: one with a tombstone opens nothing, even where a restored shelf has it again."""

from collections.abc import Collection
from dataclasses import dataclass

from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import ForgettableKey, KeyUnwrapper, Shelf, Tombstones


@dataclass(frozen=True, slots=True)
class LivingKeys:
    """Every verb's way to the shelf: a `KeyUnwrapper` that knows what was forgotten."""

    unwrapper: KeyUnwrapper
    tombstones: Tombstones

    def fetch(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> dict[KeyId, ForgettableKey]:
        """Return the keys that are on the shelf and were never forgotten.

        Raises:
            Tampered: a shelf entry does not unwrap, or the tombstones are not what was buried.
            Unavailable: shelf or tombstones are out of reach.
        """
        living = [key_id for key_id in key_ids if not self.tombstones.holds(institution, shelf, key_id)]
        return self.unwrapper.fetch(institution, shelf, living) if living else {}
