"""When a breaker lets callers through."""

import pytest

from pacs_secure.adapters.breaker import Breaker
from pacs_secure.core.errors import Unavailable


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock, "the vault")


def refused(breaker: Breaker) -> bool:
    try:
        breaker.admit()
    except Unavailable:
        return True
    return False


def test_two_failures_stop_nobody(breaker: Breaker) -> None:
    breaker.failed()
    breaker.failed()

    assert not refused(breaker)


def test_after_three_in_a_row_everyone_is_refused_at_once(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.failed()

    assert refused(breaker)
    assert refused(breaker)


def test_a_success_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    for outcome in (breaker.failed, breaker.failed, breaker.worked, breaker.failed, breaker.failed):
        outcome()

    assert not refused(breaker)


def test_after_a_second_one_caller_probes_and_the_others_wait_no_longer(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.failed()
    clock.now += 1.0

    assert [refused(breaker) for _ in range(3)] == [False, True, True]


def test_a_probe_that_works_lets_everyone_through(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.failed()
    clock.now += 1.0
    breaker.admit()
    breaker.worked()

    assert [refused(breaker) for _ in range(3)] == [False] * 3


def test_a_probe_that_fails_begins_another_pause(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.failed()
    clock.now += 1.0
    breaker.admit()
    clock.now += 0.9
    breaker.failed()
    clock.now += 0.9

    assert refused(breaker)
    clock.now += 0.2
    assert not refused(breaker)


def test_a_probe_that_never_comes_back_is_followed_by_another(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.failed()
    clock.now += 1.0
    breaker.admit()
    clock.now += 1.0

    assert not refused(breaker)
