"""A process that does one job after the other over real engines and meets a fault in each, for ``test_crash.py``.

It is told by lines of JSON: first where everything is, then one round after the other. Each round runs
in a fork of its own, so that a round that is killed costs no start of Python.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pacs_secure.adapters.backup_directory import BackupDirectory
from pacs_secure.adapters.vault_key_list import VaultKeyList
from pacs_secure.adapters.vault_keyring import VaultEraser, VaultSigner, VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_rewrapper import VaultRewrapper
from pacs_secure.adapters.vault_session import AppRole, VaultSession
from pacs_secure.archive import ingest
from pacs_secure.archive.forgetting import LONGEST_MEMORY, Forget
from pacs_secure.archive.rekey import Rekey
from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.identifiers import Institution, institution
from pacs_secure.dicom.part10 import split
from tests.bdd.pictures import picture
from tests.crash_steps import PICTURES, arm, say
from tests.keeping import Kept
from tests.world import DiskWorld, disk_world, shipped_policy

ROLES = (VaultRole.STORE, VaultRole.READER, VaultRole.SIGNER, VaultRole.ERASER, VaultRole.KEEPER)
NOTE = {"protocol": "test"}
Place = Mapping[str, Any]


def person(role: Role, of: Institution) -> Subject:
    return Subject(f"one.{role}", role, of, "radiology", Door.DIMSE, "127.0.0.1")


@contextmanager
def opened(place: Place) -> Iterator[DiskWorld]:
    """Open the archive that all rounds share, as a process that starts does."""
    with ExitStack() as stack:
        sessions = [
            VaultSession(place["address"], Path(place["ca_file"]), AppRole(*place["roles"][role])) for role in ROLES
        ]
        for session in sessions:
            stack.callback(session.close)
        store, reader, signer, eraser, keeper = sessions
        home = institution(place["institution"])
        yield stack.enter_context(
            disk_world(
                Path(place["directory"]),
                VaultWrapper(store),
                VaultUnwrapper(reader),
                VaultSigner(signer, home),
                eraser=VaultEraser(eraser, reader),
                home=home,
                rewrapper=VaultRewrapper(keeper),
                key_list=VaultKeyList(eraser),
            )
        )


def kept(place: Place, world: DiskWorld) -> Kept:
    """Return the place of backups; snapshots of the vault have tests of their own."""
    engines = world.house.engines
    assert engines.signer is not None
    return Kept(world, BackupDirectory(Path(place["backups"])), engines.signer, None, None, home=engines.home)


def later(verb: Forget) -> Forget:
    """Return the verb as it is when no process can have a key in memory any more."""
    return replace(verb, now=lambda: verb.now() + LONGEST_MEMORY + timedelta(seconds=1))


def afterwards(verb: Rekey) -> Rekey:
    """Return the verb as it is when no key is on its way to the shelf any more."""
    return replace(verb, now=lambda: verb.now() + timedelta(minutes=2))


def store(world: DiskWorld, number: int) -> None:
    """Store the pictures of one study in one act, and tell each that was acknowledged."""
    by = person(Role.MODALITY, world.house.engines.home)
    with world.archive.ingest.begin(by, None, NOTE) as reception:
        for instance in range(1, PICTURES + 1):
            one = picture("US", instance, study=number)
            parts = split(one.stream)
            try:
                reception.store(ingest.Received(parts.data_set, parts.transfer_syntax_uid))
            except Exception as error:  # noqa: BLE001 - the door says so to the modality, whatever it was
                say(refused=one.sop_instance_uid, error=type(error).__name__)
            else:
                say(kept=one.sop_instance_uid)


def forget(world: DiskWorld, number: int) -> None:
    by, verb = person(Role.OPERATOR, world.house.engines.home), world.archive.forget
    verb.request(by, None, picture("US", study=number).study_instance_uid, details=NOTE)
    verb.carry_on(by, None, details=NOTE)
    later(verb).carry_on(by, None, details=NOTE)


def rewrap(world: DiskWorld) -> None:
    by, verb = person(Role.OPERATOR, world.house.engines.home), world.archive.rekey
    verb.rotate(by, None, details=NOTE)
    afterwards(verb).rewrap(by, None, details=NOTE)


def act(place: Place, job: str, number: int, step: str, fault: str, nth: int) -> None:
    """Open the archive and do the job, with a fault on its way."""
    with opened(place) as world:
        if job != "ingest":
            store(world, number)
            world.notary.attest()
        arm(job, step, fault, nth)
        if job == "ingest":
            store(world, number)
        elif job == "forget":
            forget(world, number)
        elif job == "rewrap":
            rewrap(world)
        else:
            kept(place, world).take()


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
