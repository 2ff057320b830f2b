"""The newest checkpoint gets a time stamp every so often, and its absence is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from pacs_secure.archive.time_stamping import AGAIN, TimeStamping
from pacs_secure.core.errors import Tampered, Unavailable
from tests.builders import draft
from tests.world import World

HOUR = 3600.0


@dataclass
class Stamps:
    """An authority that counts, and a clock."""

    now: float = 500.0
    asked: list[bytes] = field(default_factory=list)
    error: Exception | None = None
    down: bool = False
    alarms: list[tuple[str, dict[str, str | int]]] = field(default_factory=list)

    def stamp(self, content: bytes) -> bytes:
        self.asked.append(content)
        if self.error is not None:
            raise self.error
        return b"token %d" % len(self.asked)

    def alarm(self, kind: str, facts: Mapping[str, str | int]) -> None:
        if self.down:
            raise Unavailable("the ledger is out of reach")
        self.alarms.append((kind, dict(facts)))

    def of(self, world: World) -> TimeStamping:
        return TimeStamping(world.publisher, self, HOUR, self.alarm, lambda: self.now)


def grow(world: World) -> None:
    world.ledger.append(draft())
    world.notary.attest()


def test_the_newest_checkpoint_is_stamped_once_a_period_and_only_when_it_is_new(world: World) -> None:
    stamps = Stamps()
    stamping = stamps.of(world)
    stamping.look()
    assert stamps.asked == [], "there is nothing to stamp yet"

    stamps.now += HOUR
    grow(world)
    for _ in range(3):
        stamping.look()
        stamps.now += HOUR / 4
    assert stamps.asked == [world.publisher.note]
    stamps.now += HOUR
    stamping.look()
    assert len(stamps.asked) == 1
    grow(world)
    stamps.now += HOUR
    stamping.look()

    assert world.publisher.stamps == {1: b"token 1", 2: b"token 2"}
    stamps.of(world).look()
    assert len(stamps.asked) == 2, "another process knows what is stamped already"


@pytest.mark.parametrize("error", [Unavailable("out of reach"), Tampered("another time")])
def test_a_time_stamp_that_fails_is_tried_again_and_told_after_two_periods(world: World, error: Exception) -> None:
    stamps = Stamps(error=error)
    stamping = stamps.of(world)
    grow(world)
    for _ in range(40):
        stamping.look()
        stamps.now += AGAIN
    assert len(stamps.asked) == 40
    assert stamps.alarms == [("unstamped", {"seconds": 7500, "because": str(error)})]

    stamps.error = None
    stamping.look()
    stamping.look()
    assert stamps.alarms[1:] == [("unstamped", {"recovered": "after 12000 s"})]
    assert world.publisher.stamps == {1: b"token 41"}


def test_an_alarm_that_cannot_be_recorded_is_raised_again(world: World) -> None:
    stamps = Stamps(error=Unavailable("out of reach"))
    stamping = stamps.of(world)
    grow(world)
    stamps.now += 3 * HOUR
    stamps.down = True
    with pytest.raises(Unavailable):
        stamping.look()
    stamps.down = False
    stamping.look()

    assert [kind for kind, _ in stamps.alarms] == ["unstamped"]
