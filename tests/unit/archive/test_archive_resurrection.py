"""Forgotten keys that are back: noticed, said, deleted again, and no archive is ready while one lives."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from pacs_secure.archive import resurrection
from pacs_secure.archive.resurrection import BEING_FORGOTTEN, Resurrection
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import Shelf, Tombstone
from tests.builders import ELSEWHERE, HERE, NOW
from tests.world import World, memory_world


@dataclass
class Watch:
    world: World
    resurrection: Resurrection

    def forgotten(self, count: int = 1, shelf: Shelf = Shelf.STUDY, *, days: int = 0) -> list[KeyId]:
        """Mint keys and bury them, without deleting any."""
        minted = [self.world.keyring.mint(HERE, shelf).key_id for _ in range(count)]
        at = NOW - timedelta(days=days)
        self.world.tombstones.bury([Tombstone(key_id, HERE, shelf, at) for key_id in minted])
        return minted

    def living(self, key_ids: list[KeyId], shelf: Shelf = Shelf.STUDY) -> int:
        return len(self.world.keyring.lying(HERE, shelf, key_ids))

    def ready(self) -> bool:
        try:
            self.resurrection.check()
        except Unavailable:
            return False
        return True

    def alarms(self) -> list[tuple[str, object]]:
        said = [entry for entry in self.world.entries() if entry["action"] == "system:alarm"]
        return [(entry["outcome"], entry["facts"]["keys"]) for entry in said]


def watching(*, may_erase: bool) -> Watch:
    world = memory_world()
    eraser = world.keyring if may_erase else None
    guard = world.archive.guard
    return Watch(world, Resurrection(world.tombstones, world.keyring, eraser, guard, HERE, lambda: NOW))


@pytest.fixture
def watch() -> Watch:
    return watching(may_erase=True)


def test_before_the_first_look_nothing_is_ready(watch: Watch) -> None:
    assert not watch.ready()
    assert watch.resurrection.look() == 0
    assert watch.ready()


def test_what_is_back_at_the_start_is_said_and_deleted(watch: Watch) -> None:
    studies = watch.forgotten(3)
    ledger = watch.forgotten(2, Shelf.LEDGER, days=300)
    stays = watch.world.keyring.mint(HERE, Shelf.STUDY).key_id

    assert watch.resurrection.look_at_all() == 5
    assert watch.ready()
    assert watch.living(studies) == watch.living(ledger, Shelf.LEDGER) == 0
    assert watch.living([stays]) == 1
    assert watch.alarms() == [("failed", 5), ("completed", 5)]


def test_a_long_look_says_how_far_it_has_come(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resurrection, "PAGE", 4)
    monkeypatch.setattr(resurrection, "TOLD", 8)
    caplog.set_level("INFO")
    watch.world.keyring.erase(HERE, Shelf.STUDY, watch.forgotten(18))

    watch.resurrection.look_at_all()

    assert [text for text in caplog.messages if "so far" in text] == [
        f"{held} tombstones were held against the shelf so far" for held in (8, 16)
    ]


def test_the_same_id_elsewhere_is_another_key(watch: Watch) -> None:
    minted = watch.world.keyring.mint(HERE, Shelf.STUDY).key_id
    watch.world.tombstones.bury([Tombstone(minted, ELSEWHERE, Shelf.STUDY, NOW)])

    assert watch.resurrection.look_at_all() == 0
    assert watch.living([minted]) == 1


@pytest.mark.parametrize("looks", [1, 2])
def test_who_may_not_delete_is_not_ready_until_somebody_has(looks: int) -> None:
    watch = watching(may_erase=False)
    keys = watch.forgotten(2, days=1)
    for _ in range(looks):
        with pytest.raises(Unavailable, match="back"):
            watch.resurrection.look_at_all()
        assert not watch.ready()
    assert watch.living(keys) == 2

    watch.world.keyring.erase(HERE, Shelf.STUDY, keys)
    assert watch.resurrection.look() == 0
    assert watch.ready()
    assert watch.alarms() == [("failed", 2), ("completed", 0)]


def test_while_it_runs_the_newest_are_looked_at_each_time_and_the_rest_in_pages(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resurrection, "PAGE", 10)
    before = watch.world.keyring.snapshot()
    old = watch.forgotten(25, days=9)
    lying = watch.world.keyring.snapshot()
    new = watch.forgotten(8, days=2)
    watch.resurrection.look_at_all()
    watch.world.keyring.restore(before)

    assert watch.resurrection.look() == 0
    watch.world.keyring.restore({**lying})
    counts = [watch.resurrection.look() for _ in range(2)]
    assert counts == [25, 0]
    assert watch.living([*old, *new]) == 0
    assert [outcome for outcome, _ in watch.alarms()] == ["failed", "completed"] * 2


def test_one_old_key_alone_is_found_within_one_round(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resurrection, "PAGE", 5)
    keys = watch.forgotten(40, days=9)
    lying = watch.world.keyring.snapshot()
    watch.resurrection.look_at_all()
    one = next(place for place in lying if place[2] == keys[12])
    watch.world.keyring.restore({one: lying[one]})

    assert sum(watch.resurrection.look() for _ in range(9)) == 1
    assert watch.ready()


def test_a_key_that_is_just_being_forgotten_is_no_alarm(watch: Watch) -> None:
    watch.resurrection.look_at_all()
    keys = watch.forgotten()

    assert [watch.resurrection.look() for _ in range(3)] == [0, 0, 0]
    assert watch.ready()
    assert (watch.living(keys), watch.alarms()) == (1, [])


def test_a_key_that_should_have_gone_by_now_is_one(watch: Watch) -> None:
    watch.resurrection.look_at_all()
    minted = watch.world.keyring.mint(HERE, Shelf.STUDY).key_id
    at = NOW - BEING_FORGOTTEN - timedelta(seconds=1)
    watch.world.tombstones.bury([Tombstone(minted, HERE, Shelf.STUDY, at)])

    assert sum(watch.resurrection.look() for _ in range(2)) == 1
    assert watch.living([minted]) == 0


def test_nothing_is_deleted_before_it_is_on_record(watch: Watch) -> None:
    keys = watch.forgotten(days=1)
    watch.world.ledger.down = True
    with pytest.raises(Unavailable):
        watch.resurrection.look_at_all()
    assert watch.living(keys) == 1
    assert not watch.ready()

    watch.world.ledger.down = False
    assert watch.resurrection.look() == 1
    assert watch.ready()


def test_what_cannot_be_asked_is_not_known(watch: Watch) -> None:
    watch.forgotten(days=1)
    watch.world.keyring.sealed = True

    with pytest.raises(Unavailable):
        watch.resurrection.look_at_all()
    assert not watch.ready()
