"""Looking again and again: at files that somebody replaces, and at whatever else changes by itself."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

log = logging.getLogger(__name__)

_PATIENCE = 10.0

Seen = tuple[tuple[int, int, int] | None, ...]


class FileWatch:
    """Says whether any of some files was written or replaced since it last said so."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = tuple(files)
        self._seen = self._look()

    def changed(self) -> bool:
        """Say whether a file is another, or came or went, since the last call."""
        before, self._seen = self._seen, self._look()
        return self._seen != before

    def _look(self) -> Seen:
        return tuple(_state(file) for file in self._files)


class Periodic:
    """Does one thing every so many seconds in a thread of its own; what it raises is logged, and it goes on."""

    def __init__(self, name: str, seconds: float, act: Callable[[], object]) -> None:
        self._seconds = seconds
        self._act = act
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep_on, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first time comes after so many seconds."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for what is being done."""
        self._ending.set()
        self._thread.join(_PATIENCE)

    def _keep_on(self) -> None:
        while not self._ending.wait(self._seconds):
            try:
                self._act()
            except Exception as error:  # noqa: BLE001 - nothing that fails once may end the watch
                log.error("%s failed: %s", self._thread.name, type(error).__name__)  # noqa: TRY400 - frames hold secrets


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
