"""The facts that decisions rest on, as features/facts.feature tells it."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.core.access import Role
from tests.bdd.hospital import PART10, Hospital, Keys, Person
from tests.bdd.pictures import picture
from tests.bdd.story import STUDY, Story, begin, details_of
from tests.bdd.traces import traces

scenarios("facts.feature")

OFFICER = Person(Role.OFFICER, "", name="o.amt")
UID = picture().study_instance_uid
WHO = r"(?:a |the )(?P<who>[a-z]+(?: of [a-z]+)?)"


@pytest.fixture
def origins() -> list[str]:
    """Hold the relations that were stated, the newest last."""
    return []


def person(who: str) -> Person:
    role, _, department = who.partition(" of ")
    return Person(Role(role), department, name=f"{role}.{department}")


def move(hospital: Hospital, by: Person, why: str) -> httpx.Response:
    return hospital.call_api(by, "PATCH", f"/studies/{UID}/facts", {"department": "surgery", "reason": why})


@when(parsers.parse('an officer moves the study to surgery because "{why}"'))
def _moved(hospital: Hospital, story: Story, why: str) -> None:
    begin(hospital, story)
    story.answers.append(move(hospital, OFFICER, why))


@when(parsers.re(r'a (?P<who>[a-z]+(?: of [a-z]+)?) tries to move the study to surgery because "(?P<why>[^"]+)"'))
def _tried(hospital: Hospital, story: Story, who: str, why: str) -> None:
    story.answers.append(move(hospital, person(who), why))


@when(parsers.re(rf'an officer states that {WHO} treats the patient because "(?P<why>[^"]+)"'))
def _treats(hospital: Hospital, origins: list[str], who: str, why: str) -> None:
    stated = {"study": UID, "person": person(who).name, "until": until_soon(), "reason": why}
    answer = hospital.call_api(OFFICER, "POST", "/care", stated)
    assert answer.status_code == 201, answer.text
    origins.append(answer.json()["id"])


@when(parsers.re(rf'an officer states that {WHO} sent the patient because "(?P<why>[^"]+)"'))
def _sent(hospital: Hospital, who: str, why: str) -> None:
    stated = {"study": UID, "person": person(who).name, "until": until_soon(), "reason": why}
    answer = hospital.call_api(OFFICER, "POST", "/referrals", stated)
    assert answer.status_code == 201, answer.text


@when(parsers.parse('the officer ends that relation because "{why}"'))
def _ended(hospital: Hospital, origins: list[str], why: str) -> None:
    answer = hospital.call_api(OFFICER, "POST", f"/care/{origins[-1]}/end", {"reason": why})
    assert answer.status_code in {200, 204}, answer.text


@then(parsers.re(rf"{WHO} sees the study"))
def _sees(hospital: Hospital, who: str) -> None:
    assert hospital.get(person(who), STUDY, PART10).status_code == 200


@given(parsers.re(rf"the study does not exist for {WHO}"))
@then(parsers.re(rf"the study does not exist for {WHO}"))
def _hidden(hospital: Hospital, who: str) -> None:
    hidden = hospital.get(person(who), STUDY, PART10)
    missing = hospital.get(person(who), "/studies/1.2.3.4", PART10)
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content) == (404, missing.content)
    assert hospital.search(person(who)).json() == []


@then("the change is refused as malformed")
def _malformed(story: Story) -> None:
    assert story.answer.status_code == 400


@then(parsers.parse('whoever holds the ledger key reads there "{why}"'))
def _reason_is_kept(hospital: Hospital, keys: Keys, why: str) -> None:
    changed = [entry for entry in hospital.entries() if entry["action"] == "study:classify"]
    assert why in str([details_of(keys, entry) for entry in changed])


@then(parsers.parse('no file of the archive holds "{words}"'))
def _reason_is_sealed(hospital: Hospital, words: str) -> None:
    assert traces(hospital.roots, [words], []) == []


def until_soon() -> str:
    return (datetime.now(UTC) + timedelta(days=7)).isoformat()
