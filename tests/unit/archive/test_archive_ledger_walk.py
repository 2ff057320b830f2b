"""A walk along the ledger from a moment on, and the watch that walks all the time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

import pytest

from pacs_secure.archive.ledger_watch import LedgerWatch
from pacs_secure.core.access import Role
from pacs_secure.core.audit import LedgerEntry, Verdict
from pacs_secure.core.errors import Unavailable
from pacs_secure.crypto.tlog import WIDTH, leaf_hash
from tests.builders import NOW, draft, subject
from tests.world import World

DPO = subject(Role.DPO)
SIZE = 700
MINUTE = timedelta(minutes=1)


@pytest.fixture
def long(world: World) -> World:
    """An archive whose ledger has an entry a minute, all of them published."""
    for number in range(SIZE):
        world.ledger.append(draft(at=NOW + number * MINUTE))
        if number in {300, 520}:
            world.notary.attest()
    world.notary.attest()
    return world


def verify(world: World, since: datetime | None) -> Verdict:
    return world.archive.verify.check_ledger(DPO, since=since)


def spoil(world: World, place: int) -> None:
    entry = world.ledger.kept[place]
    content = entry.content.replace(b"radiology", b"radiologx")
    assert content != entry.content
    world.ledger.kept[place] = LedgerEntry(place, content, leaf_hash(content), entry.prev_hash)


def test_only_what_is_younger_is_read_and_the_next_checkpoint_proves_the_rest(long: World) -> None:
    steps = verify(long, NOW + 530 * MINUTE)
    assert steps.sound
    assert steps.checked == SIZE + 1 - 2 * WIDTH  # the entry that says so is read too
    assert long.entries()[-2]["facts"]["since"] == (NOW + 530 * MINUTE).isoformat()
    assert verify(long, NOW - MINUTE).checked == SIZE + 3


@pytest.mark.parametrize("place", [530, 600, SIZE - 1])
def test_what_is_wrong_behind_the_moment_is_found_at_its_place(long: World, place: int) -> None:
    spoil(long, place)
    found = verify(long, NOW + 530 * MINUTE).findings
    assert found[0].position == place


def test_what_is_wrong_before_the_moment_is_for_a_whole_verification_to_find(long: World) -> None:
    spoil(long, 100)
    assert verify(long, NOW + 530 * MINUTE).sound
    assert verify(long, None).findings[0].position == 100


def test_tiles_that_do_not_lead_to_the_signed_root_are_found(long: World) -> None:
    leaves = long.publisher.leaves
    leaves[100] = bytes(32)
    found = verify(long, NOW + 530 * MINUTE).findings
    assert ("checkpoint", 521) in {(one.place, one.position) for one in found}


def test_where_nothing_is_published_the_whole_ledger_is_read(world: World) -> None:
    for number in range(300):
        world.ledger.append(draft(at=NOW + number * MINUTE))
    assert verify(world, NOW + 299 * MINUTE).checked == 301


def test_where_what_was_published_cannot_be_read_the_whole_ledger_is(long: World) -> None:
    long.publisher.note = b"no note at all"
    verdict = verify(long, NOW + 530 * MINUTE)
    assert (verdict.checked, verdict.findings[0].place) == (SIZE + 1, "checkpoint")


class Watched:
    """A watch, and the alarms it raised."""

    def __init__(self, world: World) -> None:
        self.down = False
        self.alarms: list[dict[str, str | int]] = []
        check = world.archive.verify
        self.watch = LedgerWatch(
            check.walk, partial(check.new_check, from_the_start=False), self.alarm, lambda: NOW + (SIZE - 1) * MINUTE
        )

    def alarm(self, kind: str, facts: Mapping[str, str | int]) -> None:
        if self.down:
            raise Unavailable("the ledger is out of reach")
        assert kind == "ledger"
        self.alarms.append(dict(facts))


def test_the_watch_takes_what_is_new_whenever_it_looks(long: World) -> None:
    watched = Watched(long)
    assert watched.watch.look() == SIZE
    for _ in range(5):
        long.ledger.append(draft(at=NOW + SIZE * MINUTE))
    assert watched.watch.look() == SIZE + 5
    long.notary.attest()
    assert watched.watch.look() == SIZE + 5
    assert watched.alarms == []


def test_an_entry_that_was_changed_after_it_was_published_is_one_alarm(long: World) -> None:
    watched = Watched(long)
    watched.watch.look()
    long.ledger.append(draft(at=NOW + SIZE * MINUTE))
    long.notary.attest()
    spoil(long, SIZE)
    watched.down = True
    with pytest.raises(Unavailable):
        watched.watch.look()
    watched.down = False
    for _ in range(3):
        watched.watch.look()
    assert [(one["place"], one["position"]) for one in watched.alarms] == [("tree", SIZE), ("checkpoint", SIZE + 1)]


def test_a_checkpoint_that_proves_nothing_is_an_alarm_without_a_position(long: World) -> None:
    watched = Watched(long)
    watched.watch.look()
    long.ledger.add_checkpoint(SIZE + 1, b"no note at all")
    watched.watch.look()
    assert [set(one) for one in watched.alarms] == [{"place", "problem"}]
