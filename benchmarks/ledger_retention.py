"""What it costs to let a ledger expire (``python -m benchmarks.ledger_retention``): SQLite, every fsync, real files."""

import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from pacs_secure.core.access import Role
from tests.aged import write_past
from tests.builders import subject
from tests.fakes_keys import FakeKeyring
from tests.world import disk_world

ENTRIES, PATIENTS = 20_000, 500
OPERATOR = subject(Role.OPERATOR, department="")


def timed(what: str, count: int, act: Callable[[], object]) -> None:
    begun = time.perf_counter()
    act()
    took = time.perf_counter() - begun
    print(f"{what:<40} {took:7.2f} s   {count / took:10,.0f} entries a second")


def main() -> None:
    keyring = FakeKeyring()
    with (
        tempfile.TemporaryDirectory(dir=".") as place,
        disk_world(Path(place), keyring, keyring, keyring, eraser=keyring) as world,
    ):
        patients = [None, *(uuid4() for _ in range(PATIENTS))]
        timed(
            "writing the past",
            ENTRIES,
            lambda: write_past(world.house, ENTRIES, every=timedelta(hours=1), patients=patients),
        )
        world.notary.attest()
        verb = world.archive.ledger_retention
        timed("planning", ENTRIES, lambda: verb.plan(OPERATOR, None, details={}))
        timed("expiring", ENTRIES, lambda: verb.expire(OPERATOR, None, details={}))
        timed("a day on which nothing is too old", 1, lambda: verb.expire(OPERATOR, None, details={}))
        verdict = world.archive.verify.check_ledger(subject(Role.DPO, department=""))
        print("sound" if verdict.sound else verdict.findings)


if __name__ == "__main__":
    main()
