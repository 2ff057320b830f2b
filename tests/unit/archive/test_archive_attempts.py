"""A login attempt is worth something in the browser that began it, for ten minutes, and nothing elsewhere."""

from base64 import urlsafe_b64decode
from datetime import datetime, timedelta

import pytest

from pacs_secure.archive.attempts import LONGEST_ATTEMPT, Attempts
from pacs_secure.core.errors import Unauthenticated
from tests.builders import ELSEWHERE, HERE, NOW
from tests.world import World


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(world: World, clock: Clock) -> Attempts:
    return Attempts(world.archive.search.seals, clock)


@pytest.mark.parametrize("fresh", [True, False])
def test_what_the_browser_keeps_is_the_attempt_itself(attempts: Attempts, *, fresh: bool) -> None:
    attempt, kept = attempts.begin(HERE, "/viewer/?a=b", fresh=fresh)

    assert attempts.resume(HERE, kept) == attempt
    assert (attempt.next_path, attempt.fresh, attempt.begun_at) == ("/viewer/?a=b", fresh, NOW)


def test_nothing_of_it_can_be_read_in_the_browser(attempts: Attempts) -> None:
    attempt, kept = attempts.begin(HERE, "/", fresh=False)
    raw = urlsafe_b64decode(kept)

    assert not [word for word in (attempt.state, attempt.nonce, attempt.verifier) if word.encode() in raw]
    assert len({attempt.state, attempt.nonce, attempt.verifier}) == 3
    assert min(len(word) for word in (attempt.state, attempt.nonce, attempt.verifier)) >= 43


def test_after_ten_minutes_it_is_too_late(attempts: Attempts, clock: Clock) -> None:
    attempt, kept = attempts.begin(HERE, "/", fresh=False)
    clock.now = NOW + LONGEST_ATTEMPT
    assert attempts.resume(HERE, kept) == attempt

    clock.now += timedelta(seconds=1)
    with pytest.raises(Unauthenticated):
        attempts.resume(HERE, kept)


def test_what_no_archive_sealed_is_no_attempt(attempts: Attempts) -> None:
    _, kept = attempts.begin(HERE, "/", fresh=False)
    swapped = kept[:-6] + ("A" * 6 if kept[-6:] != "A" * 6 else "B" * 6)

    for forged in ("", "x", "ä", "A" * 40, kept[:-8], swapped, "A" * 10_000):
        with pytest.raises(Unauthenticated):
            attempts.resume(HERE, forged)
    with pytest.raises(Unauthenticated):
        attempts.resume(ELSEWHERE, kept)
