"""Where audit messages go, and how far each receiver has come."""

from collections.abc import Sequence
from typing import Protocol


class Repository(Protocol):
    """A receiver of audit messages (IHE ATNA: Audit Record Repository)."""

    @property
    def channel(self) -> str:
        """Return its name: each repository gets every message."""

    def send(self, messages: Sequence[bytes]) -> None:
        """Deliver framed messages in order; raise `Unavailable` when they were not surely taken."""


class Bookmarks(Protocol):
    """How far each receiver of the ledger has come: durable, so that a crash repeats and never omits."""

    def place(self, channel: str) -> int:
        """Return the index of the next entry for a receiver, 0 for one that has had none."""

    def move(self, channel: str, to: int) -> None:
        """Note that a receiver has taken every entry before ``to``; a bookmark never goes back."""

    def correct(self, channel: str, to: int) -> None:
        """Put a bookmark that cannot be true where it can be, also back; durable on return."""
