"""Time servers are asked over NTP, really; what does not know the time itself is not believed."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pacs_secure.adapters import time_servers
from pacs_secure.adapters.time_servers import TimeServers
from pacs_secure.core.errors import Malformed, Unavailable
from tests.time_sources import NtpServer, ntp_server


@pytest.fixture
def three() -> Iterator[list[NtpServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(ntp_server()) for _ in range(3)]


def test_our_clock_is_ahead_when_theirs_is_behind(three: list[NtpServer]) -> None:
    ours = TimeServers([three[0].address])
    assert abs(ours.drift()) < 0.5

    three[0].ahead = -7.0
    assert 6.5 < ours.drift() < 7.5
    three[0].ahead = 7.0
    assert -7.5 < ours.drift() < -6.5


def test_one_liar_of_three_moves_nothing(three: list[NtpServer]) -> None:
    three[1].ahead = 3600.0

    assert abs(TimeServers([one.address for one in three]).drift()) < 0.5


@pytest.mark.parametrize("flaw", [{"leap": 3}, {"stratum": 0}, {"stratum": 16}, {"mode": 3}, {"silent": True}], ids=str)
def test_a_server_that_does_not_know_the_time_is_not_asked_for_it(
    three: list[NtpServer], flaw: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_servers, "SECONDS_OF_SILENCE", 0.2)
    three[0].ahead = 50.0
    for name, value in flaw.items():
        setattr(three[0], name, value)

    assert abs(TimeServers([three[0].address, three[1].address]).drift()) < 0.5
    with pytest.raises(Unavailable):
        TimeServers([three[0].address]).drift()


@pytest.mark.parametrize("address", ["", ":123", "host:port", "host/path", "host?query", "user@host", "host:99999"])
def test_what_is_no_address_is_malformed(address: str) -> None:
    with pytest.raises(Malformed):
        TimeServers([address])


def test_the_port_of_ntp_need_not_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = TimeServers(["time.example", "[::1]", "127.0.0.1:1123"])

    assert asked._servers == [("time.example", 123), ("::1", 123), ("127.0.0.1", 1123)]
