"""A circuit breaker: what has just failed three times is not waited for again before a short pause is over."""

import threading
from collections.abc import Callable

from pacs_secure.core.errors import Unavailable

FAILURES = 3
"""In a row, after which callers are refused at once."""
PAUSE = 1.0
"""Seconds after which one caller may probe."""


class Breaker:
    """Counts failures in a row; open, it refuses everyone but one probe a pause."""

    def __init__(self, monotonic: Callable[[], float], what: str) -> None:
        self._monotonic = monotonic
        self._what = what
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_until = 0.0

    def admit(self) -> None:
        """Let the caller try; raise `Unavailable` at once while the last failures are too fresh.

        The pause begins anew with each probe, so that a probe which hangs holds nobody else up.
        """
        with self._lock:
            if self._failures < FAILURES:
                return
            now = self._monotonic()
            if now >= self._closed_until:
                self._closed_until = now + PAUSE
                return
        raise Unavailable(f"{self._what} failed a moment ago")

    def failed(self) -> None:
        """Note that a try failed."""
        with self._lock:
            self._failures += 1
            self._closed_until = self._monotonic() + PAUSE

    def worked(self) -> None:
        """Note that a try came through."""
        with self._lock:
            self._failures = 0
