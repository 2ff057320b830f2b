"""The ledger is read from end to end once, verified as it passes, by one reader at a time."""

from datetime import timedelta

import pytest

from pacs_secure.archive.report import reading
from pacs_secure.archive.report.reading import WholeReading
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Tampered, TooOften
from pacs_secure.crypto.tlog import sign_note
from pacs_secure.crypto.tlog.skim import skim
from tests.builders import NOW, draft
from tests.world import World

LONG_AGO, LATER = NOW - timedelta(days=900), NOW + timedelta(days=900)


def whole(world: World) -> WholeReading:
    found: WholeReading = world.archive.report.reading
    return found


def fill(world: World, count: int = 3) -> None:
    for _ in range(count):
        world.ledger.append(draft())
    world.notary.attest()


def test_every_entry_is_given_on_and_the_head_that_covers_them_is_named(world: World) -> None:
    fill(world)
    world.ledger.append(draft())
    world.notary.attest()
    taken: list[Draft] = []
    steps: list[int] = []
    integrity = whole(world).read(LONG_AGO, LATER, taken.append, steps.append)

    assert (integrity.sound, len(taken), sum(steps)) == (True, 4, 4)
    assert (integrity.first_entry, integrity.last_entry, integrity.checkpoint_size) == (0, 3, 4)
    assert all(one.details is None for one in taken)
    assert integrity.witnesses == ()


def test_witnesses_are_named_by_the_first_note_that_covers_the_period(world: World) -> None:
    fill(world)
    note = world.publisher.checkpoint()
    assert note is not None
    cosigned = note + sign_note(b"x\n", "witness.example/w1", bytes(32), bytes(64)).rpartition(b"\n\n")[2]
    world.publisher.add_witnessed(3, cosigned)

    assert whole(world).read(LONG_AGO, LATER, lambda _: None, lambda _: None).witnesses == ("witness.example/w1",)


def test_the_first_head_behind_the_period_is_named_however_long_the_ledger_grows(world: World) -> None:
    fill(world)
    ends_at = NOW + timedelta(minutes=1)
    world.ledger.append(draft(at=NOW + timedelta(days=1)))
    world.notary.attest()

    integrity = whole(world).read(LONG_AGO, ends_at, lambda _: None, lambda _: None)

    assert (integrity.last_entry, integrity.checkpoint_size) == (2, 3)


def test_an_empty_period_has_no_first_entry_and_an_unsigned_one_no_head(world: World) -> None:
    empty = whole(world).read(LONG_AGO, LATER, lambda _: None, lambda _: None)
    world.ledger.append(draft())
    unsigned = whole(world).read(LONG_AGO, LATER, lambda _: None, lambda _: None)

    assert (empty.first_entry, empty.last_entry, empty.checkpoint_size) == (-1, -1, 0)
    assert (unsigned.first_entry, unsigned.last_entry, unsigned.checkpoint_size) == (0, 0, 0)


def test_what_was_tampered_with_is_found_and_what_cannot_be_read_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world)
    monkeypatch.setattr(reading, "_STEP", 2)
    world.ledger.kept[0], world.ledger.kept[1] = world.ledger.kept[1], world.ledger.kept[0]

    def once(content: bytes) -> Draft:
        if content == world.ledger.kept[2].content:
            raise Tampered("no entry")
        return skim(content)

    monkeypatch.setattr(reading, "skim", once)
    integrity = whole(world).read(LONG_AGO, LATER, lambda _: None, lambda _: None)

    assert (integrity.sound, integrity.unreadable) == (False, 1)
    assert integrity.problems.rows[0][1] == 0


def test_a_second_reader_is_asked_to_wait(world: World) -> None:
    whole(world).busy.acquire()

    with pytest.raises(TooOften):
        whole(world).read(LONG_AGO, LATER, lambda _: None, lambda _: None)
