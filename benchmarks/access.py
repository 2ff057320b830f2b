"""What deciding and recording cost (``python -m benchmarks.access``): SQLite, every fsync, the policy that ships."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pacs_secure.core.access import AccessRequest, Action, Role
from pacs_secure.core.query import Level, Query
from tests.builders import subject
from tests.fakes_keys import FakeKeyring
from tests.unit.archive.instances import TECHNOLOGIST, data_set, received
from tests.world import DiskWorld, disk_world

STUDIES, ROUNDS = 1_000, 400


def measure(what: str, act: Callable[[], object]) -> None:
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        act()
        took.append((time.perf_counter() - begun) * 1_000)
    took.sort()
    print(f"{what:<52} median {statistics.median(took):6.3f} ms   p99 {took[int(ROUNDS * 0.99)]:6.3f} ms")


def measure_for(world: DiskWorld, role: Role) -> None:
    by, guard = subject(role), world.archive.guard
    request = AccessRequest(by, Action.STUDY_SEARCH, None)
    measure(f"{role}: ties gathered and proven", lambda: guard.viewer(by, None))
    measure(f"{role}: decision", lambda: guard.decide(request))
    measure(f"{role}: decision and record, durable", lambda: guard.admit(request))
    for limit in (1, 100):
        query = Query(Level.STUDY, limit=limit)
        measure(
            f"{role}: whole search, {limit} results",
            lambda query=query: world.archive.search.find(by, None, query, details={}),  # type: ignore[misc]
        )


def main() -> None:
    keyring = FakeKeyring()
    with tempfile.TemporaryDirectory(dir=".") as place, disk_world(Path(place), keyring, keyring, keyring) as world:
        with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
            for study in range(1, STUDIES + 1):
                reception.store(received(data_set(study, PatientID=str(study), PatientName=f"Name^{study}")))
        for role in (Role.RADIOLOGIST, Role.CLINICIAN):
            measure_for(world, role)


if __name__ == "__main__":
    main()
