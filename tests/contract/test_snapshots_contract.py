"""What is known of the vault's snapshots: the newest that was verified, in SQL and in memory alike."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure.adapters.sql import Database
from pacs_secure.adapters.sql.snapshots import SqlSnapshots
from pacs_secure.ports import Snapshots
from tests.builders import NOW, digest
from tests.fakes_keys import MemorySnapshots
from tests.postgres_fixture import ENGINES, place_of

HOUR = timedelta(hours=1)


@pytest.fixture(params=[*ENGINES, "memory"])
def snapshots(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Snapshots]:
    if request.param == "memory":
        yield MemorySnapshots()
        return
    database = Database(place_of(request, tmp_path))
    yield SqlSnapshots(database)
    database.close()


def test_before_anything_was_verified_no_key_lies_in_a_snapshot(snapshots: Snapshots) -> None:
    assert snapshots.newest_verified() is None


def test_the_newest_is_the_one_taken_last_whichever_was_verified_last(snapshots: Snapshots) -> None:
    snapshots.add(NOW, NOW + HOUR, digest("later"))
    snapshots.add(NOW - HOUR, NOW + 2 * HOUR, digest("earlier"))

    assert snapshots.newest_verified() == NOW


def test_a_snapshot_that_is_verified_again_stays_what_it_was(snapshots: Snapshots) -> None:
    snapshots.add(NOW, NOW, digest("one"))
    snapshots.add(NOW + HOUR, NOW + HOUR, digest("one"))

    assert snapshots.newest_verified() == NOW


def test_a_restart_forgets_no_snapshot(tmp_path: Path) -> None:
    for expected in (None, NOW):
        database = Database(tmp_path / "index.db")
        kept = SqlSnapshots(database)
        assert kept.newest_verified() == expected
        kept.add(NOW, NOW, digest("one"))
        database.close()
