"""Readiness: whether keys really work, asked by doing it, and what follows when they do not.

A vault's own health page says yes while every operation fails, so a canary encrypts and decrypts.
From the moment it falls silent, keys in memory are dropped: a sealed vault must mean a closed archive.
So must a ledger that gives what was said no place: what stands in no ledger, nobody verifies or witnesses. And a
vault in which forgotten keys are back was restored from a snapshot that still had them.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.resurrection import Resurrection
from pacs_secure.core.errors import ArchiveError, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import KeyCanary, Ledger

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
LONGEST_LAG = timedelta(seconds=60)
"""How long what was said may wait for its place in the ledger before nothing is delivered any more (LOG-04)."""
_PATIENCE = 10.0


class Readiness:
    """Listens to the canary, and says whether the archive can do its work."""

    def __init__(
        self,
        canary: KeyCanary,
        ledger: Ledger,
        drop_keys: Callable[[], None],
        guard: Guard,
        of: Institution,
        resurrection: Resurrection,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._canary = canary
        self._ledger = ledger
        self._drop_keys = drop_keys
        self._guard = guard
        self._of = of
        self._resurrection = resurrection
        self._now = now
        self._alarmed = False
        self._singing = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def check(self) -> None:
        """Return when keys and ledger work and what was forgotten is gone; raise `Unavailable` otherwise."""
        if not self._singing:
            raise Unavailable("the keys are out of reach")
        if self._guard.lags:
            raise Unavailable("the ledger lags behind")
        self._resurrection.check()
        self._ledger.size()

    def listen(self) -> bool:
        """Ask the canary once; return whether it sang, and drop every key when it did not."""
        try:
            self._canary.sing()
        except Unavailable as error:
            if self._singing:
                log.warning("the keys are out of reach, nothing is accepted or delivered: %s", error)
            self._singing = False
            self._drop_keys()
            return False
        if not self._singing:
            log.info("the keys are within reach")
        self._singing = True
        return True

    def look(self) -> None:
        """Look once whether the ledger follows; deliver nothing while it does not, and raise one alarm an outage.

        Raises:
            Unavailable: ledger or alarm are out of reach.
        """
        lags = self._ledger.lags(self._now() - LONGEST_LAG)
        if lags and not self._guard.lags:
            log.error("what was said gets no place in the ledger, nothing is delivered")
        self._guard.lags = lags
        if lags != self._alarmed:
            told = {"seconds": int(LONGEST_LAG.total_seconds())} if lags else {"recovered": "it follows again"}
            self._guard.alarm(self._of, "ledger lags", told)
            self._alarmed = lags

    def start(self) -> None:
        """Listen now, and every second in a thread of its own until `stop`."""
        self.listen()
        self._thread = threading.Thread(target=self._keep_on, name="readiness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and drop every key."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        self._singing = False
        self._drop_keys()

    def _keep_on(self) -> None:
        while not self._ending.wait(EVERY_SECONDS):
            try:
                self.listen()
            except Exception:
                self._singing = False
                self._drop_keys()
                log.exception("the canary could not be heard")
            try:
                self.look()
            except ArchiveError as error:
                log.warning("nobody knows whether the ledger follows: %s", error)
