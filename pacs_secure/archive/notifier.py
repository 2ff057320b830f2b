"""The notifier: carries notices out of the house until they were taken, however long that takes.

A notice waits in the database, not here: nothing is lost when the process ends, and nothing that
fails here can hinder the act that it tells of. One notifier, with a thread of its own, for each way out.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from pacs_secure.core.errors import ArchiveError
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Messenger, Notices

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
LONGEST_PAUSE = 900.0
"""Seconds between two attempts at most, however often it has failed."""

MOST_AT_ONCE = 50
_PATIENCE = 30.0


class Notifier:
    """Delivers what waits for one messenger, oldest first; a notice may come twice, and never not at all."""

    def __init__(
        self,
        notices: Notices,
        messenger: Messenger,
        institution: Institution,
        now: Callable[[], datetime],
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._notices = notices
        self._messenger = messenger
        self._institution = institution
        self._now = now
        self._leads = leads
        self._pause = EVERY_SECONDS
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pause(self) -> float:
        """Seconds until the next attempt: twice as long after each failure, short again after a success."""
        return self._pause

    def deliver(self) -> int:
        """Send everything that waits; return how many notices were taken.

        Raises:
            Unavailable: the messenger or the database is out of reach; what was not taken waits.
        """
        channel, taken = self._messenger.channel, 0
        while waiting := self._notices.waiting(self._institution, channel, MOST_AT_ONCE):
            self._messenger.send(waiting)
            self._notices.sent(self._institution, channel, waiting[-1].number, self._now())
            taken += len(waiting)
        return taken

    def attempt(self) -> bool:
        """Deliver once, whatever comes of it; say whether nothing is left waiting."""
        try:
            self.deliver()
        except ArchiveError as error:
            log.warning("notices wait for %s: %s", self._messenger.channel, error)
        except Exception as error:  # noqa: BLE001 - a notifier that dies silently tells nobody anything
            log.error("notices wait for %s: %s", self._messenger.channel, type(error).__name__)  # noqa: TRY400 - frames hold secrets
        else:
            self._pause = EVERY_SECONDS
            return True
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return False

    def start(self) -> None:
        """Deliver in a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._keep_on, name=f"notifier-{self._messenger.channel}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what waits is delivered after the next start."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _keep_on(self) -> None:
        ended = False
        while not ended:
            if self._leads():
                self.attempt()
            ended = self._ending.wait(self._pause)
