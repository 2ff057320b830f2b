"""Time stamping: lets an authority that is nobody's here say when the ledger had come how far (RFC 3161).

Whoever holds the checkpoint key could sign a past that never was; the authority signs none for them.
"""

import logging
import time
from collections.abc import Callable, Mapping

from pacs_secure.core.errors import ArchiveError
from pacs_secure.crypto.tlog import parse_checkpoint
from pacs_secure.ports import Publisher, TimeStamps

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
"""Between two looks whether a time stamp is due."""
AGAIN = 300.0
"""Seconds until a time stamp that failed is tried again."""

Alarm = Callable[[str, Mapping[str, str | int]], object]


class TimeStamping:
    """Stamps the newest checkpoint every so many seconds, when there is a newer one."""

    def __init__(
        self,
        publisher: Publisher,
        authority: TimeStamps,
        every: float,
        alarm: Alarm,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._authority = authority
        self._every = every
        self._alarm = alarm
        self._monotonic = monotonic
        self._next = 0.0
        self._done = monotonic()
        self._raised = False

    def look(self) -> None:
        """Stamp when it is due; one alarm when none could be had for two periods, and one word when it is over.

        Raises:
            Unavailable: an alarm cannot be recorded now; the next look raises it.
        """
        now = self._monotonic()
        if now < self._next:
            return
        try:
            self._stamp()
        except ArchiveError as error:
            log.warning("no time stamp: %s", error)
            if now - self._done > 2 * self._every and not self._raised:
                self._alarm("unstamped", {"seconds": int(now - self._done), "because": str(error)})
                self._raised = True
            self._next = now + min(AGAIN, self._every)
            return
        if self._raised:
            self._alarm("unstamped", {"recovered": f"after {int(now - self._done)} s"})
            self._raised = False
        self._done, self._next = now, now + self._every

    def _stamp(self) -> None:
        """Stamp the newest checkpoint, unless it is stamped already; before the first there is nothing to do."""
        note = self._publisher.checkpoint()
        if note is None:
            return
        size = parse_checkpoint(note).size
        if self._publisher.time_stamp(size) is None:
            self._publisher.add_time_stamp(size, self._authority.stamp(note))
