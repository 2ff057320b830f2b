"""Passing the ledger on: decided, on record from where to where, and nothing of another institution."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pacs_secure.archive import feed
from pacs_secure.core.access import Role, Subject
from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.errors import Denied, Malformed, Unavailable
from pacs_secure.messages.occurrence import Occurrence
from tests.builders import ELSEWHERE, subject
from tests.fakes import MemoryLedger
from tests.unit.archive.instances import acts, store
from tests.world import ORIGIN, World

OPERATOR = subject(Role.OPERATOR)
HOW = {"format": "fhir"}


def fed(world: World, start: int = 0, somebody: Subject = OPERATOR) -> list[Occurrence]:
    found: list[Occurrence] = []
    with world.archive.feed.begin(somebody, None, start, HOW) as feeding:
        while (page := feeding.page()).next_place != feeding.place:
            found += page.entries
            feeding.passed_on(page)
    return found


def test_every_entry_is_passed_on_in_order_and_the_act_says_which(world: World) -> None:
    store(world)

    found = fed(world)

    assert [one.index for one in found] == [0, 1, 2]
    assert [one.leaf_hash for one in found] == [entry.leaf_hash for entry in world.ledger.kept[:3]]
    assert {one.origin for one in found} == {ORIGIN}
    assert acts(world)[2:] == [("ledger:feed", "begun"), ("ledger:feed", "completed")]
    begun, done = world.entries()[2:]
    assert (begun["facts"]["from"], begun["facts"]["format"]) == ("0", "fhir")
    assert {name: done["facts"][name] for name in ("entries", "first", "last")} == {"entries": 3, "first": 0, "last": 2}


def test_it_begins_where_it_is_told_and_says_so_when_there_was_nothing(world: World) -> None:
    store(world)

    assert [one.index for one in fed(world, 2)] == [2]
    assert fed(world, 99) == []
    assert world.entries()[-1]["facts"]["entries"] == 0
    assert "first" not in world.entries()[-1]["facts"]


def test_it_reads_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world)
    monkeypatch.setattr(feed, "MOST_AT_ONCE", 2)

    with world.archive.feed.begin(OPERATOR, None, 0, HOW) as feeding:
        lengths = []
        for _ in range(3):
            page = feeding.page()
            assert page == feeding.page()
            lengths.append(len(page.entries))
            feeding.passed_on(page)
        assert lengths == [2, 1, 0]
        assert feeding.place == feeding.size() == 3


def test_what_the_ledger_need_not_keep_any_longer_is_passed_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world)
    monkeypatch.setattr(feed, "MOST_AT_ONCE", 1)
    feeding = feed.Feeding(Shortened(world.ledger, 2), ORIGIN, OPERATOR.institution, 0)

    pages = []
    while (page := feeding.page()).next_place != feeding.place:
        pages.append([one.index for one in page.entries])
        feeding.passed_on(page)

    world.archive.verify.check_ledger(subject(Role.DPO))  # two more entries, which are kept
    assert pages == [[], []]
    assert [one.index for one in feeding.page().entries] == [2]


class Shortened(MemoryLedger):
    """A ledger whose first entries are gone after their time."""

    def __init__(self, whole: MemoryLedger, first: int) -> None:
        super().__init__()
        self._whole = whole
        self._first = first

    def size(self) -> int:
        return self._whole.size()

    def entries(self, start: int, stop: int) -> Iterator[LedgerEntry]:
        yield from (entry for entry in self._whole.entries(start, stop) if entry.index >= self._first)


def test_institutions_are_strictly_apart(world: World) -> None:
    store(world)
    stranger = subject(Role.OPERATOR, of=ELSEWHERE)

    found = fed(world, 0, stranger)

    assert [one.draft.action.value for one in found] == ["ledger:feed"]
    assert fed(world)[-1].draft.institution == OPERATOR.institution


@pytest.mark.parametrize("role", [Role.DPO, Role.RADIOLOGIST, Role.ADMIN])
def test_nobody_else_passes_the_ledger_on(world: World, role: Role) -> None:
    with pytest.raises(Denied):
        fed(world, 0, subject(role))
    assert acts(world) == [("ledger:feed", "refused")]


def test_there_is_no_entry_before_the_first(world: World) -> None:
    with pytest.raises(Malformed):
        fed(world, -1)
    assert acts(world) == [("ledger:feed", "refused")]


@pytest.mark.parametrize("place", [0, 1])
def test_an_entry_that_cannot_be_read_is_passed_on_as_an_alarm_and_keeps_nothing_back(world: World, place: int) -> None:
    store(world)
    kept = world.ledger.kept[place]
    world.ledger.kept[place] = LedgerEntry(place, b"{}", kept.leaf_hash, kept.prev_hash)

    given = fed(world)
    assert [one.index for one in given] == [0, 1, 2]
    alarm = given[place]
    assert (alarm.draft.action, alarm.draft.outcome, alarm.leaf_hash) == ("system:alarm", "failed", kept.leaf_hash)
    assert alarm.draft.at == (given[0].draft.at if place else datetime.fromtimestamp(0, UTC))
    world.ledger.kept[place] = kept
    assert acts(world)[2:] == [("ledger:feed", "begun"), ("ledger:feed", "completed")]


def test_whoever_stops_in_between_is_on_record_as_having_stopped(world: World) -> None:
    store(world)

    def broken_off() -> None:
        with world.archive.feed.begin(OPERATOR, None, 0, HOW) as feeding:
            feeding.page()
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        broken_off()
    assert acts(world)[-1] == ("ledger:feed", "aborted")


def test_a_failure_in_between_is_on_record_with_its_kind_and_what_had_been_passed_on(world: World) -> None:
    store(world)

    def failing() -> None:
        with world.archive.feed.begin(OPERATOR, None, 0, HOW) as feeding:
            feeding.passed_on(feeding.page())
            raise Unavailable("the ledger is out of reach")

    with pytest.raises(Unavailable):
        failing()
    assert acts(world)[-1] == ("ledger:feed", "failed")
    facts = world.entries()[-1]["facts"]
    assert (facts["error"], facts["entries"]) == ("Unavailable", 3)


def test_without_a_record_nothing_is_passed_on(world: World) -> None:
    world.ledger.down = True

    with pytest.raises(Unavailable):
        fed(world)
