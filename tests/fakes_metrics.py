"""Gauges in memory."""

import re
from collections.abc import Callable
from math import nan

from pacs_secure.core.errors import ArchiveError, Malformed


class MemoryGauges:
    """Keeps what is measured; `now` reads it as a watcher would."""

    def __init__(self) -> None:
        self._reading: dict[str, Callable[[], float]] = {}

    def set(self, name: str, value: float) -> None:
        self.watch(name, lambda: value)

    def watch(self, name: str, read: Callable[[], float]) -> None:
        if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name):
            raise Malformed("a gauge's name is lower-case words joined by underscores")
        self._reading[name] = read

    def now(self) -> dict[str, float]:
        return {name: self._value(read) for name, read in self._reading.items()}

    def _value(self, read: Callable[[], float]) -> float:
        try:
            return read()
        except ArchiveError:
            return nan
