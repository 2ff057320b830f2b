"""Every checkpoint is shown to every witness; when they fall silent or contradict, the archive says so once."""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure.archive import witnessing
from pacs_secure.archive.notary import Notary
from pacs_secure.archive.witnessing import LONGEST_UNWITNESSED, Witnessing
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.crypto.tlog import (
    checkpoint_text,
    log_verifier_key,
    parse_checkpoint,
    sign_note,
    verify_cosignature,
    verify_note,
    witness_key,
)
from pacs_secure.ports import Cosigned, SeenElsewhere
from tests.builders import NOW, draft
from tests.fakes import MemoryLedger, MemoryPublisher
from tests.fakes_witness import MemoryWitness
from tests.world import ORIGIN, World


@dataclass
class House:
    """A ledger with its notary, two witnesses, and a clock that is put forward."""

    world: World
    witnesses: list[MemoryWitness]
    now: float = 1000.0
    alarms: list[tuple[str, dict[str, str | int]]] = field(default_factory=list)
    witnessing: Witnessing = field(init=False)

    def __post_init__(self) -> None:
        self.witnessing = self.another()

    def another(self, quorum: int = 2) -> Witnessing:
        world = self.world

        def demand_ours(note: bytes) -> None:
            verify_note(note, ORIGIN, world.keyring.public_key())

        return Witnessing(
            world.ledger, world.publisher, demand_ours, self.witnesses, quorum, self.alarm, lambda: self.now
        )

    def alarm(self, kind: str, facts: Mapping[str, str | int]) -> None:
        self.world.ledger.size()
        self.alarms.append((kind, dict(facts)))

    def grow(self, entries: int = 1) -> None:
        for _ in range(entries):
            self.world.ledger.append(draft())
        self.world.notary.attest()

    def round(self) -> int:
        signed = self.witnessing.attest()
        self.witnessing.look()
        return signed


@pytest.fixture
def house(world: World, tmp_path: Path) -> Iterator[House]:
    log = log_verifier_key(ORIGIN, world.keyring.public_key())
    house = House(world, [MemoryWitness(tmp_path / name, log, name) for name in ("w1", "w2")])
    yield house
    house.witnessing.stop()


def signers(note: bytes | None) -> tuple[str, ...]:
    return () if note is None else parse_checkpoint(note).signers


def test_what_a_quorum_has_signed_is_published_with_its_cosignatures(house: House) -> None:
    assert house.round() == 0, "there is nothing to sign yet"
    for entries in (1, 5, 300):
        house.grow(entries)
        assert house.round() == 2
        note = house.world.publisher.witnessed()
        assert note is not None
        assert note.startswith(house.world.publisher.checkpoint() or b"-")
        assert signers(note) == (ORIGIN, "w1.example", "w2.example")
        text = verify_note(note, ORIGIN, house.world.keyring.public_key())
        for witness, line in zip(house.witnesses, note.decode().splitlines()[-2:], strict=True):
            verify_cosignature(line, witness_key(witness.verifier_key), text)
    assert [*house.world.publisher.cosigned] == [1, 6, 306]
    assert house.alarms == []


def test_a_checkpoint_is_shown_once_to_whoever_has_signed_it(house: House) -> None:
    house.grow(3)
    for _ in range(3):
        house.round()

    assert [witness.asked for witness in house.witnesses] == [1, 1]


def test_after_a_restart_a_witness_says_itself_how_far_it_had_seen(house: House) -> None:
    house.grow(3)
    house.round()
    house.grow(4)
    house.witnessing.stop()
    house.witnessing = house.another()

    assert house.round() == 2
    assert [witness.asked for witness in house.witnesses] == [3, 3]


def test_one_signature_is_no_quorum_of_two(house: House) -> None:
    house.witnesses[1].down = True
    house.grow(3)

    assert house.round() == 1
    assert house.world.publisher.witnessed() is None

    house.witnesses[1].down = False
    house.now += 1
    assert house.round() == 2
    assert signers(house.world.publisher.witnessed()) == (ORIGIN, "w1.example", "w2.example")


def test_a_witness_that_fails_is_asked_less_and_less_often(house: House) -> None:
    house.witnesses[1].down = True
    house.grow()
    for _ in range(240):
        house.round()
        house.now += 0.5

    assert 5 < house.witnesses[1].asked < 15
    house.witnesses[1].down = False
    house.now += 30
    assert house.round() == 2


def test_a_slow_witness_is_not_waited_for_twice_and_heard_when_it_comes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnessing, "LONGEST_WAIT", 0.05)
    house.witnesses[1].quick.clear()
    house.grow(2)
    until(lambda: house.round() == 1)
    begun = time.monotonic()
    for _ in range(100):
        house.round()
    assert time.monotonic() - begun < 2
    house.grow(2)
    until(lambda: house.round() == 1)  # the other signs what is new meanwhile

    house.witnesses[1].quick.set()
    until(lambda: house.round() == 2)

    assert [*house.world.publisher.cosigned] == [4]
    assert house.witnesses[1].asked == 2


def test_entries_that_wait_too_long_are_an_alarm_once_and_one_word_ends_it(house: House) -> None:
    house.grow(2)
    house.round()
    house.now += 3600
    assert house.round() == 2
    assert house.alarms == [], "an old checkpoint with nothing after it is as good as new"

    for witness in house.witnesses:
        witness.down = True
    house.grow(3)
    for _ in range(5):
        house.round()
        house.now += LONGEST_UNWITNESSED / 2
    assert house.alarms == [("unwitnessed", {"seconds": 90, "witnessed": 2, "entries": 5})]

    for witness in house.witnesses:
        witness.down = False
    house.now += 30
    house.round()
    house.round()
    assert house.alarms[1:] == [("unwitnessed", {"recovered": "after 180 s", "witnessed": 5})]
    house.now += 3600
    house.round()
    assert len(house.alarms) == 2


def test_a_ledger_under_load_is_not_late_as_long_as_it_is_followed(house: House) -> None:
    for _ in range(200):
        house.grow()
        house.round()
        house.world.ledger.append(draft())
        house.round()
        house.now += 1

    assert house.alarms == []


def test_an_alarm_that_cannot_be_recorded_is_raised_again(house: House) -> None:
    for witness in house.witnesses:
        witness.down = True
    house.grow(3)
    house.round()
    house.now += LONGEST_UNWITNESSED + 1
    house.world.ledger.down = True
    with pytest.raises(Unavailable):
        house.round()
    house.world.ledger.down = False
    house.round()

    assert [kind for kind, _ in house.alarms] == ["unwitnessed"]


def rewritten(house: House, entries: int) -> None:
    """Put another history, well signed, in the place of the ledger."""
    other, publisher = MemoryLedger(), MemoryPublisher()
    for _ in range(entries):
        other.append(draft())
    Notary(other, publisher, house.world.keyring, ORIGIN).attest()
    mine = house.world.publisher
    mine.entries, mine.leaves, mine.note = publisher.entries, publisher.leaves, publisher.note
    house.world.ledger.kept = other.kept


@pytest.mark.parametrize(
    ("entries", "because"),
    [
        (9, "a witness saw another history of the ledger"),
        (5, "a witness saw another ledger of the same size"),
        (3, "a witness saw a larger ledger than there is now"),
    ],
)
def test_a_ledger_that_was_rewritten_is_contradicted(house: House, entries: int, because: str) -> None:
    house.grow(5)
    house.round()
    rewritten(house, entries)
    for _ in range(3):
        house.round()
        house.now += 60

    told = [(kind, facts) for kind, facts in house.alarms if kind == "contradicted"]
    assert told == [("contradicted", {"witness": name, "because": because}) for name in ("w1", "w2")]


def test_a_contradiction_that_is_over_is_told_too(house: House) -> None:
    house.grow(5)
    house.round()
    kept, leaves, note = house.world.ledger.kept, house.world.publisher.leaves, house.world.publisher.note
    rewritten(house, 3)
    house.round()
    house.world.ledger.kept, house.world.publisher.leaves, house.world.publisher.note = kept, leaves, note
    for _ in range(2):
        house.grow()
        house.now += 60
        house.round()

    assert house.alarms[-1] == ("contradicted", {"witness": "w2", "recovered": "it signs again"})


class Ahead:
    """A witness to whom somebody else has just shown more."""

    name = "ahead"

    def __init__(self, house: House, sizes: list[int]) -> None:
        self.house = house
        self.sizes = sizes

    def submit(self, old_size: int, proof: object, note: bytes) -> Cosigned | SeenElsewhere:
        self.house.grow()
        return SeenElsewhere(self.sizes.pop(0))


@pytest.mark.parametrize("sizes", [[6], [1, 2, 3]], ids=["further", "never the same"])
def test_a_witness_that_is_only_further_than_we_are_does_not_contradict(house: House, sizes: list[int]) -> None:
    house.grow(5)
    house.witnesses = [Ahead(house, sizes)]  # type: ignore[list-item]
    house.witnessing.stop()
    house.witnessing = house.another(1)

    assert house.round() == 0
    assert (house.alarms, sizes) == ([], [])


def test_its_thread_follows_the_ledger_and_shows_the_last_checkpoint_before_it_ends(house: House) -> None:
    house.grow(2)
    house.witnessing.start()
    until(lambda: signers(house.world.publisher.witnessed()) != ())
    house.grow(2)
    house.witnessing.stop()

    assert [*house.world.publisher.cosigned] == [2, 4]


def test_its_thread_outlives_whatever_fails(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.grow(2)
    house.world.publisher.down = True
    house.witnessing.start()
    until(lambda: "the publishing place is out of reach" in caplog.text)
    monkeypatch.setattr(house.witnessing, "look", lambda: 1 // 0)
    until(lambda: "ZeroDivisionError" in caplog.text)
    house.world.publisher.down = False

    until(lambda: [*house.world.publisher.cosigned] == [2])


def test_what_was_witnessed_before_is_known_after_a_restart(house: House) -> None:
    house.grow(2)
    house.round()
    house.witnessing.stop()
    house.witnessing = house.another()
    for witness in house.witnesses:
        witness.down = True
    house.witnessing.start()
    time.sleep(0.1)
    house.now += LONGEST_UNWITNESSED + 5
    time.sleep(0.8)

    assert house.alarms == []


def forged(house: House) -> dict[str, bytes]:
    """Return notes that say that more was witnessed, as whoever may write into the publishing place would have them."""
    ours = verify_note(house.world.publisher.witnessed() or b"", ORIGIN, house.world.keyring.public_key())
    text = checkpoint_text(ORIGIN, 10**12, bytes(32))
    keyring, stranger = house.world.keyring, Ed25519PrivateKey.generate()
    by_log = sign_note(text, ORIGIN, keyring.public_key(), keyring.sign(text))
    by_stranger = sign_note(text, ORIGIN, stranger.public_key().public_bytes_raw(), stranger.sign(text))
    lines = (house.world.publisher.witnessed() or b"").decode().splitlines()
    return {
        "nobody's": b"x\n999999999999\n" + b64encode(bytes(32)) + b"\n\n\xe2\x80\x94 x " + b64encode(bytes(68)) + b"\n",
        "a stranger's": by_stranger,
        "the log's alone": by_log,
        "with cosignatures of another": by_log + "".join(f"{line}\n" for line in lines[-2:]).encode(),
        "with one of two": sign_note(ours, ORIGIN, keyring.public_key(), keyring.sign(ours))
        + f"{lines[-1]}\n{lines[-1]}\n".encode(),
    }


@pytest.mark.parametrize(
    "kind", ["nobody's", "a stranger's", "the log's alone", "with cosignatures of another", "with one of two"]
)
def test_a_note_that_a_quorum_did_not_sign_silences_no_alarm_after_a_restart(house: House, kind: str) -> None:
    house.grow(2)
    house.round()
    house.world.publisher.newest_witnessed = forged(house)[kind]
    house.witnessing.stop()
    house.witnessing = house.another()
    for witness in house.witnesses:
        witness.down = True
    house.witnessing.start()
    time.sleep(0.7)
    house.now += LONGEST_UNWITNESSED + 5
    until(lambda: house.alarms != [])

    assert house.alarms[0] == ("unwitnessed", {"seconds": 65, "witnessed": 0, "entries": 2})


class Fickle:
    """A witness that contradicts and signs in turn."""

    name = "fickle"
    asked = 0

    def submit(self, old_size: int, proof: object, note: bytes) -> Cosigned | SeenElsewhere:
        self.asked += 1
        if self.asked % 2:
            raise Tampered("a witness saw another history of the ledger")
        return Cosigned("\u2014 fickle AAAA", NOW)


def test_a_witness_that_contradicts_and_signs_in_turn_is_one_alarm(house: House) -> None:
    house.witnesses = [Fickle()]  # type: ignore[list-item]
    house.witnessing.stop()
    house.witnessing = house.another(1)
    for _ in range(240):
        house.now += 0.5
        house.grow()
        house.round()

    assert house.alarms == [
        ("contradicted", {"witness": "fickle", "because": "a witness saw another history of the ledger"})
    ]


class Boastful:
    """A witness that once says that it had seen more than there can be."""

    name = "boastful"
    asked = 0

    def submit(self, old_size: int, proof: object, note: bytes) -> Cosigned | SeenElsewhere:
        self.asked += 1
        return SeenElsewhere(10**18) if self.asked == 1 else Cosigned("\u2014 boastful AAAA", NOW)


def test_a_witness_that_made_up_a_size_once_is_asked_again(house: House) -> None:
    house.witnesses = [Boastful()]  # type: ignore[list-item]
    house.witnessing.stop()
    house.witnessing = house.another(1)
    house.grow()
    assert house.round() == 0
    house.now += 60
    assert house.round() == 1


def test_another_head_of_a_witnessed_size_is_tampering(house: House, tmp_path: Path) -> None:
    house.grow(2)
    house.round()
    rewritten(house, 2)
    log = log_verifier_key(ORIGIN, house.world.keyring.public_key())
    house.witnesses[:] = [MemoryWitness(tmp_path / f"new-{name}", log, name) for name in ("w1", "w2")]
    house.witnessing.stop()
    house.witnessing = house.another()

    with pytest.raises(Tampered):
        house.witnessing.attest()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
