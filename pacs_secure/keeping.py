"""What a running archive does for its keys by itself: it ends what a rotation has begun."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pacs_secure.archive.rekey import Rekey, Stay
from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.identifiers import Institution

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
"""Between two looks whether a rewrapping waits."""
AFTER_FAILURE = timedelta(days=1)
"""Until entries that could not be wrapped anew are tried again: each try raises an alarm."""


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
