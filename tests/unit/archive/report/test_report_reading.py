"""The ledger is read from end to end once, verified as it passes, by one reader at a time."""

from base64 import b64encode
from dataclasses import replace
from datetime import timedelta

import pytest

from pacs_secure.archive.report import reading
from pacs_secure.archive.report.reading import WholeReading
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Tampered, TooOften
from pacs_secure.crypto.tlog import sign_note
from pacs_secure.crypto.tlog.skim import skim
from tests.builders import NOW, draft
from tests.cosigning import Cosigner
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


def signed_by(world: World, *witnesses: Cosigner) -> WholeReading:
    reader = whole(world)
    return replace(reader, vouching=replace(reader.vouching, keys=[one.key for one in witnesses]))


def witnesses_in(reader: WholeReading) -> tuple[tuple[str, ...], int]:
    integrity = reader.read(LONG_AGO, LATER, lambda _: None, lambda _: None)
    return integrity.witnesses, integrity.witnessed_size


def test_witnesses_are_named_whose_signatures_are_true_and_nobody_else(world: World) -> None:
    one, other, stranger = (
        Cosigner("witness.example/w1"),
        Cosigner("witness.example/w2"),
        Cosigner("witness.example/w3"),
    )
    fill(world)
    note = world.publisher.checkpoint()
    assert note is not None
    forged = f"\u2014 {other.key.name} {b64encode(bytes(76)).decode()}\n".encode()
    world.publisher.cosigned[3] = note + one.sign(note) + stranger.sign(note) + forged

    assert witnesses_in(signed_by(world, one, other)) == (("witness.example/w1",), 3)
    assert witnesses_in(signed_by(world)) == ((), 0)


def test_a_note_that_the_log_did_not_sign_or_that_covers_less_than_it_says_has_no_witnesses(world: World) -> None:
    one = Cosigner("witness.example/w1")
    fill(world)
    note = world.publisher.checkpoint()
    assert note is not None
    text = note[: note.index(b"\n\n") + 1]
    vouching = whole(world).vouching
    of_nobody = sign_note(text, vouching.origin, vouching.public_key(), bytes(64))
    for forged in (of_nobody, b"no note"):
        world.publisher.cosigned[3] = forged + one.sign(note)
        assert witnesses_in(signed_by(world, one)) == ((), 0)


def test_while_no_witness_has_seen_the_last_entries_it_is_said_for_how_many_they_signed(world: World) -> None:
    one = Cosigner("witness.example/w1")
    fill(world)
    note = world.publisher.checkpoint()
    assert note is not None
    world.publisher.add_witnessed(3, note + one.sign(note))
    fill(world, 2)
    assert witnesses_in(signed_by(world, one)) == (("witness.example/w1",), 3)

    world.publisher.cosigned[5] = note + one.sign(note)  # an older note under a name that promises more
    assert witnesses_in(signed_by(world, one)) == (("witness.example/w1",), 3)


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
