"""A place that gives nothing back before its time, whoever asks for it."""

from collections.abc import Iterator
from typing import Protocol


class Strongroom(Protocol):
    """Small contents under names of one or two words and a number; nobody may change, shorten or remove them."""

    def keep(self, name: str, content: bytes) -> None:
        """Keep a content; durable and locked on return; the same one twice only once.

        Raises:
            Conflict: another content was kept under this name first.
            Unavailable: it cannot be kept now, or it would not be locked.
        """

    def read(self, name: str) -> bytes | None:
        """Return what was first kept under a name, whatever was put over it since; None when nothing was."""

    def names(self, after: str) -> Iterator[str]:
        """Yield in order the names of the same kind beyond one, those that somebody has hidden among them."""
