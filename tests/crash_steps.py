"""The numbered steps of what must survive everything, and the faults that may happen at each of them."""

import errno
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from pacs_secure.adapters.backup_directory import BackupDirectory
from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.file_tree import FileTree
from pacs_secure.adapters.sql import SqlBackups, SqlForgettings, SqlRecords, SqlRewraps
from pacs_secure.adapters.sql.authorship import Authorship
from pacs_secure.adapters.tombstone_directory import TombstoneDirectory
from pacs_secure.adapters.vault_keyring import VaultEraser, VaultSigner, VaultWrapper
from pacs_secure.adapters.vault_rewrapper import VaultRewrapper
from pacs_secure.archive import backup, ingest
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.seals import Sealer

PICTURES = 3
"""Stored in each round, of one study."""
COMMIT = (Engine, "commit")
STEPS: Mapping[str, Mapping[str, tuple[Any, str]]] = {
    "ingest": {
        "2 scan": (ingest, "scan"),
        "3 decide": (Guard, "decide"),
        "4 seal, mint the key": (VaultWrapper, "mint"),
        "4 seal": (Sealer, "seal"),
        "5 put, write": (os, "write"),
        "5 put, fsync": (os, "fsync"),
        "5 put, name": (os, "link"),
        "6 index and record": (SqlRecords, "add"),
        "7 commit": COMMIT,
        "8 answer": (Authorship, "keep"),
    },
    "forget": {
        "1 request": (SqlForgettings, "request"),
        "2 fence": (SqlForgettings, "fence"),
        "3 drain": (SqlForgettings, "advance"),
        "4 bury": (TombstoneDirectory, "bury"),
        "4 forget": (VaultEraser, "erase"),
        "5 sweep": (DiskBlobs, "remove"),
        "any commit": COMMIT,
    },
    "rewrap": {
        "1 turn": (VaultRewrapper, "rotate"),
        "1 begin": (SqlRewraps, "begin"),
        "2 rewrap": (VaultRewrapper, "rewrap"),
        "2 note how far": (SqlRewraps, "advance"),
        "3 look": (VaultRewrapper, "below"),
        "4 retire": (VaultRewrapper, "retire"),
    },
    "back up": {
        "published": (FileTree, "write"),
        "database": (SqlBackups, "export"),
        "objects": (backup, "copied"),
        "sign": (VaultSigner, "sign"),
        "name": (BackupDirectory, "finish"),
    },
}
"""Of each job: its steps in the words of its module, and what is called there."""
EVERYWHERE = ("kill -9", "kill -9 behind", "exception", "hang")
OF_DISKS = ("ENOSPC", "EIO")
_OTHERS: Mapping[str, tuple[str, ...]] = {
    "5 put, write": (*EVERYWHERE, *OF_DISKS, "short write"),
    "5 put, fsync": (*EVERYWHERE, *OF_DISKS),
    "5 put, name": (*EVERYWHERE, *OF_DISKS),
    "7 commit": ("kill -9", "exception", "hang", *OF_DISKS),
    "any commit": ("kill -9", "exception", "hang", *OF_DISKS),
    "8 answer": ("kill -9", "kill -9 behind", "hang"),
}
FAULTS: Mapping[tuple[str, str], tuple[str, ...]] = {
    (job, step): _OTHERS.get(step, EVERYWHERE) for job, steps in STEPS.items() for step in steps
}
"""What may happen at each step: before what is done there, or right behind it."""


def say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def strike(fault: str, place: tuple[Any, str]) -> None:
    """Do to this process what the fault does; a short write is done by whoever writes."""
    say(struck=fault)
    if fault.startswith("kill -9"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "hang":
        say(hangs=os.getpid())
        signal.pause()
    elif fault == "exception":
        raise RuntimeError("a fault that nobody foresaw")
    elif place == COMMIT:
        said = {"ENOSPC": "database or disk is full", "EIO": "disk I/O error"}[fault]
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError(said))
    elif fault != "short write":
        raise OSError({"ENOSPC": errno.ENOSPC, "EIO": errno.EIO}[fault], "a fault of the disk")


def arm(job: str, step: str, fault: str, nth: int) -> None:
    """Let the fault happen at the n-th time that somebody comes to the step."""
    left, place = [nth], STEPS[job][step]

    def met() -> bool:
        left[0] -= 1
        return left[0] == 0

    if place == COMMIT:
        event.listen(Engine, "commit", lambda _: strike(fault, place) if met() else None)
        return
    owner, name = place
    real: Callable[..., Any] = getattr(owner, name)

    def faulty(*words: Any, **named: Any) -> Any:
        if not met():
            return real(*words, **named)
        if fault == "kill -9 behind":
            real(*words, **named)
        strike(fault, place)
        descriptor, content = words
        return real(descriptor, content[: max(1, len(content) // 2)])

    setattr(owner, name, faulty)
