"""A strongroom in memory that passes the contract of the real one."""

from collections.abc import Iterator

from pacs_secure.core.errors import Conflict, Unavailable


class MemoryStrongroom:
    """Contents in a dictionary; set ``down`` to put them out of reach."""

    def __init__(self) -> None:
        self.down = False
        self.kept: dict[str, bytes] = {}

    def keep(self, name: str, content: bytes) -> None:
        self._reach()
        if self.kept.setdefault(name, content) != content:
            raise Conflict("another content was kept under this name first")

    def read(self, name: str) -> bytes | None:
        self._reach()
        return self.kept.get(name)

    def names(self, after: str) -> Iterator[str]:
        self._reach()
        folder = after.rpartition("/")[0] + "/"
        yield from sorted(name for name in self.kept if name.startswith(folder) and name > after)

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the strongroom is out of reach")
