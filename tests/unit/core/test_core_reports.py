"""What reports are asked for: whole days of a time zone, and never more than three years."""

from datetime import UTC, date, datetime

import pytest

from pacs_secure.core.errors import Malformed
from pacs_secure.core.reports import BLIND_SPOTS, Period, zone


def test_a_period_holds_whole_days_of_its_time_zone() -> None:
    period = Period(date(2026, 3, 28), date(2026, 3, 29), "Europe/Berlin")

    assert period.begins_at == datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert period.ends_at == datetime(2026, 3, 29, 22, tzinfo=UTC), "the clocks went forward"


def test_one_day_is_a_period() -> None:
    day = date(2026, 1, 1)
    assert (Period(day, day, "UTC").ends_at - Period(day, day, "UTC").begins_at).days == 1


@pytest.mark.parametrize(
    ("first", "last"),
    [((2026, 2, 2), (2026, 2, 1)), ((2020, 1, 1), (2026, 1, 1)), ((1, 1, 1), (1, 1, 2)), ((9999, 12, 31),) * 2],
)
def test_what_ends_before_it_begins_or_lasts_too_long_is_no_period(
    first: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    with pytest.raises(Malformed):
        Period(date(*first), date(*last), "UTC")


def test_utc_is_known_on_every_machine() -> None:
    assert zone("UTC") is UTC


def test_every_blind_spot_is_told_once() -> None:
    assert len(set(BLIND_SPOTS)) == len(BLIND_SPOTS) == 8
