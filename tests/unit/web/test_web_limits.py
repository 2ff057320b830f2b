"""Who asks too often is slowed down, and nobody else with them."""

import pytest

from pacs_secure.core.errors import TooOften
from pacs_secure.web.limits import Throttle, network


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def allowed(throttle: Throttle, address: str, times: int) -> int:
    passed = 0
    for _ in range(times):
        try:
            throttle.take(address)
            passed += 1
        except TooOften:
            continue
    return passed


def test_an_address_may_do_so_much_at_once_and_then_one_by_one() -> None:
    clock = Clock()
    throttle = Throttle(5, 2.0, clock)

    assert allowed(throttle, "192.0.2.1", 20) == 5
    clock.now += 4.0
    assert allowed(throttle, "192.0.2.1", 20) == 2
    clock.now += 1000.0
    assert allowed(throttle, "192.0.2.1", 20) == 5


def test_who_is_slowed_down_hears_for_how_long() -> None:
    clock = Clock()
    throttle = Throttle(1, 10.0, clock)
    throttle.take("192.0.2.1")
    clock.now += 2.5

    with pytest.raises(TooOften) as caught:
        throttle.take("192.0.2.1")
    assert caught.value.seconds == 8


def test_nobody_is_locked_out_by_another_address() -> None:
    throttle = Throttle(3, 1.0, Clock())
    allowed(throttle, "192.0.2.66", 1000)

    assert allowed(throttle, "192.0.2.1", 3) == 3


def test_memory_is_bounded_and_who_was_silent_for_longest_is_forgotten() -> None:
    throttle = Throttle(1, 1000.0, Clock(), most_addresses=10)
    allowed(throttle, "attacker", 1)
    for number in range(100):
        throttle.take(f"192.0.2.{number}")
        assert allowed(throttle, "attacker", 1) == 0

    assert len(throttle._buckets) == 10


def test_an_ipv6_customer_is_one_address() -> None:
    assert network("2001:db8:1:2::1") == network("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert network("2001:db8:1:3::1") != network("2001:db8:1:2::1")
    assert (network("192.0.2.1"), network("")) == ("192.0.2.1", "")
