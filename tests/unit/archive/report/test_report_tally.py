"""A period is tallied in one pass, for one institution, and what lies outside it is left out."""

from datetime import timedelta

from pacs_secure.core.audit import Outcome
from pacs_secure.core.vocabulary import Action
from tests.builders import ELSEWHERE
from tests.unit.archive.report.entries import NOON, PERIOD, entry, rows, tallied


def test_other_times_and_other_institutions_are_left_out() -> None:
    inside = entry(Outcome.COMPLETED)
    tally = tallied(
        [
            entry(Outcome.COMPLETED, at=PERIOD.begins_at - timedelta(microseconds=1)),
            inside,
            entry(Outcome.COMPLETED, at=PERIOD.ends_at),
            entry(Outcome.COMPLETED, institution=ELSEWHERE),
        ]
    )

    assert tally.counting.entries == 1
    assert tally.policies() == (inside.policy_version,)


def test_a_glass_that_was_broken_before_the_period_is_an_open_point_of_it() -> None:
    facts = {"emergency": "one"}
    before = entry(Outcome.COMPLETED, action=Action.BREAK_GLASS_OPEN, at=NOON - timedelta(days=60), facts=facts)
    tally = tallied([before, entry(Outcome.BEGUN)])
    tables = {table.name: table for table in tally.chapters()}

    assert len(rows(tables["break-glass"])) == 1
    assert {point.name: point.values["count"] for point in tally.open_points()} == {
        "acts-open": 1,
        "glasses-unreviewed": 1,
        "rules-not-computable": 2,
    }


def test_an_empty_period_has_every_chapter_and_nothing_in_it() -> None:
    tally = tallied([])

    assert [table.rows for table in tally.chapters() if table.rows] == []
    assert [point.name for point in tally.open_points()] == ["rules-not-computable"]
    assert tally.policies() == ()
