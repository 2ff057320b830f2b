"""How long the ledger is kept."""

from datetime import UTC, datetime

import pytest

from pacs_secure.core.access import Role
from pacs_secure.core.retention import Certificate, Expired, Plan, Stopped, months_before

AT = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("months", "then"),
    [
        (0, AT),
        (1, datetime(2026, 2, 28, 12, 30, tzinfo=UTC)),
        (3, datetime(2025, 12, 31, 12, 30, tzinfo=UTC)),
        (25, datetime(2024, 2, 29, 12, 30, tzinfo=UTC)),
        (36, datetime(2023, 3, 31, 12, 30, tzinfo=UTC)),
        (120, datetime(2016, 3, 31, 12, 30, tzinfo=UTC)),
    ],
)
def test_months_are_those_of_the_calendar(months: int, then: datetime) -> None:
    assert months_before(AT, months) == then


def test_a_range_says_how_many_entries_it_holds() -> None:
    certificate = Certificate(2, 256, 1024, bytes(32), AT, 3, "", Role.OPERATOR, AT, {})

    assert certificate.count == 768
    assert Plan(AT, 256, 1024, AT, 3, Stopped.YOUNG).count == 768


def test_what_went_is_told_in_plain_facts() -> None:
    plan = Plan(AT, 0, 256, AT, 3, Stopped.HELD)

    assert Expired(plan, 256, 2, 1).told() == {
        "entries": 256,
        "keys": 2,
        "certificates": 1,
        "horizon": 256,
        "cutoff": "2026-03-31T12:30:00+00:00",
        "stopped": "a legal hold",
    }
