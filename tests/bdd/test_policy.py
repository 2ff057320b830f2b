"""The policy, explained and changed by two persons, as features/policy.feature tells it."""

from pathlib import Path

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.core.access import Purpose, Relation, Role
from tests.bdd.hospital import PART10, Hospital, Person
from tests.bdd.pictures import picture
from tests.bdd.story import STUDY, Story
from tests.policy import write_truth_table

scenarios("policy.feature")

ADMIN, OFFICER = Person(Role.ADMIN, "", name="a.technik"), Person(Role.DPO, "", name="d.schutz")
POLICY = Path(__file__).parents[2] / "policies"
RULES = (POLICY / "policy.csv").read_text(encoding="utf-8")
TABLE = (POLICY / "truth-table.csv").read_text(encoding="utf-8").splitlines()
NEAR = "p, clinician, study:search study:read share:create board:admit, TREAT, department, -, allow\n"
OLD = "p, radiologist, study:search study:read share:create board:admit, TREAT, none, ended, allow\n"
OVERSIGHT = "p, overseer, study:create study:search study:read share:create board:admit, *, *, *, deny\n"
WHY = "the house has decided so in its meeting"


def sees(hospital: Hospital, person: Person) -> int:
    return hospital.get(person, STUDY, PART10).status_code


def propose(hospital: Hospital, rules: str, truths: list[str]) -> httpx.Response:
    return hospital.call_api(
        ADMIN, "POST", "/policy/proposals", {"reason": WHY, "rules": rules.rstrip("\n"), "truths": truths}
    )


def version_of(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    version: str = answer.json()["version"]
    return version


def without_reading(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the rows of the truth table that change when clinicians neither see nor pass on by their department."""
    near = (Relation.DEPARTMENT, Purpose.TREATMENT)
    sees = {way: far for way, far in write_truth_table.SEES[Role.CLINICIAN].items() if way != near}
    passes = {Relation.TREATING: write_truth_table.PASSES_ON[Role.CLINICIAN][Relation.TREATING]}
    monkeypatch.setitem(write_truth_table.SEES, Role.CLINICIAN, sees)
    monkeypatch.setitem(write_truth_table.PASSES_ON, Role.CLINICIAN, passes)
    return sorted(set(write_truth_table.table().splitlines()) - set(TABLE))


@when("an admin asks why a clinician of dermatology may not read that study")
def _asked(hospital: Hospital, story: Story) -> None:
    question = f"role=clinician&department=dermatology&action=study:read&study={picture().study_instance_uid}"
    story.answers.append(hospital.call_api(ADMIN, "GET", f"/policy/explain?{question}"))


@then(parsers.parse('the explanation says {decision} by "{rule}"'))
def _explained(story: Story, decision: str, rule: str) -> None:
    assert (story.answer.json()["decision"], story.answer.json()["rule"]) == (decision, rule)


@then(parsers.re(r"it would be otherwise with (?P<relations>.+)"))
def _turned(story: Story, relations: str) -> None:
    turns = [turn for way in story.answer.json()["turned_by"] for turn in way if turn["kind"] == "relation"]
    assert {turn["value"] for turn in turns} == {
        word for word in relations.split('"') if word.isalpha() and word != "or"
    }


@given("an admin has proposed that radiologists see old studies no longer")
def _proposed_old(hospital: Hospital, story: Story) -> None:
    rows = [row.split(",") for row in TABLE if row.startswith("radiologist,") and row.endswith(",ended")]
    truths = [",".join((*row[:5], "-")) for row in rows]
    rules = RULES.replace(OLD, OLD.replace("none, ended", "none, -"))
    story.answers.append(propose(hospital, rules, truths))
    version_of(story.answer)


@given("an admin has proposed that clinicians read their department's studies no longer")
def _proposed_near(hospital: Hospital, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.answers.append(propose(hospital, RULES.replace(NEAR, ""), without_reading(monkeypatch)))
    version_of(story.answer)


@given(parsers.re(r"a clinician of radiology sees the study"))
@then("the radiologist still sees the study")
def _still(hospital: Hospital) -> None:
    assert sees(hospital, Person(Role.CLINICIAN)) == sees(hospital, Person(Role.RADIOLOGIST)) == 200


@when("whoever proposed it tries to approve it")
def _alone(hospital: Hospital, story: Story) -> None:
    version = version_of(story.answer)
    same = Person(Role.DPO, "", name=ADMIN.name)
    story.answers.append(hospital.call_api(same, "POST", f"/policy/proposals/{version}/approve"))


@when("the data-protection officer approves it")
def _approved(hospital: Hospital, story: Story) -> None:
    version = version_of(story.answer)
    story.answers.append(hospital.call_api(OFFICER, "POST", f"/policy/proposals/{version}/approve"))
    assert story.answer.status_code == 200, story.answer.text
    assert story.answer.json()["version"] == version


@then("the study does not exist for a clinician of radiology")
def _hidden(hospital: Hospital) -> None:
    assert sees(hospital, Person(Role.CLINICIAN)) == 404


@then("the last entry names the new policy and the ones before it the old")
def _named(hospital: Hospital, story: Story) -> None:
    entries = hospital.entries()
    new = story.answer.json()["version"]
    approval = next(number for number, entry in enumerate(entries) if entry["action"] == "policy:approve")
    assert entries[-1]["policy"] == new
    assert {entry["policy"] for entry in entries[:approval]} == {entries[approval]["facts"]["old"]}
    assert entries[approval]["facts"]["new"] == new != entries[approval]["facts"]["old"]


@when(parsers.parse("an admin proposes a policy that {breaks}"))
def _bad(hospital: Hospital, story: Story, breaks: str) -> None:
    rules = {
        "lets administrators read": RULES.replace(OVERSIGHT, "") + "p, admin, study:read, HSYSADMIN, none, -, allow\n",
        "lets one role propose and approve": RULES + "p, dpo, policy:propose, HOPERAT, none, *, allow\n",
        "contradicts the truth table": RULES.replace(NEAR, ""),
    }[breaks]
    story.answers.append(propose(hospital, rules, []))


@then(parsers.parse("the proposal is refused because it {complaint}"))
def _refused(story: Story, complaint: str) -> None:
    assert story.answer.status_code == 400
    assert complaint in story.answer.json()["detail"]
