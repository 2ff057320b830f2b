"""Keys: made, brought back, tried, and signed with."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pacs_secure.core.identifiers import Institution, KeyId


class Shelf(StrEnum):
    """What a forgettable key is for; each has its own place and policy on the shelf."""

    INDEX = "index"
    INSTITUTION = "institution"
    """Pseudonyms and proofs: nobody may take it off."""
    LEDGER = "ledger"
    """What entries say of persons, a patient and year each."""
    STUDY = "study"
    WRITER = "writer"
    """The first key of each that writes to the ledger: nobody may take it off."""


@dataclass(frozen=True, slots=True)
class ForgettableKey:
    """32 random bytes whose wrapped form lies on the shelf: delete that, and they are gone."""

    key_id: KeyId
    key: bytes = field(repr=False)


class KeyWrapper(Protocol):
    """Makes keys; all that a process which only stores may do."""

    def mint(self, institution: Institution, shelf: Shelf) -> ForgettableKey:
        """Make a key, wrap it under the institution's KEK, put it on the shelf, return it."""


class KeyUnwrapper(Protocol):
    """Brings keys back; held by processes that serve."""

    def fetch(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> dict[KeyId, ForgettableKey]:
        """Return the keys that are still on the shelf; forgotten ones are simply not in the answer.

        Raises:
            Tampered: a shelf entry does not unwrap under the institution's KEK and its own id.
        """


class KeyEraser(Protocol):
    """Forgets keys for good; held by few processes, and by none that opens anything with them."""

    def erase(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> None:
        """Take keys off the shelf and prove each gone; those that are gone already are as good.

        Raises:
            Unavailable: not all of them are proven gone, or this role may not erase from that shelf.
        """


class KeyShelf(Protocol):
    """Says which keys are there, and brings none back."""

    def lying(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> frozenset[KeyId]:
        """Return those of the keys that are on the shelf, whether or not they would unwrap."""


class KeyList(Protocol):
    """Says which keys lie on the shelf; it opens nothing with them and sees none."""

    def listed(self, institution: Institution, shelf: Shelf) -> frozenset[KeyId]:
        """Return the ids of all keys of an institution on a shelf.

        Raises:
            Unavailable: this role may not list that shelf.
        """

    def institutions(self, shelf: Shelf) -> frozenset[Institution]:
        """Return whose keys lie on a shelf; raises as `listed`."""


class KeyCanary(Protocol):
    """Asks whether keys really work: health pages say yes while every operation fails."""

    def sing(self) -> None:
        """Encrypt and decrypt a probe; raise `Unavailable` when that fails."""


class Signer(Protocol):
    """Signs checkpoints with a key that never leaves the vault."""

    def public_key(self) -> bytes:
        """Return the raw Ed25519 public key, 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature."""
