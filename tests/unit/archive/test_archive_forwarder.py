"""The forwarder: every entry reaches the repository, in order, however often something fails in between."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from pacs_secure.archive import feed
from pacs_secure.archive.forwarder import ALARM, ALARM_AFTER, EVERY_SECONDS, LONGEST_PAUSE, Forwarder
from pacs_secure.core.access import Door, Role
from pacs_secure.core.errors import Unavailable
from pacs_secure.messages import syslog
from tests.builders import ELSEWHERE, HERE, NOW, subject
from tests.fakes_feeds import Chair, MemoryBookmarks, Pile
from tests.unit.archive.instances import acts, data_set, store
from tests.world import ORIGIN, World

ARCHIVE = subject(Role.OPERATOR, identifier="archive", door=Door.JOB, address="")
PATIENCE = 10.0


@dataclass
class Hands:
    """A clock that stands until it is put forward."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def forwarder(world: World, pile: Pile, marks: MemoryBookmarks, clock: Hands | None = None) -> Forwarder:
    clock = clock or Hands()
    return Forwarder(world.archive.feed, marks, pile, syslog.frame, ARCHIVE, clock)


def places(pile: Pile) -> list[int]:
    """Return the ledger index of every message, from the entry that it names."""
    return [int(one.decode().rpartition(f'ParticipantObjectID="{ORIGIN}#')[2].partition('"')[0]) for one in pile.taken]


def eventually(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return true()


def test_every_entry_is_carried_once_and_that_is_one_act(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_AT_ONCE", 2)
    pile, marks = Pile(), MemoryBookmarks()
    store(world)
    carrier = forwarder(world, pile, marks)

    assert carrier.deliver() == 3
    assert carrier.deliver() == 0
    store(world, data_set(2))
    assert carrier.deliver() == len(world.ledger.kept) - 3
    carrier.stop()

    assert places(pile) == list(range(len(world.ledger.kept) - 1))
    fed = [one for one in acts(world) if one[0] == "ledger:feed"]
    assert fed == [("ledger:feed", "begun"), ("ledger:feed", "completed")]
    assert world.entries()[-1]["facts"]["last"] == places(pile)[-1]


def test_it_goes_on_where_another_process_stopped(world: World) -> None:
    first, second, marks = Pile(), Pile(), MemoryBookmarks()
    store(world)
    before, after = forwarder(world, first, marks), forwarder(world, second, marks)
    before.deliver()
    store(world, data_set(2))
    after.deliver()

    assert places(first) + places(second) == list(range(len(world.ledger.kept)))


@pytest.mark.parametrize("error", [Unavailable("ill"), RuntimeError("secret of a library")])
def test_what_was_not_taken_comes_again_after_growing_pauses(
    world: World, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    pile, marks = Pile(error=error), MemoryBookmarks()
    store(world)
    carrier = forwarder(world, pile, marks)

    assert not carrier.attempt()
    assert carrier.pause == 2 * EVERY_SECONDS
    for _ in range(10):
        assert not carrier.attempt()
    assert carrier.pause == LONGEST_PAUSE
    assert (carrier.standing().place, carrier.standing().behind, carrier.standing().since) == (0, 3, NOW)
    pile.error = None
    assert carrier.attempt()

    assert places(pile) == [0, 1, 2]
    assert carrier.pause == EVERY_SECONDS
    assert (carrier.standing().place, carrier.standing().behind, carrier.standing().since) == (3, 0, None)
    assert "secret" not in caplog.text
    assert "has taken every entry again" in caplog.text


def test_a_bookmark_that_cannot_be_kept_means_a_message_twice_and_never_none(world: World) -> None:
    pile, marks = Pile(), MemoryBookmarks()
    store(world)
    carrier = forwarder(world, pile, marks)
    carrier.deliver()
    store(world, data_set(2))
    marks.down = True

    assert not carrier.attempt()
    marks.down = False
    assert carrier.attempt()

    later = list(range(3, len(world.ledger.kept)))
    assert places(pile) == [0, 1, 2, *later, *later]


def test_entries_of_another_institution_are_passed_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_AT_ONCE", 1)
    pile, marks = Pile(), MemoryBookmarks()
    store(world)
    elsewhere = replace(ARCHIVE, institution=ELSEWHERE)
    carrier = Forwarder(world.archive.feed, marks, pile, syslog.frame, elsewhere, Hands())

    assert carrier.deliver() == 1
    assert (places(pile), marks.place(pile.channel)) == ([2], 3)


def test_of_several_archives_the_one_that_leads_delivers(world: World) -> None:
    pile, marks, chairs = Pile(), MemoryBookmarks(), (Chair(), Chair(leading=False))
    one, other = (Forwarder(world.archive.feed, marks, pile, syslog.frame, ARCHIVE, Hands(), chair) for chair in chairs)
    store(world)
    assert other.attempt()
    assert pile.taken == []
    assert one.attempt()
    assert places(pile) == [0, 1, 2]

    chairs[0].leading, chairs[1].leading = False, True
    store(world, data_set(2))
    assert one.attempt()
    assert acts(world)[-1] == ("ledger:feed", "completed")
    assert other.attempt()
    assert places(pile) == list(range(len(world.ledger.kept)))
    assert one.attempt()


def test_the_officer_hears_of_a_repository_that_takes_nothing_once_and_when_it_does_again(world: World) -> None:
    pile, clock = Pile(error=Unavailable("ill")), Hands()
    carrier = forwarder(world, pile, MemoryBookmarks(), clock)
    carrier.attempt()
    clock.now += ALARM_AFTER - timedelta(seconds=1)
    carrier.attempt()
    assert not [one for one in acts(world) if one[0] == "system:alarm"]

    clock.now += timedelta(seconds=1)
    carrier.attempt()
    carrier.attempt()
    pile.error = None
    carrier.attempt()
    carrier.attempt()

    alarms = [entry for entry in world.entries() if entry["action"] == "system:alarm"]
    assert [entry["outcome"] for entry in alarms] == ["failed", "completed"]
    assert {entry["facts"]["alarm"] for entry in alarms} == {ALARM}
    assert len(world.ledger.notices) == 2


def test_an_alarm_that_cannot_be_recorded_is_raised_again(world: World) -> None:
    pile, clock = Pile(), Hands()
    carrier = forwarder(world, pile, MemoryBookmarks(), clock)
    carrier.deliver()
    pile.error = Unavailable("ill")
    store(world)
    carrier.attempt()
    clock.now += ALARM_AFTER
    world.ledger.down = True
    carrier.attempt()
    world.ledger.down = False
    carrier.attempt()

    assert [one for one in acts(world) if one[0] == "system:alarm"] == [("system:alarm", "failed")]


def test_it_follows_by_itself_until_it_is_stopped(world: World) -> None:
    pile = Pile()
    carrier = forwarder(world, pile, MemoryBookmarks())
    carrier.start()
    assert eventually(lambda: places(pile) == [0])
    store(world)
    assert eventually(lambda: len(places(pile)) == len(world.ledger.kept))
    carrier.stop()

    assert acts(world)[-1] == ("ledger:feed", "completed")
    carrier.stop()
    assert acts(world).count(("ledger:feed", "completed")) == 1


def alarms(world: World) -> list[object]:
    return [entry["facts"]["found"] for entry in world.entries() if entry["action"] == "system:alarm"]


def test_a_bookmark_beyond_the_ledger_is_an_alarm_and_everything_is_passed_on_all_the_same(world: World) -> None:
    pile, marks = Pile(), MemoryBookmarks()
    store(world)
    marks.move("pile", 10**15)
    carrier = forwarder(world, pile, marks)
    assert carrier.standing().behind == len(world.ledger.kept)

    assert carrier.attempt()
    assert places(pile) == list(range(len(world.ledger.kept)))
    assert marks.place("pile") == len(pile.taken)
    assert alarms(world) == ["the bookmark is beyond the ledger"]


def test_behind_a_bookmark_that_cannot_be_it_goes_on_where_the_ledger_says_that_it_stopped(world: World) -> None:
    pile, other, again, marks = Pile(), Pile(channel="other"), Pile(), MemoryBookmarks()
    store(world)
    first, second = forwarder(world, pile, marks), forwarder(world, other, marks)
    first.attempt()
    first.stop()
    second.attempt()
    second.stop()
    marks.correct("pile", 10**15)
    third = forwarder(world, again, marks)
    third.attempt()

    assert places(pile) + places(again) == list(range(len(world.ledger.kept)))


def test_an_account_that_begins_beyond_the_ledger_is_none(world: World) -> None:
    details = {"channel": "pile"}
    with world.archive.feed.begin(ARCHIVE, None, 10**15, details):
        pass

    assert world.archive.feed.last_account(HERE, "pile") == 0


def test_while_the_alarm_cannot_be_recorded_nothing_goes_on_from_a_bookmark_that_cannot_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pile, marks = Pile(), MemoryBookmarks()
    store(world)
    marks.move("pile", 10**15)
    carrier = forwarder(world, pile, marks)

    def away(*_: object) -> None:
        raise Unavailable("not now")

    with monkeypatch.context() as patched:
        patched.setattr(world.archive.guard, "alarm", away)
        assert not carrier.attempt()
    assert (pile.taken, marks.place("pile")) == ([], 10**15)
    assert carrier.attempt()
    assert places(pile) == list(range(len(world.ledger.kept)))
