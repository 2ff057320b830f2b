"""Studies that need more care than others, as features/protected_studies.feature tells it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.core.access import Purpose, Role
from tests.bdd.hospital import PART10, PIXELS, Entry, Hospital, Person
from tests.bdd.pictures import PATIENT_ID, picture
from tests.bdd.story import STUDY, Story, begin

scenarios("protected_studies.feature")

OFFICER = Person(Role.DPO, "", name="d.schutz")
RECORDS = Person(Role.OFFICER, "", name="o.amt")
WHY = "so that the rules of the house are kept"
FACTS = f"/studies/{picture().study_instance_uid}/facts"
WHO = r"(?P<who>an? [a-z]+(?: of [a-z]+)?)"


def person(who: str, purpose: Purpose | None = None) -> Person:
    """Read "a clinician of surgery"; whoever has another role is another person."""
    role, _, department = who.partition(" ")[2].partition(" of ")
    return Person(Role(role), department or "radiology", purpose, name=f"{role}.{department or 'radiology'}")


def sees(hospital: Hospital, somebody: Person) -> bool:
    """Say whether somebody gets the study, its metadata and its frames, and finds it: all of it or none."""
    answers = [
        hospital.get(somebody, STUDY, PART10),
        hospital.get(somebody, f"{STUDY}/metadata"),
        hospital.get(somebody, f"{picture().path}/frames/1", PIXELS),
    ]
    found = [hospital.search(somebody, PatientID=PATIENT_ID), hospital.search(somebody)]
    listed = [one.status_code == 200 and bool(one.json()) for one in found]
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200} or statuses <= {403, 404}
    assert set(listed) == {statuses == {200}}
    return statuses == {200}


def classify(hospital: Hospital, **change: object) -> None:
    answer = hospital.call_api(RECORDS, "PATCH", FACTS, {"reason": WHY, **change})
    assert answer.status_code == 200, answer.text


def notices(hospital: Hospital) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hospital.call_api(OFFICER, "GET", "/notices").json()
    return found


@pytest.fixture
def surgeon() -> Person:
    return person("a clinician of surgery")


# --- given ------------------------------------------------------------------------------------


@given(parsers.parse('the study is labelled "{label}"'))
def _labelled(hospital: Hospital, label: str) -> None:
    classify(hospital, add_labels=label.split('" and "'))


@given("the study is restricted")
def _restricted(hospital: Hospital) -> None:
    classify(hospital, restricted=True)


@given(parsers.parse("the treatment ended {days:d} days ago"))
def _ended(hospital: Hospital, days: int) -> None:
    classify(hospital, treatment_ended_on=(datetime.now(UTC) - timedelta(days=days)).date().isoformat())


@given(parsers.re(WHO + r" is said to treat Erika Mustermann"))
@when(parsers.re(WHO + r" is said to treat Erika Mustermann"))
def _treats(hospital: Hospital, who: str) -> None:
    until = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    stated = {"study": picture().study_instance_uid, "person": person(who).name, "until": until, "reason": WHY}
    answer = hospital.call_api(RECORDS, "POST", "/care", stated)
    assert answer.status_code == 201, answer.text


# --- when -------------------------------------------------------------------------------------


@when("the clinician of surgery looks at the whole study, at its metadata and at one frame")
def _three_looks(hospital: Hospital, surgeon: Person) -> None:
    assert hospital.get(surgeon, STUDY, PART10).status_code == 200
    assert hospital.get(surgeon, f"{STUDY}/metadata").status_code == 200
    assert hospital.get(surgeon, f"{picture().path}/frames/1", PIXELS).status_code == 200


@when(parsers.re(WHO + r" looks at the study"))
def _looks(hospital: Hospital, who: str) -> None:
    assert hospital.get(person(who), STUDY, PART10).status_code == 200


@when(parsers.re(WHO + r" searches for her"))
def _searches(hospital: Hospital, who: str) -> None:
    assert hospital.search(person(who), PatientID=PATIENT_ID).json()


@when("the officer acknowledges the first of them")
def _acknowledges(hospital: Hospital) -> None:
    first = notices(hospital)[-1]
    assert hospital.call_api(OFFICER, "POST", f"/notices/{first['id']}/acknowledge").status_code == 204


@when("no notice can be written")
def _no_notice(hospital: Hospital, story: Story, surgeon: Person) -> None:
    with closing(sqlite3.connect(hospital.world.index_file)) as index:
        index.execute("CREATE TRIGGER broken BEFORE INSERT ON notices BEGIN SELECT RAISE(ABORT, 'disk error'); END")
    begin(hospital, story)
    story.answers.append(hospital.get(surgeon, STUDY, PART10))


@when("it turns out that the treatment goes on")
def _goes_on(hospital: Hospital) -> None:
    classify(hospital, treatment_goes_on=True)


@when("the restriction is lifted")
def _lifted(hospital: Hospital) -> None:
    classify(hospital, restricted=False)


@when("a radiologist looks at the study at the patient's request")
def _by_request(hospital: Hospital, story: Story) -> None:
    begin(hospital, story)
    assert sees(hospital, person("a radiologist", Purpose.PATIENT_REQUEST))


# --- then -------------------------------------------------------------------------------------


@then(parsers.re(WHO + r" (?P<how>sees|does not see) the study"))
@given(parsers.re(WHO + r" (?P<how>sees|does not see) the study"))
def _sees(hospital: Hospital, who: str, how: str) -> None:
    assert sees(hospital, person(who)) is (how == "sees")


@then(parsers.re(r"the study is hidden from " + WHO))
def _hidden(hospital: Hospital, who: str) -> None:
    assert not sees(hospital, person(who))


@then(
    parsers.parse(
        'the officer has {count:d} notices, one of each look, and each says who, in which role, and "{labels}"'
    )
)
def _reported(hospital: Hospital, count: int, labels: str) -> None:
    found = notices(hospital)
    assert len({one["act"] for one in found}) == len(found) == count
    for one in found:
        assert one["kind"] == "protected-access"
        assert one["told"]["person"] == "clinician.surgery"
        assert (one["told"]["role"], one["told"]["department"]) == ("clinician", "surgery")
        assert (one["told"]["labels"], one["told"]["purpose"]) == (labels, "TREAT")


@then("each notice stands with the entry of the ledger that it belongs to")
def _with_entries(hospital: Hospital) -> None:
    entries = hospital.entries()
    for one in notices(hospital):
        entry = entries[one["number"]]
        assert (entry["action"], entry["outcome"], entry["act"]) == ("study:read", "begun", one["act"])
        assert entry["facts"]["reported"] == one["id"]
        assert entry["facts"]["protected"] == one["told"]["labels"]


@then(parsers.parse("the officer has {count:d} notices"))
def _count(hospital: Hospital, count: int) -> None:
    assert len(notices(hospital)) == count


@then("the clinician of surgery hears that it must try again later")
def _later(story: Story) -> None:
    assert story.answer.status_code == 503


@then("no entry says that the study was read")
def _not_read(new: Callable[[], list[Entry]]) -> None:
    assert [entry["action"] for entry in new() if entry["outcome"] != "refused"] == []


@then(parsers.parse('the entry says that the ground was "{ground}"'))
def _ground(new: Callable[[], list[Entry]], ground: str) -> None:
    reads = [entry for entry in new() if (entry["action"], entry["outcome"]) == ("study:read", "begun")]
    assert {(entry["purpose"], entry["facts"]["ground"]) for entry in reads} == {("PATRQT", ground)}
