"""The notary: what was recorded is signed and published, and a ledger that forks is found."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from pacs_secure.archive import notary
from pacs_secure.archive.notary import MOST_ENTRIES, Notary
from pacs_secure.core.errors import ArchiveError, Tampered, Unavailable
from pacs_secure.crypto.tlog import leaf_hash, parse_checkpoint, root, verify_note
from tests.builders import draft
from tests.fakes import Alone, MemoryLedger
from tests.world import ORIGIN, World


def record(world: World, entries: int = 1) -> None:
    for _ in range(entries):
        world.ledger.append(draft())


def successor(world: World) -> Notary:
    """Return the notary of the next process."""
    return Notary(world.ledger, world.publisher, world.keyring, ORIGIN)


def eventually(true: Callable[[], bool]) -> bool:
    patience = time.monotonic() + 5
    while not true() and time.monotonic() < patience:
        time.sleep(0.005)
    return true()


def notes(world: World) -> list[bytes]:
    return list(world.ledger.checkpoints())


def test_a_checkpoint_covers_everything_recorded_and_is_signed(world: World) -> None:
    record(world, 3)

    assert world.notary.attest() == 3
    (note,) = notes(world)
    assert note == world.publisher.note
    verify_note(note, ORIGIN, world.keyring.public_key())
    assert parse_checkpoint(note).size == 3
    assert parse_checkpoint(note).root == root(leaf_hash(entry.content) for entry in world.ledger.kept)
    assert world.publisher.entries == [entry.content for entry in world.ledger.kept]


def test_when_nothing_was_added_nothing_is_signed(world: World) -> None:
    assert world.notary.attest() == 0
    record(world)
    world.notary.attest()
    world.keyring.sealed = True

    assert world.notary.attest() == 1
    assert len(notes(world)) == 1


def test_each_checkpoint_grows_from_the_one_before(world: World) -> None:
    for size in (1, 2, 5):
        record(world, size - world.ledger.size())
        assert world.notary.attest() == size

    roots = [parse_checkpoint(note).root for note in notes(world)]
    leaves = [entry.leaf_hash for entry in world.ledger.kept]
    assert roots == [root(leaves[:size]) for size in (1, 2, 5)]


def test_what_is_long_is_signed_every_thousand_entries(world: World) -> None:
    record(world, MOST_ENTRIES + 1)

    assert world.notary.attest() == MOST_ENTRIES + 1
    assert [parse_checkpoint(note).size for note in notes(world)] == [MOST_ENTRIES, MOST_ENTRIES + 1]


def test_a_new_process_goes_on_where_the_last_one_stopped(world: World) -> None:
    record(world, 5)
    world.notary.attest()
    record(world, 2)

    assert successor(world).attest() == 7
    leaves = [entry.leaf_hash for entry in world.ledger.kept]
    assert parse_checkpoint(notes(world)[-1]).root == root(leaves)


def test_a_crash_between_publishing_and_keeping_the_note_is_made_good(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(world, 2)
    with monkeypatch.context() as patch:

        def die(size: int, note: bytes) -> None:
            raise Unavailable("killed")

        patch.setattr(world.ledger, "add_checkpoint", die)
        with pytest.raises(Unavailable):
            world.notary.attest()
    assert world.publisher.published() == 2

    record(world)
    assert successor(world).attest() == 3
    assert world.publisher.published() == 3


@pytest.mark.parametrize("engine", ["keyring", "publisher", "ledger"])
def test_while_an_engine_is_away_nothing_is_lost_and_the_next_checkpoint_covers_it(world: World, engine: str) -> None:
    record(world)
    world.notary.attest()
    record(world)
    switch = "sealed" if engine == "keyring" else "down"
    # Publishing begins with a look at what is published, which is then out of reach.
    setattr(getattr(world, engine), switch, True)
    with pytest.raises(Unavailable):
        world.notary.attest()
    setattr(getattr(world, engine), switch, False)

    record(world)
    assert world.notary.attest() == 3


def forget_last(ledger: MemoryLedger) -> None:
    ledger.kept.pop()


def edit_first(ledger: MemoryLedger) -> None:
    ledger.kept[0] = replace(ledger.kept[0], leaf_hash=bytes(32))


def fork(ledger: MemoryLedger) -> None:
    ledger.kept.pop()
    ledger.append(draft())


@pytest.mark.parametrize("tamper", [forget_last, edit_first, fork])
def test_a_ledger_that_is_not_what_was_published_is_never_signed_again(world: World, tamper: object) -> None:
    record(world, 3)
    world.notary.attest()
    tamper(world.ledger)  # type: ignore[operator]
    before = notes(world)

    with pytest.raises(Tampered):
        successor(world).attest()
    assert notes(world) == before


def test_a_fork_under_a_running_notary_is_not_published(world: World) -> None:
    record(world, 2)
    world.notary.attest()
    other = MemoryLedger()
    for _ in range(3):
        other.append(draft())
    forked = Notary(other, world.publisher, world.keyring, ORIGIN)

    with pytest.raises(ArchiveError):
        forked.attest()
    assert world.publisher.published() == 2


# --- in its own thread --------------------------------------------------------------------------


def until_published(world: World, size: int) -> None:
    deadline = time.monotonic() + 5
    while world.publisher.published() < size:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_it_attests_by_itself_and_once_more_in_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notary, "EVERY_SECONDS", 0.001)
    record(world)
    world.notary.start()
    until_published(world, 1)
    monkeypatch.setattr(notary, "EVERY_SECONDS", 1_000.0)
    record(world)
    world.notary.stop()

    assert world.publisher.published() == 2
    assert "notary" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("error", [Unavailable("sealed"), RuntimeError("unforeseen")])
def test_it_complains_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(notary, "EVERY_SECONDS", 0.001)
    sign, complained = world.keyring.sign, threading.Event()

    def refuse(_: bytes) -> bytes:
        complained.set()
        raise error

    monkeypatch.setattr(world.keyring, "sign", refuse)
    record(world)
    world.notary.start()
    assert complained.wait(5)
    monkeypatch.setattr(world.keyring, "sign", sign)
    until_published(world, 1)
    world.notary.stop()

    assert "no checkpoint" in caplog.text


def test_stopping_one_that_never_began_does_nothing(world: World) -> None:
    record(world)
    world.notary.stop()

    assert notes(world) == []


def test_of_two_archives_only_the_one_that_leads_signs_and_the_other_goes_on_from_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notary, "EVERY_SECONDS", 0.01)
    leaders = [Alone(), Alone()]
    leaders[0].start(lambda kind, facts: None)
    notaries = [Notary(world.ledger, world.publisher, world.keyring, ORIGIN, leader) for leader in leaders]
    record(world, 2)
    for one in notaries:
        one.start()
    assert eventually(lambda: len(notes(world)) == 1)

    leaders[0].stop()
    leaders[1].start(lambda kind, facts: None)
    record(world, 3)
    assert eventually(lambda: len(notes(world)) == 2)
    for one in notaries:
        one.stop()
    assert [parse_checkpoint(note).size for note in notes(world)] == [2, 5]
    assert notaries[0]._frontier is None


def test_where_nobody_leads_nothing_is_signed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notary, "EVERY_SECONDS", 0.01)
    waiting = Notary(world.ledger, world.publisher, world.keyring, ORIGIN, Alone())
    record(world)
    waiting.start()
    time.sleep(0.1)
    waiting.stop()

    assert notes(world) == []
