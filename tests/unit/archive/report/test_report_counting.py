"""Acts are counted once, where they end; what never ended is counted as open."""

from datetime import timedelta
from uuid import uuid4

from pacs_secure.archive.report import counting
from pacs_secure.archive.report.counting import Counting, moment
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.reports import Table
from pacs_secure.core.vocabulary import Action
from tests.unit.archive.report.entries import NOON, PERIOD, entry, rows, when


def counted(*drafts: Draft) -> Counting:
    counts = Counting()
    for one in drafts:
        counts.add(one, when(one.at))
    counts.end()
    return counts


def table(counts: Counting, name: str) -> Table:
    return next(one for one in counts.tables(PERIOD) if one.name == name)


def test_an_act_with_beginning_and_end_is_one_act_of_two_entries() -> None:
    act, patient = uuid4(), uuid4()
    counts = counted(
        entry(act=act, patient=patient),
        entry(Outcome.COMPLETED, act=act, patient=patient),
        entry(Outcome.REFUSED, who="n.gier", purpose=None, department=""),
    )

    assert {point.name: point.values["count"] for point in counts.totals()} == {
        "entries": 3,
        "acts": 2,
        "persons": 2,
        "patients": 1,
        "refused": 1,
        "open": 0,
    }
    assert rows(table(counts, "outcome")) == [{"outcome": "completed", "acts": 1}, {"outcome": "refused", "acts": 1}]
    assert rows(table(counts, "purpose")) == [{"purpose": "-", "acts": 1}, {"purpose": "TREAT", "acts": 1}]
    assert rows(table(counts, "department")) == [{"department": "-", "acts": 1}, {"department": "surgery", "acts": 1}]


def test_an_act_that_never_ended_is_open_and_listed() -> None:
    counts = counted(entry(who="s.lang", action=Action.STUDY_SEARCH), entry(act=uuid4(), at=NOON - timedelta(hours=1)))

    assert rows(table(counts, "outcome")) == [{"outcome": "begun", "acts": 2}]
    assert [row["at"] for row in rows(counts.open_acts())] == ["2026-10-07T11:00:00Z", "2026-10-07T12:00:00Z"]


def test_every_hour_and_every_day_has_its_place_also_without_acts() -> None:
    counts = counted(entry(Outcome.COMPLETED))
    hours, days = rows(table(counts, "hour")), rows(table(counts, "day"))

    assert [hour["acts"] for hour in hours] == [0] * 12 + [1] + [0] * 11
    assert (len(days), sum(int(str(day["acts"])) for day in days)) == (31, 1)


def test_long_lists_are_cut_and_the_rest_is_counted(monkeypatch: object) -> None:
    many = counting.MOST_LISTED + 3
    counts = counted(*(entry(department=f"d{number}") for number in range(many)))

    assert (table(counts, "department").more, counts.open_acts().more) == (3, 3)
    assert len(table(counts, "department").rows) == counting.MOST_LISTED


def test_a_moment_is_written_to_the_second() -> None:
    assert moment(entry(at=NOON.replace(microsecond=999_999))) == "2026-10-07T12:00:00Z"
