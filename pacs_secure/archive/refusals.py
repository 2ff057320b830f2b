"""Callers who were turned away, recorded: but no flood of them may become a flood of the ledger."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from pacs_secure.core.access import AccessRequest

LOGGER = logging.getLogger(__name__)


class Refuses(Protocol):
    """The part of the Guard that records what was refused before any decision."""

    def refuse(self, request: AccessRequest, facts: Mapping[str, str | int]) -> None:
        """Append the refusal to the ledger."""


class Refusals:
    """Records what a door refuses: so many a second, the rest counted into the next entry as ``others``."""

    def __init__(self, guard: Refuses, per_second: int = 10, clock: Callable[[], float] = time.monotonic) -> None:
        self._guard = guard
        self._per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._allowance = float(per_second)
        self._refilled_at = clock()
        self._silent = 0
        self._reached = True

    def count(self) -> None:
        """Count one refusal into the next entry, without an entry of its own."""
        with self._lock:
            self._silent += 1

    def record(self, request: AccessRequest, facts: Mapping[str, str | int] | None = None) -> bool:
        """Record one refusal, or count it; say False while the ledger is out of reach, which is logged."""
        silent = self._take()
        return self._reached if silent is None else self._append(request, facts or {}, silent)

    def flush(self, request: AccessRequest) -> None:
        """Record what is counted and in no entry yet, when there is anything: the door closes."""
        with self._lock:
            silent, self._silent = self._silent, 0
        if silent:
            self._append(request, {}, silent)

    def _append(self, request: AccessRequest, facts: Mapping[str, str | int], silent: int) -> bool:
        try:
            self._guard.refuse(request, {**facts, "others": silent} if silent else facts)
        except Exception as error:  # noqa: BLE001 - whatever failed, the caller stays refused and is counted
            LOGGER.warning("a refusal could not be recorded: %s", type(error).__name__)
            with self._lock:
                self._silent += silent + 1
            self._reached = False
        else:
            self._reached = True
        return self._reached

    def _take(self) -> int | None:
        """Return how many refusals had no entry of their own when this one may have one, else None."""
        with self._lock:
            now = self._clock()
            refill = (now - self._refilled_at) * self._per_second
            self._allowance = min(self._allowance + refill, float(self._per_second))
            self._refilled_at = now
            if self._allowance < 1:
                self._silent += 1
                return None
            self._allowance -= 1
            silent, self._silent = self._silent, 0
            return silent
