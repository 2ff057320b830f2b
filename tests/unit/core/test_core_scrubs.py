"""A round of the scrub, told to machines."""

from datetime import UTC, datetime

from pacs_secure.core.scrubs import ScrubRound

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_round_under_way_has_no_end_and_one_that_ended_has() -> None:
    assert ScrubRound(1, BEGUN, BEGUN).told()["finished"] == ""
    ended = ScrubRound(2, BEGUN, BEGUN, 9, 8, 7, 1, BEGUN).told()
    assert (ended["finished"], ended["objects"], ended["bytes"], ended["wanting"]) == (BEGUN.isoformat(), 8, 7, 1)
