"""The notifier: carries what waits until it was taken, and hinders nobody."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from pacs_secure.archive.notifier import EVERY_SECONDS, LONGEST_PAUSE, MOST_AT_ONCE, Notifier
from pacs_secure.core.access import Action, Relation, Safeguard
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.notices import KeptNotice
from tests.builders import HERE, request, study_facts
from tests.fakes import Alone
from tests.world import World

PATIENCE = 10.0


@dataclass
class Pigeon:
    """A messenger of the tests, which may be ill or have an accident."""

    channel: str = "pigeon"
    error: Exception | None = None
    taken: list[list[UUID]] = field(default_factory=list)

    def send(self, notices: Sequence[KeptNotice]) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append([kept.notice.notice_id for kept in notices])


def read(world: World, times: int = 1) -> None:
    """Read a labelled study so many times: as many notices wait."""
    vip = study_facts(relations=[Relation.TREATING], safeguards=[Safeguard.VIP])
    for _ in range(times):
        world.archive.guard.admit(request(Action.STUDY_READ, study=vip))


def notifier(world: World, pigeon: Pigeon) -> Notifier:
    return Notifier(world.house.engines.notices, pigeon, HERE, lambda: datetime.now(UTC))


def eventually(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return true()


def test_what_waits_is_carried_once_in_order_and_not_too_much_at_once(world: World) -> None:
    pigeon = Pigeon()
    read(world, MOST_AT_ONCE + 2)

    assert notifier(world, pigeon).deliver() == MOST_AT_ONCE + 2
    assert notifier(world, pigeon).deliver() == 0

    assert [len(one) for one in pigeon.taken] == [MOST_AT_ONCE, 2]
    assert [name for one in pigeon.taken for name in one] == [
        kept.notice.notice_id for kept in world.ledger.notices.values()
    ]
    assert all(kept.sent_at is not None for kept in world.ledger.notices.values())


@pytest.mark.parametrize("error", [Unavailable("ill"), RuntimeError("secret of a library")])
def test_what_was_not_taken_waits_and_is_tried_after_growing_pauses_for_ever(
    world: World, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    pigeon = Pigeon(error=error)
    carrier = notifier(world, pigeon)
    read(world)

    assert not carrier.attempt()
    assert carrier.pause == 2 * EVERY_SECONDS
    for _ in range(20):
        assert not carrier.attempt()
    assert carrier.pause == LONGEST_PAUSE
    pigeon.error = None
    assert carrier.attempt()

    assert carrier.pause == EVERY_SECONDS
    assert len(pigeon.taken) == 1
    assert "secret" not in caplog.text


def test_another_process_goes_on_where_the_last_one_ended(world: World) -> None:
    pigeon = Pigeon(error=Unavailable("ill"))
    read(world)
    notifier(world, pigeon).attempt()
    pigeon.error = None
    read(world)

    assert notifier(world, pigeon).deliver() == 2


def test_each_way_out_takes_every_notice(world: World) -> None:
    read(world)

    assert [notifier(world, Pigeon(channel)).deliver() for channel in ("pigeon", "raven")] == [1, 1]


def test_its_thread_delivers_what_comes_within_seconds_and_ends_when_asked(world: World) -> None:
    pigeon = Pigeon()
    carrier = notifier(world, pigeon)
    carrier.start()
    read(world)

    assert eventually(lambda: len(pigeon.taken) == 1)
    carrier.stop()
    read(world)
    time.sleep(1.5 * EVERY_SECONDS)
    assert len(pigeon.taken) == 1


def test_what_never_started_can_be_stopped(world: World) -> None:
    notifier(world, Pigeon()).stop()


def test_an_archive_that_stands_by_tells_nobody_what_the_one_that_leads_tells(world: World) -> None:
    leader, pigeon = Alone(), Pigeon()
    carrier = Notifier(world.house.engines.notices, pigeon, HERE, lambda: datetime.now(UTC), leader.leads)
    read(world)
    carrier.start()
    time.sleep(0.1)
    assert pigeon.taken == []

    leader.start(lambda kind, facts: None)
    assert eventually(lambda: len(pigeon.taken) == 1)
    carrier.stop()
