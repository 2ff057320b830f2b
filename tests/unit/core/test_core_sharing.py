"""How a share stands at a moment."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from pacs_secure.core.sharing import MOST_ATTEMPTS, Share, Standing
from tests.builders import NOW, share

A_SECOND = timedelta(seconds=1)
CODED = share(code=b"a slow hash")


@pytest.mark.parametrize(
    ("kept", "at", "standing"),
    [
        (share(), NOW, Standing.ACTIVE),
        (share(), NOW + timedelta(days=1) - A_SECOND, Standing.ACTIVE),
        (share(), NOW + timedelta(days=1), Standing.EXPIRED),
        (share(revoked_at=NOW), NOW, Standing.REVOKED),
        (share(revoked_at=NOW), NOW + timedelta(days=2), Standing.REVOKED),
        (CODED, NOW, Standing.WAITING),
        (CODED, NOW + timedelta(days=1), Standing.EXPIRED),
        (replace(CODED, attempts=MOST_ATTEMPTS - 1), NOW, Standing.WAITING),
        (replace(CODED, attempts=MOST_ATTEMPTS), NOW, Standing.LOCKED),
        (replace(CODED, attempts=MOST_ATTEMPTS, redeemed_at=NOW), NOW, Standing.ACTIVE),
        (replace(CODED, attempts=1, redeemed_at=NOW, revoked_at=NOW), NOW, Standing.REVOKED),
    ],
)
def test_a_share_stands_as_its_times_and_attempts_say(kept: Share, at: datetime, standing: Standing) -> None:
    assert kept.standing(at) is standing


def test_the_right_code_is_no_wrong_one() -> None:
    assert replace(CODED, attempts=3).wrong_codes == 3
    assert replace(CODED, attempts=3, redeemed_at=NOW).wrong_codes == 2


@pytest.mark.parametrize(
    ("revoked_at", "at", "covered"),
    [
        (None, NOW - A_SECOND, False),
        (None, NOW, True),
        (None, NOW + timedelta(days=1) - A_SECOND, True),
        (None, NOW + timedelta(days=1), False),
        (NOW + timedelta(hours=1), NOW + timedelta(minutes=59), True),
        (NOW + timedelta(hours=1), NOW + timedelta(hours=1), False),
    ],
)
def test_a_share_covers_its_time_until_it_was_revoked(
    revoked_at: datetime | None, at: datetime, *, covered: bool
) -> None:
    assert share(begins_at=NOW, revoked_at=revoked_at).covers(at) is covered
