"""A walk along the ledger from a moment on, and the watch that walks all the time."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest

from pacs_secure.archive.ledger_check import MOST_FINDINGS, LedgerCheck
from pacs_secure.archive.ledger_watch import LedgerWatch
from pacs_secure.archive.writer_check import WriterCheck
from pacs_secure.core.access import Role
from pacs_secure.core.audit import LedgerEntry, Verdict
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Certificate
from pacs_secure.crypto.tlog import (
    WIDTH,
    Author,
    certificate_text,
    certifier,
    compose_entry,
    leaf_hash,
    root,
    sign_note,
    state,
)
from tests.builders import NOW, draft, subject
from tests.world import ORIGIN, World

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


def spoil(world: World, place: int, old: bytes = b"radiology", new: bytes = b"radiologx") -> None:
    entry = world.ledger.kept[place]
    content = entry.content.replace(old, new)
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


def dated_back(world: World, place: int) -> None:
    spoil(world, place, b'"at":"' + str(NOW.year).encode(), b'"at":"1999')


def unreadable(world: World, place: int) -> None:
    spoil(world, place, b'"v":2', b'"v":9')


def removed(world: World, place: int) -> None:
    del world.ledger.kept[place]


@pytest.mark.parametrize("cover", [dated_back, unreadable, removed])
def test_whoever_changes_what_lies_on_the_way_does_not_choose_where_the_check_begins(
    long: World, cover: Callable[[World, int], None]
) -> None:
    """A whole bundle is changed, so that a search that believed it would begin behind the crime."""
    since = NOW + 300 * MINUTE
    spoil(long, 420)
    assert verify(long, since).findings[0].position == 420
    for place in reversed(range(WIDTH, 2 * WIDTH)):
        if place != 420 or cover is removed:
            cover(long, place)
    found = verify(long, since)
    assert found.checked > SIZE - WIDTH - 10
    assert found.findings[0].position == WIDTH
    watched = Watched(long)
    watched.now = since + MINUTE
    watched.watch.look()
    assert watched.alarms[0]["position"] == WIDTH


def test_an_entry_that_was_published_without_a_time_shows_no_way(world: World) -> None:
    for number in range(600):
        world.ledger.append(draft(at=NOW + number * MINUTE))
    for place in range(200, 500):
        spoil(world, place, b'"at":"' + str(NOW.year).encode(), b'"at":"9-99')
    world.notary.attest()
    assert verify(world, NOW + 550 * MINUTE).checked == 601


def certify(world: World, horizon: int, size: int) -> None:
    """Sign that entries have expired, and take them away."""
    made = Certificate(
        1, 0, horizon, root(world.publisher.leaves[:horizon]), NOW, 0, "", Role.OPERATOR, NOW + size * MINUTE, {}
    )
    text = certificate_text(ORIGIN, made)
    note = sign_note(text, certifier(ORIGIN), world.keyring.public_key(), world.keyring.sign(text))
    world.publisher.retain(horizon, note)
    world.ledger.certificates[horizon] = note
    world.ledger.first = horizon


def test_where_entries_have_expired_the_way_is_found_among_those_that_are_kept(long: World) -> None:
    certify(long, WIDTH, SIZE)
    spoil(long, 600)
    young, old = verify(long, NOW + 530 * MINUTE), verify(long, NOW + 10 * MINUTE)
    assert (young.checked, young.findings[0].position) == (SIZE + 1 - 2 * WIDTH, 600)
    assert old.checked == SIZE + 3


def test_rows_that_are_missing_without_a_certificate_are_not_taken_for_expired(long: World) -> None:
    certify(long, WIDTH, SIZE)
    long.ledger.first = 690
    verdict = verify(long, NOW + 695 * MINUTE)
    assert verdict.checked == SIZE + 1
    assert (verdict.findings[0].place, verdict.findings[0].position) == ("chain", WIDTH)


class Watched:
    """A watch, and the alarms it raised."""

    def __init__(self, world: World) -> None:
        self.down = False
        self.now = NOW + (SIZE - 1) * MINUTE
        self.alarms: list[dict[str, str | int]] = []
        check = world.archive.verify
        new_check = partial(check.new_check, from_the_start=False)
        self.watch = LedgerWatch(check.walk, new_check, self.alarm, lambda: self.now)

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


def test_an_archive_whose_database_loses_its_words_stops_until_they_are_back(long: World) -> None:
    watched = Watched(long)
    watched.watch.look()
    long.ledger.append(draft(at=NOW + SIZE * MINUTE))
    swallowed = [long.ledger.kept.pop()]  # nobody has seen it yet, and its writer believes that it is kept
    watched.watch.look()
    with pytest.raises(Unavailable):
        watched.watch.look()
    with pytest.raises(Unavailable):
        long.ledger.append(draft(at=NOW + SIZE * MINUTE))

    long.ledger.kept += swallowed
    watched.watch.look()
    long.ledger.append(draft(at=NOW + SIZE * MINUTE))
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


def test_a_published_checkpoint_that_stays_spoilt_is_one_alarm_and_mutes_no_other(long: World) -> None:
    watched = Watched(long)
    watched.watch.look()
    long.publisher.note = b"no note at all"
    for _ in range(2 * MOST_FINDINGS):
        watched.watch.look()
    assert [one["place"] for one in watched.alarms] == ["checkpoint"]
    long.ledger.append(draft(at=NOW + SIZE * MINUTE))
    entry = long.ledger.kept[SIZE]
    long.ledger.kept[SIZE] = replace(entry, content=entry.content.replace(b"radiology", b"radiologx"))
    watched.watch.look()
    assert [one["position"] for one in watched.alarms[1:]] == [SIZE]


def test_more_than_a_check_has_room_for_does_not_end_the_alarms(long: World) -> None:
    watched = Watched(long)
    watched.watch.look()
    for number in range(MOST_FINDINGS + 10):
        long.ledger.append(draft(at=NOW + SIZE * MINUTE))
        entry = long.ledger.kept[SIZE + number]
        long.ledger.kept[SIZE + number] = replace(entry, content=entry.content.replace(b"radiology", b"radiologx"))
        if number >= MOST_FINDINGS:
            watched.watch.look()
    assert len(watched.alarms) >= MOST_FINDINGS + 9


def test_a_vault_that_was_away_once_is_asked_again_at_the_next_look(long: World) -> None:
    away = False

    def key_of(_: KeyId) -> None:
        if away:
            raise Unavailable("the vault is away")

    def forge() -> None:
        stranger = Author(KeyId(uuid4()), bytes(32))
        said, before = state(draft(at=NOW + SIZE * MINUTE)), long.ledger.kept[-1].leaf_hash
        long.ledger.kept.append(compose_entry(stranger.sign(said), len(long.ledger.kept), before))

    verify = long.archive.verify
    alarms: list[object] = []
    watch = LedgerWatch(
        verify.walk,
        lambda: LedgerCheck(ORIGIN, verify.public_key(), WriterCheck(key_of, from_the_start=False)),
        lambda _, facts: alarms.append(facts.get("position")),
        lambda: NOW + (SIZE + 5) * MINUTE,
    )
    watch.look()
    alarms.clear()
    away = True
    forge()
    watch.look()
    assert alarms == []
    away = False
    forge()
    watch.look()
    assert alarms == [SIZE + 1]
