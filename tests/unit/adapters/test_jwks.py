"""When an issuer's keys are fetched, how long they are believed, and what an outage does."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from pacs_secure.adapters.jwks import BETWEEN_FAILURES, BETWEEN_FORCED, FRESH, STALE, FetchedKeys
from pacs_secure.core.errors import Malformed, Unavailable


@dataclass
class Provider:
    """An issuer whose set changes, on a clock that stands still."""

    now: float = 1000.0
    keys: dict[str, str] = field(default_factory=lambda: {"a": "key a"})
    failure: Exception | None = None
    fetched: int = 0

    def fetch(self) -> dict[str, str]:
        self.fetched += 1
        if self.failure is not None:
            raise self.failure
        return dict(self.keys)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def keys(provider: Provider) -> FetchedKeys[str]:
    return FetchedKeys(provider.fetch, lambda: provider.now)


def test_keys_are_fetched_once_in_ten_minutes(provider: Provider, keys: FetchedKeys[str]) -> None:
    assert {keys.find("a") for _ in range(100)} == {"key a"}
    assert provider.fetched == 1

    provider.now += FRESH + 1
    assert keys.find("a") == "key a"
    assert provider.fetched == 2


def test_an_unknown_name_causes_one_fetch_a_minute(provider: Provider, keys: FetchedKeys[str]) -> None:
    keys.find("a")
    provider.now += BETWEEN_FORCED
    assert {keys.find(f"forged {number}") for number in range(100)} == {None}
    assert provider.fetched == 2

    provider.keys["b"] = "key b"
    provider.now += BETWEEN_FORCED - 1
    assert keys.find("b") is None
    provider.now += 1
    assert keys.find("b") == "key b"
    assert provider.fetched == 3


def test_a_key_that_the_issuer_withdrew_is_gone_within_ten_minutes(provider: Provider, keys: FetchedKeys[str]) -> None:
    keys.find("a")
    provider.keys = {"b": "key b"}
    provider.now += FRESH + 1

    assert keys.find("a") is None


@pytest.mark.parametrize("failure", [Unavailable("away"), Malformed("a secret in it")])
def test_an_outage_is_outlived_for_an_hour_then_nobody_is_let_in(
    provider: Provider, keys: FetchedKeys[str], failure: Exception
) -> None:
    keys.find("a")
    provider.failure = failure
    provider.now += FRESH + STALE
    assert keys.find("a") == "key a"
    assert keys.find("unknown") is None

    provider.now += 1
    with pytest.raises(Unavailable):
        keys.find("a")

    provider.failure = None
    provider.now += BETWEEN_FAILURES
    assert keys.find("a") == "key a"


def test_an_issuer_that_was_never_reached_is_asked_again_soon(provider: Provider, keys: FetchedKeys[str]) -> None:
    provider.failure = Unavailable("away")
    for _ in range(10):
        with pytest.raises(Unavailable):
            keys.find("a")
    assert provider.fetched == 1

    provider.failure = None
    provider.now += BETWEEN_FAILURES
    assert keys.find("a") == "key a"


def test_many_callers_cause_one_fetch(provider: Provider) -> None:
    keys = FetchedKeys(provider.fetch, lambda: provider.now)

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: keys.find("a"), range(64)))

    assert found == {"key a"}
    assert provider.fetched == 1


def test_whoever_has_a_usable_key_does_not_wait_for_the_fetch(provider: Provider) -> None:
    begun, go_on = threading.Event(), threading.Event()
    waits: list[bool] = []

    def fetch() -> dict[str, str]:
        if waits:
            begun.set()
            assert go_on.wait(10)
        return provider.fetch()

    keys = FetchedKeys(fetch, lambda: provider.now)
    keys.find("a")
    provider.now += FRESH + 1

    waits.append(True)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(keys.find, "a")
        assert begun.wait(10)
        assert keys.find("a") == "key a"
        assert not waiting.done()
        go_on.set()
        assert waiting.result() == "key a"
