"""Saying what an incident laid open, as features/incident.feature tells it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.incidents import Stage, Suspicion
from pacs_secure.core.reports import Language, ReportFormat
from tests.bdd.hospital import MULTIPART, WEB, Hospital, Person
from tests.bdd.pictures import picture
from tests.bdd.reports import OFFICER, model
from tests.bdd.story import RADIOLOGIST, STUDY, Story, begin
from tests.web_instances import part10, related, study_uid

scenarios("incident.feature")

CAUSE = "a stolen token"
HOUR = timedelta(hours=1)
OTHER = 7


@dataclass
class Told:
    """The report that a scenario looks at."""

    report: dict[str, Any]


@pytest.fixture
def told() -> Told:
    return Told({})


def report(hospital: Hospital, by: Person = OFFICER, **asked: Any) -> httpx.Response:
    now = datetime.now(UTC)
    body = {
        "begins_at": (now - HOUR).isoformat(),
        "ends_at": (now + HOUR).isoformat(),
        "cause": CAUSE,
        "stage": "72h",
        "actions": ["study:read"],
        "format": "json",
        **asked,
    }
    return hospital.call_api(by, "POST", "/incidents/report", body)


def officer_reports(hospital: Hospital, story: Story, told: Told, **asked: Any) -> None:
    begin(hospital, story)
    story.answers.append(report(hospital, **asked))
    told.report = model(story.answer)


# --- given ------------------------------------------------------------------------------------


@given("there are pictures of another patient")
def _other_patient(hospital: Hospital) -> None:
    answer = hospital.client(RADIOLOGIST).post(f"{WEB}/studies", related(part10(OTHER)), MULTIPART)
    assert answer.status_code == 200


@given("a radiologist has looked at both patients' pictures")
def _looked(hospital: Hospital) -> None:
    for path in (STUDY, f"/studies/{study_uid(OTHER)}"):
        assert hospital.get(RADIOLOGIST, f"{path}/metadata").status_code == 200


@given("a clinician of dermatology was refused the other patient's pictures")
def _refused_before(hospital: Hospital) -> None:
    clinician = Person(Role.CLINICIAN, "dermatology", name="h.aut")
    assert hospital.get(clinician, f"/studies/{study_uid(OTHER)}/metadata").status_code == 404


# --- when -------------------------------------------------------------------------------------


@when(parsers.parse('the officer reports the incident "{cause}" for the stage "{stage}"'))
def _reports(hospital: Hospital, story: Story, told: Told, cause: str, stage: str) -> None:
    officer_reports(hospital, story, told, cause=cause, stage=stage)


@when(parsers.parse('the officer reports it with the measures "{measures}"'))
def _reports_measures(hospital: Hospital, story: Story, told: Told, measures: str) -> None:
    officer_reports(hospital, story, told, statements={"measures": measures})


@when("the officer reports it for the pictures of Erika Mustermann alone")
def _reports_study(hospital: Hospital, story: Story, told: Told) -> None:
    officer_reports(hospital, story, told, studies=[picture().study_instance_uid])


@when(parsers.parse("the officer reports it for acts of the department {department}"))
def _reports_department(hospital: Hospital, story: Story, told: Told, department: str) -> None:
    officer_reports(hospital, story, told, actor_department=department)


@when("the officer reports it for the hour before anything happened")
def _reports_before(hospital: Hospital, story: Story, told: Told) -> None:
    now = datetime.now(UTC)
    window = {"begins_at": (now - 2 * HOUR).isoformat(), "ends_at": (now - HOUR).isoformat()}
    officer_reports(hospital, story, told, **window)


@when("the operator reports the incident")
def _operator(hospital: Hospital, told: Told) -> None:
    operator = Subject("os:root", Role.OPERATOR, hospital.keys.institution, "", Door.COMMAND_LINE, "")
    now = datetime.now(UTC)
    suspicion = Suspicion(now - HOUR, now + HOUR, CAUSE, Stage.EARLY)
    printed = hospital.world.archive.incident.make(
        operator, None, suspicion, Language.GERMAN, ReportFormat.JSON, details={}
    )
    told.report = model(httpx.Response(200, content=printed.content))


@when(parsers.re(r"a (?P<role>[a-z]+) reports the incident"))
def _somebody(hospital: Hospital, story: Story, role: str) -> None:
    begin(hospital, story)
    story.answers.append(report(hospital, Person(Role(role), "", name="somebody")))


# --- then -------------------------------------------------------------------------------------


def affected(told: Told) -> int:
    (count,) = (point["values"]["count"] for point in told.report["totals"] if point["name"] == "patients")
    return int(count)


def item(told: Told, name: str) -> dict[str, Any]:
    (found,) = (one for one in told.report["items"] if one["name"] == name)
    return dict(found)


@then(parsers.re(r"it counts (?P<count>\d+) persons? affected and lists (?:both|them) by pseudonym"))
def _listed(hospital: Hospital, told: Told, count: str) -> None:
    aliases = {entry.get("patient") for entry in hospital.entries()}
    listed = [row[0] for row in told.report["persons"]["rows"]]
    assert affected(told) == len(listed) == int(count)
    assert set(listed) <= aliases


@then(parsers.re(r"it counts (?P<count>\d+) persons affected(?P<rest>.*)"))
def _counted(told: Told, count: str, rest: str) -> None:
    assert affected(told) == int(count)
    if "lists nobody" in rest:
        assert told.report["persons"] is None


@then("it says which data were laid open: pictures")
def _categories(told: Told) -> None:
    assert [(one["name"], one["values"]["count"]) for one in told.report["categories"]] == [("pictures", 2)]


@then(parsers.parse('it says of "{name}" that it is known'))
def _known(told: Told, name: str) -> None:
    assert item(told, name)["known"]


@then(parsers.parse('it says of "{name}" that it is not known yet'))
def _unknown(told: Told, name: str) -> None:
    assert not item(told, name)["known"]


@then(parsers.parse('it says of "{name}": "{said}"'))
def _said(told: Told, name: str, said: str) -> None:
    assert item(told, name)["said"] == said


@then("the cause is nowhere in the ledger in clear")
def _sealed(hospital: Hospital) -> None:
    ledger = hospital.world.house.engines.ledger
    assert CAUSE.encode() not in b"".join(entry.content for entry in ledger.entries(0, ledger.size()))
