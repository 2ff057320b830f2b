"""The watch over our own clock: an entry is only worth what its time is worth (IHE Consistent Time, LOG-08).

Whoever may set the clock could date entries back. A step shows against the monotonic clock, which nobody
can set and which needs no network; a clock that was wrong from the start shows against other clocks.
"""

import logging
import time
from collections.abc import Callable, Mapping

from pacs_secure.core.errors import ArchiveError, Unavailable
from pacs_secure.ports import Clocks

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
"""Between two looks for a step."""
MOST_DRIFT = 1.0
"""Seconds that our clock may be off."""
LONGEST_SILENCE = 3600.0
"""Seconds after which clocks that do not answer are an alarm: nobody knows the time then."""

Alarm = Callable[[str, Mapping[str, str | int]], object]


class ClockWatch:
    """Looks for steps, and asks other clocks every so often."""

    def __init__(
        self,
        clocks: Clocks | None,
        every: float,
        alarm: Alarm,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clocks = clocks
        self._every = every
        self._alarm = alarm
        self._wall = wall
        self._monotonic = monotonic
        self._apart = wall() - monotonic()
        """How far the wall clock is from the monotonic one, as far as anybody was told."""
        self._next = self._heard = monotonic()
        self._drifting = self._silent = False

    def look(self) -> None:
        """Compare the clocks once; one alarm a step, one a drift, and one word when a drift is over.

        Raises:
            Unavailable: an alarm cannot be recorded now; the next look raises it.
        """
        self._look_for_step()
        if self._clocks is not None and self._monotonic() >= self._next:
            self._next = self._monotonic() + self._every
            self._ask(self._clocks)

    def _look_for_step(self) -> None:
        apart = self._wall() - self._monotonic()
        # Small steps add up: whoever moves the clock by half a second at a time is seen at the third.
        if abs(apart - self._apart) > MOST_DRIFT:
            self._alarm("clock", {"stepped_ms": _milliseconds(apart - self._apart)})
            self._apart = apart

    def _ask(self, clocks: Clocks) -> None:
        try:
            drift = clocks.drift()
        except ArchiveError as error:
            log.warning("the time is not known: %s", error)
            self._hear_nothing()
            return
        wrong = abs(drift) > MOST_DRIFT
        try:
            if wrong and not self._drifting:
                self._alarm("clock", {"drift_ms": _milliseconds(drift)})
            elif self._drifting and not wrong:
                self._alarm("clock", {"drift_ms": _milliseconds(drift), "recovered": "within a second again"})
            if self._silent:
                self._alarm("clock", {"silent_s": 0, "recovered": "time servers answer again"})
        except Unavailable:
            self._next = self._monotonic()
            raise
        self._drifting, self._silent, self._heard = wrong, False, self._monotonic()

    def _hear_nothing(self) -> None:
        silence = self._monotonic() - self._heard
        if silence > LONGEST_SILENCE and not self._silent:
            self._alarm("clock", {"silent_s": int(silence)})
            self._silent = True


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
