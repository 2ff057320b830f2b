"""What a running archive does for its keys by itself: it ends what a rotation has begun, and keeps keys ready."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pacs_secure.archive.key_pool import KeyPool
from pacs_secure.archive.rekey import Rekey, Stay
from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Alarm

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
"""Between two looks whether a rewrapping waits."""
AFTER_FAILURE = timedelta(days=1)
"""Until entries that could not be wrapped anew are tried again: each try raises an alarm."""

DRY_FOR = timedelta(hours=1)
"""How long no key may be ready before that is an alarm: until the first snapshot after a start, none is."""


class Filling:
    """Keeps a pool of keys full, and says so when it stays empty."""

    def __init__(self, pool: KeyPool, alarm: Alarm, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._alarm = alarm
        self._now = now
        self._dry_since: datetime | None = None
        self._alarmed = False

    def look(self) -> None:
        """Make some of the keys that are missing.

        Raises:
            Unavailable: vault or index are out of reach, or the alarm could not be recorded.
        """
        try:
            self._pool.fill()
        finally:
            self._watch()

    def _watch(self) -> None:
        level = self._pool.level()
        if level.ready:
            self._dry_since = None
            if self._alarmed:
                self._alarm("key pool", {"recovered": "keys are ready again"})
                self._alarmed = False
            return
        self._dry_since = self._dry_since or self._now()
        if not self._alarmed and self._now() - self._dry_since >= DRY_FOR:
            self._alarm("key pool", {"ready": 0, "waiting": level.waiting})
            self._alarmed = True


class Rewrapping:
    """Goes on with a rewrapping while there is one, where this process leads; ends between two batches."""

    def __init__(self, rekey: Rekey, of: Institution, leads: Callable[[], bool], ending: Callable[[], bool]) -> None:
        self._rekey = rekey
        self._of = of
        self._leads = leads
        self._ending = ending
        self._not_before = datetime.min.replace(tzinfo=UTC)

    def look(self) -> None:
        """Carry out what waits.

        Raises:
            Unavailable: something is out of reach; the rest goes next time.
        """
        if not self._leads() or datetime.now(UTC) < self._not_before or not self._rekey.pending(self._of):
            return
        archive = Subject("archive", Role.OPERATOR, self._of, "", Door.JOB, "")
        rekeyed = self._rekey.rewrap(archive, None, details={"job": "rewrap"}, stop=self._ending)
        log.info("%s keys were wrapped anew, %s could not be", rekeyed.done, rekeyed.failed)
        if rekeyed.stay is Stay.FAILED:
            self._not_before = datetime.now(UTC) + AFTER_FAILURE
