"""How fast a verification is, told without dividing by nothing."""

from pacs_secure.core.audit import Pace


def test_a_pace_counts_by_the_second() -> None:
    pace = Pace(objects=30, octets=6 << 20, seconds=3.0)

    assert (pace.objects_per_second, pace.mebibytes_per_second) == (10.0, 2.0)


def test_what_took_no_time_has_no_pace_yet() -> None:
    assert (Pace().objects_per_second, Pace(1, 1).mebibytes_per_second) == (0.0, 0.0)
