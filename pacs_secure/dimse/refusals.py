"""Callers who were turned away, recorded: but no flood of them may become a flood of the ledger."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from pacs_secure.core.access import AccessRequest, Action, Subject

LOGGER = logging.getLogger(__name__)


class Refuses(Protocol):
    """The part of the Guard that records what was refused before any decision."""

    def refuse(self, request: AccessRequest, facts: Mapping[str, str | int]) -> None:
        """Append the refusal to the ledger."""


class Refusals:
    """Records refused associations: so many a second, the rest counted into the next entry."""

    def __init__(self, guard: Refuses, per_second: int = 10, clock: Callable[[], float] = time.monotonic) -> None:
        self._guard = guard
        self._per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._allowance = float(per_second)
        self._refilled_at = clock()
        self._uncounted = 0

    def count(self) -> None:
        """Count one refusal into the next entry, without an entry of its own."""
        with self._lock:
            self._uncounted += 1

    def record(self, subject: Subject, reason: str, private: Mapping[str, str] | None = None) -> None:
        """Record one refused association; a ledger out of reach is logged, for the caller is refused anyway."""
        uncounted = self._take()
        if uncounted is None:
            return
        details = {"protocol": "A-ASSOCIATE", "reason": reason}
        request = AccessRequest(subject, Action.ASSOCIATION_OPEN, None, details=details, private=dict(private or {}))
        try:
            self._guard.refuse(request, {"uncounted": uncounted} if uncounted else {})
        except Exception as error:  # noqa: BLE001 - whatever failed, the caller stays refused and is counted
            LOGGER.warning("a refused association could not be recorded: %s", type(error).__name__)
            with self._lock:
                self._uncounted += uncounted + 1

    def _take(self) -> int | None:
        """Return how many refusals had no entry when this one may have one, else None."""
        with self._lock:
            now = self._clock()
            refill = (now - self._refilled_at) * self._per_second
            self._allowance = min(self._allowance + refill, float(self._per_second))
            self._refilled_at = now
            if self._allowance < 1:
                self._uncounted += 1
                return None
            self._allowance -= 1
            uncounted, self._uncounted = self._uncounted, 0
            return uncounted
