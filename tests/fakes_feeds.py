"""Receivers of the ledger in memory, and how far they have come."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import Alarm


class MemoryBookmarks:
    """Bookmarks in memory; passes the contract of the durable ones."""

    def __init__(self) -> None:
        self.down = False
        self._places: dict[str, int] = {}

    def place(self, channel: str) -> int:
        self._reach()
        return self._places.get(channel, 0)

    def move(self, channel: str, to: int) -> None:
        self._reach()
        self._places[channel] = max(to, self._places.get(channel, 0))

    def correct(self, channel: str, to: int) -> None:
        self._reach()
        self._places[channel] = to

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the bookmarks are out of reach")


@dataclass
class Pile:
    """A repository of the tests, which may be ill."""

    channel: str = "pile"
    error: Exception | None = None
    taken: list[bytes] = field(default_factory=list)

    def send(self, messages: Sequence[bytes]) -> None:
        if self.error is not None:
            raise self.error
        self.taken += messages


@dataclass
class Chair:
    """A leader who was told whether to lead."""

    leading: bool = True

    def start(self, alarm: Alarm) -> None:
        self.leading = True

    def leads(self) -> bool:
        return self.leading

    def stop(self) -> None:
        self.leading = False
