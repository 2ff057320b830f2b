"""Days and hours as people live them."""

from datetime import UTC, datetime

from pacs_secure.archive.report.local_time import LocalClock, LocalTime


def test_a_moment_belongs_to_the_day_on_which_people_lived_it() -> None:
    clock = LocalClock("Europe/Berlin")

    assert clock.read(datetime(2026, 10, 16, 22, 30, tzinfo=UTC)) == LocalTime("2026-10-17", 0, weekend=True)
    assert clock.read(datetime(2026, 10, 16, 21, 59, tzinfo=UTC)) == LocalTime("2026-10-16", 23, weekend=False)


def test_zones_that_are_apart_by_half_an_hour_are_read_right() -> None:
    clock = LocalClock("Asia/Kolkata")

    assert clock.read(datetime(2026, 1, 1, 0, 29, tzinfo=UTC)).hour == 5
    assert clock.read(datetime(2026, 1, 1, 0, 31, tzinfo=UTC)).hour == 6
    assert clock.read(datetime(2026, 1, 1, 0, 32, tzinfo=UTC)).hour == 6
