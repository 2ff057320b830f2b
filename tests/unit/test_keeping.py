"""What a running archive does for its keys by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pacs_secure.archive.key_pool import KeyPool, Level
from pacs_secure.archive.rekey import Rekey
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Unavailable
from pacs_secure.keeping import Filling, Rewrapping
from pacs_secure.ports import Shelf
from tests.builders import HERE, NOW, subject
from tests.fakes_keys import FakeKeyring, MemorySnapshots
from tests.unit.archive.instances import acts
from tests.world import World


@pytest.fixture
def rekey(world: World) -> Rekey:
    later = replace(world.archive.rekey, now=lambda: datetime.now(UTC) + timedelta(hours=1))
    later.rotate(subject(Role.ADMIN), None, details={})
    return later


def work(rekey: Rekey, *, leads: bool = True, ending: bool = False) -> Rewrapping:
    return Rewrapping(rekey, HERE, lambda: leads, lambda: ending)


def test_a_rotation_is_carried_out_without_anybody_asking(world: World, rekey: Rekey) -> None:
    work(rekey).look()

    assert world.keyring.state(HERE).least == 2
    before = acts(world)
    work(rekey).look()
    assert acts(world) == before
    assert world.entries()[-1]["role"] == "operator"


def test_only_the_leader_works_and_nobody_while_the_archive_ends(world: World, rekey: Rekey) -> None:
    work(rekey, leads=False).look()
    assert acts(world)[-1] == ("keys:rotate", "completed")

    work(rekey, ending=True).look()
    assert world.keyring.state(HERE).least == 1


def test_entries_that_cannot_be_wrapped_raise_one_alarm_a_day(world: World, rekey: Rekey) -> None:
    world.keyring.refusing = {*world.keyring.shelved(HERE, Shelf.LEDGER)}
    at_work = work(rekey)
    for _ in range(3):
        at_work.look()

    assert acts(world).count(("system:alarm", "failed")) == 1


class Pool:
    """A pool of which a test says how full it is."""

    def __init__(self) -> None:
        self.at = NOW
        self.keyring = FakeKeyring()
        self.pool = KeyPool(
            self.keyring, self.keyring, MemorySnapshots(), HERE, 1, lambda: self.at, only_in_snapshot=False
        )
        self.alarms: list[tuple[str, dict[str, str | int]]] = []
        self.work = Filling(self.pool, lambda kind, facts: self.alarms.append((kind, dict(facts))), lambda: self.at)


def test_a_pool_is_kept_full() -> None:
    kept = Pool()
    kept.work.look()

    assert kept.pool.level() == Level(2, 0)
    assert kept.alarms == []


def test_a_pool_that_stays_empty_is_an_alarm_once_and_its_end_is_told() -> None:
    kept = Pool()
    kept.keyring.sealed = True
    for minutes in (0, 59, 60, 61):
        kept.at = NOW + timedelta(minutes=minutes)
        with pytest.raises(Unavailable):
            kept.work.look()
    assert kept.alarms == [("key pool", {"ready": 0, "waiting": 0})]

    kept.keyring.sealed = False
    for _ in range(2):
        kept.work.look()
    assert kept.alarms[1:] == [("key pool", {"recovered": "keys are ready again"})]
