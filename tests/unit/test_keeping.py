"""What a running archive does for its keys by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pacs_secure.archive.rekey import Rekey
from pacs_secure.core.access import Role
from pacs_secure.keeping import Rewrapping
from pacs_secure.ports import Shelf
from tests.builders import HERE, subject
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
