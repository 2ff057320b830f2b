"""Leads by a lock on a file, which the kernel takes back from a process that ends, however it ends."""

import fcntl
import os
import threading
from pathlib import Path

from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import Alarm


class FileLeader:
    """`pacs_secure.ports.Leader` among the processes of one machine."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._held: int | None = None
        self._started = False

    def start(self, alarm: Alarm) -> None:  # noqa: ARG002 - nothing is found here
        """Lead from now on, or stand by until the place is free.

        Raises:
            Unavailable: the file cannot be made.
        """
        self._started = True
        self.leads()

    def leads(self) -> bool:
        """Say whether this process leads; one that stands by takes the place as soon as it is free."""
        with self._lock:
            if self._held is None and self._started:
                self._held = self._take()
            return self._held is not None

    def stop(self) -> None:
        """Give the place up; a second call does nothing."""
        with self._lock:
            self._started = False
            if self._held is not None:
                os.close(self._held)
            self._held = None

    def _take(self) -> int | None:
        try:
            file = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Unavailable("the file that leadership is held by cannot be opened") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return None
        return file
