"""Rotating the key that wraps others, and wrapping everything on the shelf anew under its newest version."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports.keys import Shelf


@dataclass(frozen=True, slots=True)
class KekState:
    """The versions of an institution's key-encryption key."""

    newest: int
    """What everything is wrapped under from now on."""
    least: int
    """The oldest version that still unwraps."""
    made_at: datetime
    """UTC; when the newest came into being, by the vault's own clock."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What became of some entries of the shelf."""

    done: frozenset[KeyId] = frozenset()
    """Wrapped anew, and written."""
    current: int = 0
    """Wrapped under that version already."""
    gone: int = 0
    """Forgotten meanwhile: nothing was written."""
    failed: frozenset[KeyId] = frozenset()
    """The vault named an error for these; they lie there as before."""


class KeyRewrapper(Protocol):
    """Turns an institution's key and wraps the shelf anew; it sees no key, makes none and removes none."""

    def state(self, institution: Institution) -> KekState:
        """Return the versions of the institution's key."""

    def rotate(self, institution: Institution) -> KekState:
        """Make a new version, under which everything is wrapped from now on."""

    def shelved(self, institution: Institution, shelf: Shelf) -> Sequence[KeyId]:
        """Return what lies on a shelf, in order of the ids."""

    def rewrap(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId], version: int) -> Rewrapped:
        """Wrap those of some entries anew that are wrapped under an earlier version, and write them.

        An entry that was forgotten since it was read is never written again.
        """

    def below(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId], version: int) -> int:
        """Count those of some entries that are wrapped under an earlier version, or are not understood."""

    def retire(self, institution: Institution, version: int) -> None:
        """Let nothing unwrap any more that is wrapped under a version before this one."""


@dataclass(frozen=True, slots=True)
class RewrapRow:
    """How far the rewrapping of one shelf has come."""

    institution: Institution
    shelf: Shelf
    version: int
    """Under which everything is to be wrapped."""
    begun: datetime
    last: KeyId | None = None
    """The entry that was looked at last; what follows it is still to do."""
    done: int = 0
    """Entries that were wrapped anew."""
    failed: int = 0
    """Entries that could not be."""
    finished: datetime | None = None


class Rewraps(Protocol):
    """The rows of a rewrapping, so that whoever was interrupted goes on where it stood."""

    def of(self, institution: Institution) -> Sequence[RewrapRow]:
        """Return the newest rewrapping of an institution, one row a shelf, in order of the shelves."""

    def begin(self, permit: Permit, rows: Sequence[RewrapRow], draft: Draft) -> None:
        """Begin with these rows in the place of older ones, and record it, in one commit."""

    def advance(self, permit: Permit, row: RewrapRow) -> None:
        """Note how far a shelf has come; durable on return.

        Raises:
            Conflict: the row is of another rewrapping than the one that is under way.
        """
