"""Keys made beforehand: used when they may be, oldest first, and never twice."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from pacs_secure.archive.key_pool import MARGIN, MOST_AT_ONCE, KeyPool, Level
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import uid
from pacs_secure.house import furnish
from pacs_secure.ports import Shelf
from tests.builders import ELSEWHERE, HERE, NOW, digest
from tests.fakes_keys import FakeKeyring, MemorySnapshots
from tests.unit.archive.instances import TECHNOLOGIST, data_set, store, study_uid
from tests.world import World

HOUR = timedelta(hours=1)


class Kept:
    def __init__(self, size: int = 2, *, only_in_snapshot: bool = True) -> None:
        self.at: datetime = NOW
        self.keyring, self.snapshots = FakeKeyring(), MemorySnapshots()
        self.pool = KeyPool(
            self.keyring, self.keyring, self.snapshots, HERE, size, lambda: self.at, only_in_snapshot=only_in_snapshot
        )

    def snapshot(self, at: datetime) -> None:
        self.snapshots.add(at, at, digest(at.isoformat()))
        self.pool.fill()


def test_a_key_waits_until_a_verified_snapshot_surely_holds_it() -> None:
    kept = Kept()
    assert kept.pool.fill() == 4
    assert kept.pool.level() == Level(0, 4)
    kept.snapshot(NOW + MARGIN - timedelta(microseconds=1))
    assert kept.pool.level() == Level(0, 4)
    kept.snapshot(NOW + MARGIN)
    assert kept.pool.level() == Level(4, 0)

    before = kept.keyring.minted
    assert kept.pool.mint(HERE, Shelf.STUDY) != kept.pool.mint(HERE, Shelf.STUDY)
    assert kept.keyring.minted == before
    assert kept.pool.level() == Level(2, 0)
    kept.at += HOUR
    assert kept.pool.fill() == 2
    assert kept.pool.level() == Level(2, 2)


def test_a_key_of_the_pool_lies_on_the_shelf_as_any_other() -> None:
    kept = Kept(only_in_snapshot=False)
    kept.pool.fill()
    key = kept.pool.mint(HERE, Shelf.STUDY)

    assert kept.keyring.fetch(HERE, Shelf.STUDY, [key.key_id]) == {key.key_id: key}


def test_a_key_that_a_restored_vault_does_not_hold_is_never_handed_out() -> None:
    kept = Kept()
    old = kept.keyring.snapshot()
    kept.pool.fill()
    kept.keyring.restore(old)
    kept.snapshot(NOW + HOUR)

    assert kept.pool.level() == Level(4, 0)
    key = kept.pool.mint(HERE, Shelf.STUDY)
    assert kept.keyring.lying(HERE, Shelf.STUDY, [key.key_id]) == {key.key_id}


@pytest.mark.parametrize("only_in_snapshot", [True, False])
def test_a_restored_vault_ends_also_keys_that_could_be_used_already(*, only_in_snapshot: bool) -> None:
    kept = Kept(only_in_snapshot=only_in_snapshot)
    old = kept.keyring.snapshot()
    kept.pool.fill()
    kept.snapshot(NOW + HOUR)
    kept.keyring.restore(old)
    kept.at += 2 * HOUR

    assert kept.pool.fill() == 4
    key = kept.pool.mint(HERE, Shelf.STUDY)
    assert kept.keyring.lying(HERE, Shelf.STUDY, [key.key_id]) == {key.key_id}


def test_a_single_key_that_went_from_the_shelf_is_dropped_when_it_would_become_usable() -> None:
    kept = Kept()
    kept.pool.fill()
    oldest = next(place for place in kept.keyring.snapshot() if place[1] is Shelf.STUDY)
    kept.keyring.forget(oldest[2])
    kept.at += 2 * HOUR
    kept.snapshot(NOW + HOUR)

    assert kept.pool.level() == Level(3, 1)


def test_nothing_more_becomes_usable_while_the_shelf_cannot_be_asked() -> None:
    kept = Kept()
    kept.pool.fill()
    kept.keyring.sealed = True
    with pytest.raises(Unavailable):
        kept.snapshot(NOW + HOUR)

    assert kept.pool.level() == Level(0, 4)


def test_what_is_not_pooled_or_not_there_is_made_at_once() -> None:
    kept = Kept()
    kept.pool.fill()

    for shelf in (Shelf.STUDY, Shelf.WRITER, Shelf.INDEX):
        before = kept.keyring.minted
        kept.pool.mint(HERE, shelf)
        assert kept.keyring.minted == before + 1
    assert kept.pool.level() == Level(0, 4)


def test_without_the_vault_the_pool_lasts_as_long_as_it_lasts() -> None:
    kept = Kept(only_in_snapshot=False)
    kept.pool.fill()
    kept.keyring.sealed = True

    for _ in range(2):
        kept.pool.mint(HERE, Shelf.STUDY)
    with pytest.raises(Unavailable):
        kept.pool.mint(HERE, Shelf.STUDY)
    with pytest.raises(Unavailable):
        kept.pool.fill()
    kept.keyring.sealed = False
    assert kept.pool.fill() == 2


def test_of_an_institution_that_was_met_keys_are_kept_too() -> None:
    kept = Kept(only_in_snapshot=False)
    kept.pool.mint(ELSEWHERE, Shelf.STUDY)

    assert kept.pool.fill() == 8
    assert kept.pool.level() == Level(8, 0)


def test_a_large_pool_is_filled_little_by_little() -> None:
    kept = Kept(size=MOST_AT_ONCE)

    assert [kept.pool.fill() for _ in range(3)] == [MOST_AT_ONCE, MOST_AT_ONCE, 0]


def test_of_many_who_ask_at_once_none_gets_anothers_key() -> None:
    kept = Kept(size=50, only_in_snapshot=False)
    kept.pool.fill()

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: kept.pool.mint(HERE, Shelf.STUDY), range(60)))
    assert len({one.key_id for one in given}) == 60


def test_what_is_dropped_is_gone() -> None:
    kept = Kept(only_in_snapshot=False)
    kept.pool.fill()
    kept.pool.drop()

    assert kept.pool.level() == Level(0, 0)


@pytest.fixture
def pooled(world: World) -> World:
    """Return the archive in memory, with keys of each kind made beforehand."""
    pool = KeyPool(world.keyring, world.keyring, MemorySnapshots(), HERE, 3, lambda: NOW, only_in_snapshot=False)
    pooled = replace(world, house=furnish(replace(world.house.engines, pool=pool)))
    store(pooled)
    pool.fill()
    return pooled


def test_new_studies_of_new_patients_come_in_without_the_vault(pooled: World) -> None:
    pooled.keyring.sealed = True
    pooled.house.drop_keys()

    for number in (2, 3):
        store(pooled, data_set(study=number, PatientID=f"NEW-{number}"))
    assert len(pooled.blobs.stored) == 3


def test_without_the_vault_no_index_key_serves_a_search(pooled: World) -> None:
    pooled.keyring.sealed = True
    pooled.house.drop_keys()

    with pytest.raises(Unavailable):
        pooled.archive.search.seals.index(HERE)
    with pytest.raises(Unavailable):
        pooled.archive.facts.of(TECHNOLOGIST, None, uid(study_uid()))
    store(pooled, data_set(study=2))


def test_an_archive_that_never_had_its_index_key_takes_nothing_in(world: World) -> None:
    pool = KeyPool(world.keyring, world.keyring, MemorySnapshots(), HERE, 3, lambda: NOW, only_in_snapshot=False)
    pool.fill()
    fresh = replace(world, house=furnish(replace(world.house.engines, pool=pool)))
    fresh.archive.search.seals.details(HERE)
    fresh.keyring.sealed = True

    with pytest.raises(Unavailable):
        store(fresh)
