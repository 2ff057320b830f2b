"""The processes a quickstart started: exactly those are shown and ended, by pid and start time."""

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pacs_secure.quickstart.layout import Layout, write_json


@dataclass(frozen=True, slots=True)
class Process:
    """One process, told from a later one with the same pid by its start time."""

    name: str
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        return _started(self.pid) == self.started  # a look at the kernel, other every time

    def end(self, patience: float = 15.0) -> None:
        """Ask it to end, and insist after ``patience`` seconds."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.alive:
                return
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
            until = time.monotonic() + patience
            while time.monotonic() < until and _started(self.pid) == self.started:
                time.sleep(0.05)


def identify(name: str, pid: int) -> Process:
    """Describe a process that was just started."""
    return Process(name, pid, _started(pid) or 0)


def remembered(layout: Layout) -> list[Process]:
    """Return what the last start wrote down, in the order to end it."""
    if not layout.processes_file.exists():
        return []
    try:
        return [Process(**process) for process in json.loads(layout.processes_file.read_text())["processes"]]
    except (ValueError, KeyError, TypeError):
        return []


def remember(layout: Layout, processes: list[Process]) -> None:
    """Write down what runs, in the order to end it."""
    write_json(
        layout.processes_file,
        {"processes": [{"name": one.name, "pid": one.pid, "started": one.started} for one in processes]},
    )


def _started(pid: int) -> int | None:
    """Return the kernel's start time of a living process, in clock ticks since boot."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
