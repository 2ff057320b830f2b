"""Each rule of unusual access flags what it says, and nothing below its threshold."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from pacs_secure.archive.report import counting
from pacs_secure.archive.report.unusual import NOT_COMPUTABLE
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.reports import Thresholds
from pacs_secure.core.vocabulary import Role
from tests.unit.archive.report.entries import NONE_RULE, NOON, entry, reads, rows, tallied

SATURDAY = NOON + timedelta(days=3)
NIGHT = NOON + timedelta(hours=11)


def flagged(rule: str, drafts: list[Draft], **limits: Any) -> list[dict[str, object]]:
    found = tallied(sorted(drafts, key=lambda one: one.at), Thresholds(**limits)).unusual.flagged()
    (one,) = (each for each in found if each.rule == rule)
    assert one.found is not None
    assert one.persons == len({row["actor"] for row in rows(one.found)})
    return rows(one.found)


@pytest.mark.parametrize(
    ("rule", "limit", "at"),
    [("volume", "patients_a_day", NOON), ("night", "night_patients", NIGHT), ("weekend", "weekend_patients", SATURDAY)],
)
def test_numbers_are_flagged_from_the_threshold_on(rule: str, limit: str, at: datetime) -> None:
    assert flagged(rule, reads(4, at), **{limit: 5}) == []
    (row,) = flagged(rule, reads(5, at), **{limit: 5})
    assert (row["patients"], row["day"]) == (5, at.date().isoformat())


def test_the_same_patient_twice_is_one_patient() -> None:
    patient = uuid4()

    assert flagged("volume", [entry(patient=patient)] * 9, patients_a_day=2) == []


def test_the_hours_of_the_morning_are_night_too_and_the_evening_is_not() -> None:
    morning, evening = NOON.replace(hour=5, minute=59), NOON.replace(hour=21, minute=0)

    assert flagged("night", reads(9, evening), night_patients=5) == []
    assert len(flagged("night", reads(9, morning), night_patients=5)) == 1


def test_a_day_far_above_ones_own_median_is_flagged_and_nobody_elses_median_counts() -> None:
    usual = [one for day in range(6) for one in reads(10, NOON + timedelta(days=day))]
    much = reads(31, NOON + timedelta(days=6))
    others = [one for day in range(6) for one in reads(60, NOON + timedelta(days=day), who="b.usy")]

    (row,) = flagged("own-median", usual + much + others, least_patients=20, times_own_median=3)
    assert (row["patients"], row["median"], row["day"]) == (31, 10, "2026-10-13")
    assert flagged("own-median", usual[:20] + much, least_days=5) == [], "two days say nothing of what is usual"


def test_refusals_are_flagged_by_person_and_day() -> None:
    refused = [entry(Outcome.REFUSED, at=NOON + timedelta(seconds=number)) for number in range(6)]
    others = [entry(Outcome.REFUSED, who=f"p{number}", at=NOON) for number in range(6)]

    (row,) = flagged("many-refusals", refused + others, refusals_a_day=6)
    assert (row["acts"], row["department"]) == (6, "surgery")


def test_pictures_of_another_department_are_flagged_but_for_those_whose_work_spans_the_house() -> None:
    there = {"of_department": "psychiatry"}
    looked = reads(2, facts=there)
    radiologist = reads(2, facts=there, role=Role.RADIOLOGIST, who="r.weber")

    (row,) = flagged("outside-department", looked + radiologist + reads(3), outside_department_patients=2)
    assert (row["of_department"], row["patients"]) == ("psychiatry", 2)
    assert flagged("outside-department", looked, outside_department_patients=3) == []


def test_labelled_patients_and_reads_without_a_relation_are_told_one_by_one() -> None:
    colleague, vip = entry(patient=uuid4(), facts={"protected": "staff vip"}), entry(facts={"protected": "vip"})
    apart = entry(patient=uuid4(), rule=NONE_RULE, purpose=None)
    drafts = [colleague, colleague, vip, apart, entry(role=Role.RADIOLOGIST, rule=NONE_RULE)]

    assert [row["labels"] for row in flagged("colleagues", drafts)] == ["staff vip", "staff vip"]
    assert [row["labels"] for row in flagged("protected", drafts)] == ["vip"]
    assert [row["rule"] for row in flagged("no-relation", drafts)] == [NONE_RULE]


def test_devices_strangers_and_other_acts_are_never_flagged() -> None:
    drafts = reads(9, role=Role.MODALITY) + reads(9, role=Role.STRANGER)
    drafts += [entry(Outcome.COMPLETED, patient=uuid4()) for _ in range(9)]

    assert flagged("volume", drafts, patients_a_day=2) == []


def test_long_lists_of_single_accesses_are_cut_and_the_rest_is_counted() -> None:
    drafts = [entry(facts={"protected": "vip"})] * (counting.MOST_LISTED + 4)
    (one,) = (each for each in tallied(drafts).unusual.flagged() if each.rule == "protected")

    assert one.found is not None
    assert (len(one.found.rows), one.found.more) == (counting.MOST_LISTED, 4)


def test_what_the_ledger_cannot_know_is_said_and_not_guessed() -> None:
    apart = [one.rule for one in tallied([]).unusual.flagged() if one.found is None]

    assert tuple(apart) == NOT_COMPUTABLE


def test_days_are_closed_as_time_goes_on_and_a_late_entry_still_counts() -> None:
    drafts = [one for day in range(9) for one in reads(3, NOON + timedelta(days=day))]
    late = entry(patient=uuid4(), at=NOON + timedelta(minutes=1))
    tally = tallied([*drafts, late], Thresholds(patients_a_day=4))
    (volume,) = (each for each in tally.unusual.flagged() if each.rule == "volume")

    assert volume.found is not None
    assert [(row["day"], row["patients"]) for row in rows(volume.found)] == [("2026-10-07", 4)]
