"""Readiness: whether keys really work, asked by doing it, and what follows when they do not.

A vault's own health page says yes while every operation fails, so a canary encrypts and decrypts.
From the moment it falls silent, keys in memory are dropped: a sealed vault must mean a closed archive.
"""

import logging
import threading
from collections.abc import Callable

from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import KeyCanary, Ledger

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
_PATIENCE = 10.0


class Readiness:
    """Listens to the canary, and says whether the archive can do its work."""

    def __init__(self, canary: KeyCanary, ledger: Ledger, drop_keys: Callable[[], None]) -> None:
        self._canary = canary
        self._ledger = ledger
        self._drop_keys = drop_keys
        self._singing = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def check(self) -> None:
        """Return when keys and ledger work; raise `Unavailable` otherwise."""
        if not self._singing:
            raise Unavailable("the keys are out of reach")
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
