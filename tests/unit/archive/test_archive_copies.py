"""Of two copies the first that proves itself is given; what was found wanting is told, once."""

from collections.abc import Iterator, Mapping

import pytest

from pacs_secure.archive import copies as module
from pacs_secure.archive.copies import AWAY, TOLD_EVERY, Copies
from pacs_secure.core.errors import NotFound, Tampered, Unavailable
from pacs_secure.ports import Blobs
from tests.builders import new_object_id
from tests.fakes_blobs import MemoryBlobs


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Stores:
    """Two stores of one object of three letters, and what reads a letter at a time."""

    def __init__(self, number: int = 2) -> None:
        self.all = [MemoryBlobs() for _ in range(number)]
        self.clock = Clock()
        self.copies = Copies(self.all, self.clock)
        self.name = new_object_id()
        self.asked: list[int] = []
        self.failing: dict[int, tuple[int, Exception]] = {}
        self.alarms: list[tuple[str, Mapping[str, str | int]]] = []

    def letters(self, blobs: Blobs, start: int) -> Iterator[bytes]:
        which = next(number for number, store in enumerate(self.all) if store is blobs)
        self.asked.append(which)
        at, error = self.failing.get(which, (99, Tampered()))
        for place in range(start, 3):
            if place == at:
                raise error
            yield b"abc"[place : place + 1]

    def read(self, start: int = 0) -> bytes:
        return b"".join(self.copies.read(self.name, start, self.letters))

    def tell(self) -> int:
        return self.copies.tell(lambda kind, facts: self.alarms.append((kind, facts)))


def test_the_first_store_is_asked_alone_while_it_gives_what_was_sealed() -> None:
    stores = Stores()

    assert (stores.read(), stores.read(1), stores.asked) == (b"abc", b"bc", [0, 0])
    assert (stores.tell(), stores.alarms, stores.copies.from_second) == (0, [], 0)


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("error", [Tampered("cut"), NotFound("gone"), Unavailable("away")], ids=str)
def test_where_one_copy_fails_the_next_goes_on(at: int, error: Exception) -> None:
    stores = Stores()
    stores.failing[0] = (at, error)

    assert stores.read() == b"abc"
    assert (stores.asked, stores.copies.from_second) == ([0, 1], 1)


def test_a_damaged_copy_is_told_once() -> None:
    stores = Stores()
    stores.failing[0] = (1, Tampered("cut"))
    stores.read()
    stores.read()

    assert (stores.tell(), stores.tell()) == (1, 0)
    stores.read()
    assert stores.tell() == 0
    assert stores.alarms == [("objects", {"store": "first", "damaged": 1, "objects": str(stores.name)})]


def test_many_damaged_copies_are_one_alarm_a_store_and_told_again_only_when_many_more_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 3)
    stores, names = Stores(), [new_object_id() for _ in range(12)]
    for name in names:
        stores.copies.found("second", name)

    assert stores.tell() == 12
    ((_, facts),) = stores.alarms
    assert (facts["damaged"], facts["objects"]) == (12, " ".join(map(str, names[:8])))
    stores.clock.now += TOLD_EVERY
    stores.copies.found("second", names[-1])
    assert stores.tell() == 0
    stores.copies.found("second", names[0])
    assert stores.tell() == 1


def test_a_store_that_decays_is_an_alarm_a_minute_and_no_flood() -> None:
    stores = Stores()
    for _ in range(5):
        stores.copies.found("first", new_object_id())
        stores.tell()
        stores.clock.now += TOLD_EVERY / 4
    stores.copies.found("second", new_object_id())
    stores.tell()

    assert [(facts["store"], facts["damaged"]) for _, facts in stores.alarms] == [
        ("first", 1),
        ("first", 4),
        ("second", 1),
    ]


def test_an_alarm_that_cannot_be_recorded_waits() -> None:
    stores = Stores()
    stores.copies.found("first", stores.name)

    def away(kind: str, facts: Mapping[str, str | int]) -> None:
        raise Unavailable("the ledger is away")

    with pytest.raises(Unavailable):
        stores.copies.tell(away)
    assert stores.tell() == 1


def test_a_store_that_was_away_is_asked_last_for_a_while() -> None:
    stores = Stores()
    stores.failing[0] = (0, Unavailable("away"))
    stores.read()
    del stores.failing[0]
    stores.asked.clear()

    stores.read()
    stores.clock.now += AWAY
    stores.read()
    assert (stores.asked, stores.copies.from_second) == ([1, 0], 2)
    assert stores.tell() == 0


def test_a_store_that_works_again_is_no_longer_away() -> None:
    stores = Stores()
    for store in (0, 1):
        stores.failing[store] = (0, Unavailable("away"))
    with pytest.raises(Unavailable):
        stores.read()
    stores.failing.clear()
    stores.asked.clear()

    assert (stores.read(), stores.read(), stores.asked) == (b"abc", b"abc", [0, 0])


@pytest.mark.parametrize(
    ("first", "second", "raised"),
    [
        (Tampered, Tampered, Tampered),
        (Tampered, Unavailable, Unavailable),
        (Unavailable, Tampered, Unavailable),
        (NotFound, NotFound, Tampered),
    ],
)
def test_where_no_copy_opens_it_is_an_outage_if_one_may_be_whole_and_damage_if_none_is(
    first: type[Exception], second: type[Exception], raised: type[Exception]
) -> None:
    stores = Stores()
    stores.failing = {0: (1, first()), 1: (1, second())}

    with pytest.raises(raised):
        stores.read()


def test_an_error_of_whoever_reads_is_nobodys_damage() -> None:
    stores = Stores(1)
    reading = stores.copies.read(stores.name, 0, stores.letters)
    next(reading)
    reading.close()  # type: ignore[attr-defined]

    assert (stores.tell(), stores.copies.from_second) == (0, 0)
