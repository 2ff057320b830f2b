"""Numbers about the running archive, for whoever watches machines: none of them is about a person."""

from collections.abc import Callable
from typing import Protocol


class Gauges(Protocol):
    """Numbers that go up and down, each known by one name and by nothing else: no label ever names anything (LOG-02).

    A name is lower-case words joined by ``_`` that end in their unit, such as ``free_bytes``.
    """

    def set(self, name: str, value: float) -> None:
        """Keep the newest value of a gauge.

        Raises:
            Malformed: the name is none.
        """

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Ask ``read`` whenever somebody looks; one that raises `ArchiveError` is shown as not a number.

        Raises:
            Malformed: the name is none.
        """
