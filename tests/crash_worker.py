"""A process that stores pictures over real engines and meets a fault on the way, for ``test_ingest_crash.py``.

It is told by lines of JSON: first where everything is, then one round after the other. Each round runs
in a fork of its own, so that a round that is killed costs no start of Python.
"""

import errno
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from pacs_secure.adapters.sql import SqlRecords
from pacs_secure.adapters.sql.authorship import Authorship
from pacs_secure.adapters.vault_keyring import VaultSigner, VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_session import AppRole, VaultSession
from pacs_secure.archive import ingest
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.seals import Sealer
from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.identifiers import institution
from pacs_secure.dicom.part10 import split
from tests.bdd.pictures import picture
from tests.world import disk_world, shipped_policy

PICTURES = 3
"""Stored in each round, of one study."""
STEPS: Mapping[str, tuple[Any, str]] = {
    "2 scan": (ingest, "scan"),
    "3 decide": (Guard, "decide"),
    "4 seal, mint the key": (VaultWrapper, "mint"),
    "4 seal": (Sealer, "seal"),
    "5 put, write": (os, "write"),
    "5 put, fsync": (os, "fsync"),
    "5 put, name": (os, "link"),
    "6 index and record": (SqlRecords, "add"),
    "7 commit": (Engine, "commit"),
    "8 answer": (Authorship, "keep"),
}
"""The numbered steps of `pacs_secure.archive.ingest`, and what is done there."""
EVERYWHERE = ("kill -9", "exception", "hang")
OF_DISKS = ("ENOSPC", "EIO")
FAULTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(STEPS, EVERYWHERE),
    "5 put, write": (*EVERYWHERE, *OF_DISKS, "short write"),
    "5 put, fsync": (*EVERYWHERE, *OF_DISKS),
    "5 put, name": (*EVERYWHERE, *OF_DISKS),
    "7 commit": (*EVERYWHERE, *OF_DISKS),
    "8 answer": ("kill -9", "hang"),
}
"""What may happen at each step."""


def say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def strike(fault: str, step: str) -> None:
    """Do to this process what the fault does; a short write is done by whoever writes."""
    say(struck=step)
    if fault == "kill -9":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "hang":
        say(hangs=os.getpid())
        signal.pause()
    elif fault == "exception":
        raise RuntimeError("a fault that nobody foresaw")
    elif step == "7 commit":
        said = {"ENOSPC": "database or disk is full", "EIO": "disk I/O error"}[fault]
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError(said))
    elif fault != "short write":
        raise OSError({"ENOSPC": errno.ENOSPC, "EIO": errno.EIO}[fault], "a fault of the disk")


def arm(step: str, fault: str, nth: int) -> None:
    """Let the fault happen at the n-th time that somebody comes to the step."""
    left = [nth]

    def met() -> bool:
        left[0] -= 1
        return left[0] == 0

    if step == "7 commit":
        event.listen(Engine, "commit", lambda _: strike(fault, step) if met() else None)
        return
    owner, name = STEPS[step]
    real: Callable[..., Any] = getattr(owner, name)

    def faulty(*words: Any, **named: Any) -> Any:
        if met():
            strike(fault, step)
            if fault == "short write":
                descriptor, content = words
                return real(descriptor, content[: max(1, len(content) // 2)])
        return real(*words, **named)

    setattr(owner, name, faulty)


def act(place: Mapping[str, Any], number: int, step: str, fault: str, nth: int) -> None:
    """Open the archive, store the pictures of one study in one act, and tell each that was acknowledged."""
    sessions = {
        role: VaultSession(place["address"], Path(place["ca_file"]), AppRole(*place["roles"][role]))
        for role in (VaultRole.STORE, VaultRole.READER, VaultRole.SIGNER)
    }
    store, reader, signer = sessions.values()
    home = institution(place["institution"])
    modality = Subject("CT1", Role.MODALITY, home, "radiology", Door.DIMSE, "127.0.0.1")
    keys = VaultWrapper(store), VaultUnwrapper(reader), VaultSigner(signer, home)
    with disk_world(Path(place["directory"]), *keys, home=home) as world:
        arm(step, fault, nth)
        with world.archive.ingest.begin(modality, None, {"protocol": "test"}) as reception:
            for instance in range(1, PICTURES + 1):
                one = picture("US", instance, study=number)
                parts = split(one.stream)
                try:
                    reception.store(ingest.Received(parts.data_set, parts.transfer_syntax_uid))
                except Exception as error:  # noqa: BLE001 - the door says so to the modality, whatever it was
                    say(refused=one.sop_instance_uid, error=type(error).__name__)
                else:
                    say(kept=one.sop_instance_uid)
    for session in sessions.values():
        session.close()


def main() -> None:
    place = json.loads(sys.stdin.readline())
    shipped_policy()
    say(ready=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            with suppress(BaseException):
                act(place, **json.loads(line))
            os._exit(0)
        os.waitpid(child, 0)
        say(over=True)


if __name__ == "__main__":
    main()
