"""Keeps an issuer's public keys: fetched over https, believed for ten minutes, needed at most an hour longer.

One thread fetches while the others go on with what is there. A stranger who names keys that nobody
has can cause one fetch a minute, no more.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pacs_secure.core.errors import Malformed, Unavailable

K = TypeVar("K")

FRESH = 600.0
"""Seconds that fetched keys are used without asking again."""
BETWEEN_FORCED = 60.0
"""Seconds between two fetches that an unknown key name may cause."""
BETWEEN_FAILURES = 10.0
"""Seconds after a failed fetch before the next, so that an outage does not hold up every caller."""
STALE = 3600.0
"""Seconds that keys may serve after their freshness, while the issuer cannot be asked."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Held(Generic[K]):
    keys: Mapping[str, K]
    fetched_at: float


class FetchedKeys(Generic[K]):
    """Keys by their names (`kid`), fetched when they are needed."""

    def __init__(self, fetch: Callable[[], Mapping[str, K]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._flight = threading.Lock()
        self._held: _Held[K] | None = None
        self._tried_at: float | None = None
        self._failed = False

    def find(self, kid: str) -> K | None:
        """Return the key of that name, or None when the issuer has none.

        Raises:
            Unavailable: the issuer cannot be asked, and what is held is too old to be believed.
        """
        held = self._held
        known = held is not None and kid in held.keys
        if held is None or not known or self._age(held) > FRESH:
            # Whoever has a usable key does not wait for another thread that already asks.
            if self._flight.acquire(blocking=not (known and self._usable(held))):
                try:
                    self._refresh(kid)
                finally:
                    self._flight.release()
            held = self._held
        if held is None or not self._usable(held):
            raise Unavailable("the keys of an identity provider are out of reach")
        return held.keys.get(kid)

    def _refresh(self, kid: str) -> None:
        now, held = self._monotonic(), self._held
        if held is not None and kid in held.keys and self._age(held) <= FRESH:
            return  # another thread has just fetched it
        fresh = held is not None and self._age(held) <= FRESH
        pause = BETWEEN_FORCED if fresh else BETWEEN_FAILURES if self._failed else 0.0
        if self._tried_at is not None and now - self._tried_at < pause:
            return
        self._tried_at = now
        try:
            self._held = _Held(self._fetch(), now)
            self._failed = False
        except (Unavailable, Malformed) as error:
            self._failed = True
            _log.warning("the keys of an identity provider could not be fetched: %s", error)

    def _age(self, held: _Held[K]) -> float:
        return self._monotonic() - held.fetched_at

    def _usable(self, held: _Held[K] | None) -> bool:
        return held is not None and self._age(held) <= FRESH + STALE
