"""A clock that is set, or that was never right, is an alarm; one that is right again is one word (LOG-08)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from pacs_secure.archive.clock_watch import LONGEST_SILENCE, ClockWatch
from pacs_secure.core.errors import Unavailable


@dataclass
class Clocks:
    """Our two clocks, those of others, and what was said of them."""

    wall: float = 1_700_000_000.0
    monotonic: float = 50.0
    theirs: float | None = 0.0
    asked: int = 0
    down: bool = False
    alarms: list[tuple[str, dict[str, str | int]]] = field(default_factory=list)

    def drift(self) -> float:
        self.asked += 1
        if self.theirs is None:
            raise Unavailable("no time server answers")
        return self.theirs

    def alarm(self, kind: str, facts: Mapping[str, str | int]) -> None:
        if self.down:
            raise Unavailable("the ledger is out of reach")
        self.alarms.append((kind, dict(facts)))

    def watch(self, *, alone: bool = False) -> ClockWatch:
        return ClockWatch(None if alone else self, 64, self.alarm, lambda: self.wall, lambda: self.monotonic)

    def go(self, seconds: float, stepped: float = 0.0) -> None:
        self.monotonic += seconds
        self.wall += seconds + stepped


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_a_clock_that_only_goes_on_is_no_alarm(clocks: Clocks) -> None:
    watch = clocks.watch()
    for _ in range(200):
        clocks.go(1, stepped=0.001)
        watch.look()

    assert clocks.alarms == []
    assert clocks.asked == 4, "others are asked every so many seconds only"


@pytest.mark.parametrize("step", [-3600.0, -1.5, 1.5, 86400.0])
def test_a_step_is_an_alarm_once_without_any_network(clocks: Clocks, step: float) -> None:
    watch = clocks.watch(alone=True)
    clocks.go(1, stepped=step)
    for _ in range(3):
        watch.look()
        clocks.go(1)

    assert clocks.alarms == [("clock", {"stepped_ms": round(step * 1000)})]


def test_small_steps_add_up(clocks: Clocks) -> None:
    watch = clocks.watch(alone=True)
    for _ in range(6):
        clocks.go(1, stepped=-0.4)
        watch.look()

    assert [facts["stepped_ms"] for _, facts in clocks.alarms] == [-1200, -1200]


def test_a_step_that_cannot_be_recorded_is_told_later(clocks: Clocks) -> None:
    watch = clocks.watch(alone=True)
    clocks.go(1, stepped=5)
    clocks.down = True
    with pytest.raises(Unavailable):
        watch.look()
    clocks.down = False
    watch.look()

    assert clocks.alarms == [("clock", {"stepped_ms": 5000})]


def test_a_clock_that_is_off_is_an_alarm_until_it_is_right_again(clocks: Clocks) -> None:
    watch = clocks.watch()
    for drift in (0.9, -1.2, -1.3, 0.2, 0.1):
        clocks.theirs = drift
        watch.look()
        clocks.go(64)

    assert clocks.alarms == [
        ("clock", {"drift_ms": -1200}),
        ("clock", {"drift_ms": 200, "recovered": "within a second again"}),
    ]


def test_a_drift_that_cannot_be_recorded_is_asked_for_again_at_once(clocks: Clocks) -> None:
    watch = clocks.watch()
    clocks.theirs, clocks.down = 2.0, True
    with pytest.raises(Unavailable):
        watch.look()
    clocks.down = False
    clocks.go(1)
    watch.look()

    assert clocks.alarms == [("clock", {"drift_ms": 2000})]


def test_when_nobody_tells_the_time_for_an_hour_that_is_an_alarm_too(clocks: Clocks) -> None:
    watch = clocks.watch()
    clocks.theirs = None
    for _ in range(80):
        watch.look()
        clocks.go(64)
    assert clocks.alarms == [("clock", {"silent_s": 3648})]
    assert clocks.monotonic > LONGEST_SILENCE

    clocks.theirs = 0.0
    watch.look()
    assert clocks.alarms[1:] == [("clock", {"silent_s": 0, "recovered": "time servers answer again"})]
