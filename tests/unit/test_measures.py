"""The numbers are those of the archive itself."""

import os
from datetime import UTC, datetime, timedelta
from math import isnan
from pathlib import Path

import pytest

from pacs_secure import measures
from pacs_secure.archive.key_pool import KeyPool
from pacs_secure.archive.vouching import Vouching
from pacs_secure.core.access import Action, Role
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.scrubs import ScrubRound
from tests.builders import HERE, subject
from tests.cosigning import Cosigner
from tests.fakes_blobs import MemoryBlobs
from tests.fakes_keys import FakeKeyring, MemorySnapshots
from tests.fakes_metrics import MemoryGauges
from tests.fakes_scrubs import MemoryScrubs
from tests.unit.archive.instances import store
from tests.world import ORIGIN, World, memory_world

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def secret(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    file = folder / "token"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_the_ledger_tells_its_size_and_how_old_its_newest_witness_is(world: World) -> None:
    gauges, witness = MemoryGauges(), Cosigner("w1.example")
    vouching = Vouching(world.publisher, ORIGIN, world.keyring.public_key, [witness.key])
    measures.measure_ledger(gauges, world.ledger, world.publisher, vouching, lambda: NOON)
    world.archive.guard.announce(HERE, Action.SYSTEM_START, {})

    before = gauges.now()
    note = world.notary.attest() and world.publisher.checkpoint()
    assert note
    world.publisher.add_witnessed(1, note + witness.sign(note, NOON - timedelta(seconds=40)))

    assert (before["ledger_entries"], before["ledger_published_entries"]) == (1, 0)
    assert isnan(before["ledger_witnessed_age_seconds"])
    assert gauges.now() == {
        "ledger_entries": 1.0,
        "ledger_published_entries": 1.0,
        "ledger_witnessed_age_seconds": 40.0,
    }


def test_the_machine_tells_its_free_bytes_and_whether_the_archive_works(tmp_path: Path) -> None:
    gauges, works = MemoryGauges(), [True]

    def ready() -> None:
        if not works[0]:
            raise Unavailable("the keys are out of reach")

    measures.measure_machine(gauges, tmp_path, ready)
    assert gauges.now()["ready"] == 1.0
    works[0] = False
    assert gauges.now()["ready"] == 0.0
    space = os.statvfs(tmp_path)
    assert 0 < gauges.now()["objects_free_bytes"] <= space.f_blocks * space.f_frsize


def test_a_bucket_does_not_say_how_much_room_it_has() -> None:
    gauges = MemoryGauges()
    measures.measure_machine(gauges, None, lambda: None)

    assert gauges.now() == {"ready": 1.0}


def test_the_stores_of_objects_tell_how_far_the_second_is_behind() -> None:
    gauges, second = MemoryGauges(), MemoryBlobs()
    alone, both = memory_world().archive, memory_world(second)
    now = datetime.now(UTC)
    measures.measure_objects(gauges, alone.copies, alone.replication, lambda: now)
    assert gauges.now() == {}

    archive = both.archive
    assert archive.replication is not None
    measures.measure_objects(
        gauges, archive.copies, archive.replication, lambda: datetime.now(UTC) + timedelta(hours=1)
    )
    store(both)
    before = gauges.now()
    assert before["objects_waiting_for_second_store"] == 1
    assert 3500 < before["objects_replication_lag_seconds"] < 3700
    assert isnan(before["objects_compared_age_seconds"])

    archive.replication.step()
    archive.replication.mend(subject(Role.OPERATOR), details={})
    after = gauges.now()
    assert (after["objects_waiting_for_second_store"], after["objects_replication_lag_seconds"]) == (0, 0)
    assert 3500 < after["objects_compared_age_seconds"] < 3700
    assert after["objects_read_from_second_store"] == 0


def test_where_nothing_is_nobody_tells_what_is_free(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        measures.free_bytes(tmp_path / "gone")


def test_a_token_is_long_and_for_its_owner_only(tmp_path: Path) -> None:
    assert measures.watchers_token(None) is None
    assert measures.watchers_token(secret(tmp_path, b"t" * 32 + b"\n")) == b"t" * 32
    with pytest.raises(Unavailable):
        measures.watchers_token(secret(tmp_path, b"t" * 31))
    with pytest.raises(Unavailable):
        measures.watchers_token(secret(tmp_path, b"t" * 32, 0o640))
    with pytest.raises(Unavailable):
        measures.watchers_token(tmp_path / "gone")


def test_the_pool_of_keys_tells_how_full_it_is() -> None:
    gauges, keyring = MemoryGauges(), FakeKeyring()
    pool = KeyPool(keyring, keyring, MemorySnapshots(), HERE, 3, lambda: NOON, only_in_snapshot=True)
    measures.measure_pool(gauges, pool)
    pool.fill()

    assert gauges.now() == {"pool_ready_keys": 0.0, "pool_waiting_keys": 6.0}


def test_the_key_of_the_house_tells_its_age_and_whether_it_is_being_turned(world: World) -> None:
    gauges, operator = MemoryGauges(), subject(Role.OPERATOR, department="")
    made_at = world.keyring.state(HERE).made_at
    measures.measure_keys(gauges, world.archive.rekey, HERE, lambda: made_at + timedelta(days=3))
    assert gauges.now() == {"institution_key_age_seconds": 3 * 86400.0, "rewrapping_pending": 0.0}

    world.archive.rekey.rotate(operator, None, details={})
    assert gauges.now()["rewrapping_pending"] == 1.0
    world.keyring.sealed = True
    assert isnan(gauges.now()["institution_key_age_seconds"])


def test_the_scrub_tells_when_everything_had_been_read_and_what_was_wanting() -> None:
    gauges, scrubs = MemoryGauges(), MemoryScrubs()
    measures.measure_scrub(gauges, scrubs, lambda: NOON)
    before = gauges.now()
    scrubs.keep(ScrubRound(1, NOON, NOON, 9, 9, 900, 2, NOON - timedelta(hours=1)))
    scrubs.keep(ScrubRound(2, NOON, NOON, 3, 3, 300, 1))

    assert isnan(before["scrub_finished_age_seconds"])
    assert before["scrub_wanting_objects"] == 0.0
    assert gauges.now() == {"scrub_finished_age_seconds": 3600.0, "scrub_wanting_objects": 3.0}
