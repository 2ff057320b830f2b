"""The policy over HTTP."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs_secure.core.access import Role
from pacs_secure.core.policies import ROLES, RULES, TRUTHS
from pacs_secure.web.api_policy import Explained, Rules
from tests.builders import ELSEWHERE
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10, study_uid
from tests.world import World, shipped_policy

JSON = {"Content-Type": "application/json"}
EXPLAIN = "/api/v1/policy/explain"
PROPOSALS = "/api/v1/policy/proposals"
WHY = "technologists compare with old studies now"
OLD = "p, technologist, study:search study:read, TREAT, department, -, allow"
NEW = "p, technologist, study:search study:read, TREAT, department, ended, allow"
CHANGED = shipped_policy().texts[RULES].replace(OLD, NEW)
TRUE = [f"technologist,study:{act},TREAT,department,allow,ended" for act in ("read", "search")]


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    house = open_house(tmp_path, world)
    house.store(part10())
    return house


def test_a_decision_is_explained(web: WebHouse) -> None:
    query = f"?role=clinician&department=surgery&action=study:read&purpose=TREAT&study={study_uid(1)}"
    answer = web.client(Role.DPO).get(EXPLAIN + query)

    assert answer.status_code == 200
    explained = Explained.model_validate_json(answer.content)
    assert (explained.decision, explained.rule, explained.relations) == ("hidden", "default deny", ["none"])
    assert {"kind": "relation", "value": "treating", "given": True, "said": "with the relation treating"} in [
        turn for (turn,) in answer.json()["turned_by"]
    ]


def proposed(web: WebHouse, by: Role = Role.ADMIN, **body: Any) -> httpx.Response:
    return web.client(by).post(PROPOSALS, json.dumps({"reason": WHY, **body}).encode(), JSON)


def test_the_policy_in_force_is_shown_with_its_rules_as_text(web: WebHouse) -> None:
    shown = Rules.model_validate_json(web.client(Role.OFFICER).get("/api/v1/policy").content)

    assert (shown.version, shown.approved_at) == (shipped_policy().version, None)
    assert shipped_policy().version_of(shown.files) == shown.version
    assert shown.files == {name: text for name, text in shipped_policy().texts.items() if name != TRUTHS}
    assert shown.truth_table_sha256 == sha256(shipped_policy().texts[TRUTHS].encode()).hexdigest()
    assert web.client(Role.CLINICIAN).get("/api/v1/policy").status_code == 403


def test_a_policy_is_proposed_listed_and_approved_by_another(web: WebHouse) -> None:
    made = proposed(web, rules=CHANGED, truths=TRUE)
    assert (made.status_code, made.json()["replaces"]) == (201, shipped_policy().version)
    version = made.json()["version"]

    (waiting,) = web.client(Role.DPO).get(PROPOSALS).json()
    assert (waiting["state"], waiting["proposed_by"], waiting["reason"]) == ("pending", "r.weber", WHY)
    assert (waiting["removed"], waiting["added"]) == ([f"policy.csv: {OLD}"], [f"policy.csv: {NEW}"])
    assert (waiting["truths_changed"], waiting["approved_by"], waiting["approved_at"]) == (2, None, None)

    # Everybody of this house has the same name, so the officer is who proposed it.
    approve = f"{PROPOSALS}/{version}/approve"
    assert web.client(Role.DPO).request("POST", approve).status_code == 403
    dpo = web.client(Role.DPO, of=ELSEWHERE)
    answer = dpo.request("POST", approve)
    assert (answer.status_code, answer.json()["version"]) == (200, version)
    assert answer.json()["approved_at"] is not None
    (approved,) = web.client(Role.DPO).get(PROPOSALS).json()
    assert (approved["state"], approved["approved_by"], approved["added"]) == ("approved", "r.weber", [])
    assert dpo.request("POST", approve).status_code == 404
    assert web.world.entries()[-1]["policy"] == version


def test_a_proposal_against_an_older_policy_is_outdated(web: WebHouse) -> None:
    first = proposed(web, rules=CHANGED, truths=TRUE).json()["version"]
    second = proposed(web, roles=shipped_policy().texts[ROLES] + "# a comment").json()["version"]
    dpo = web.client(Role.DPO, of=ELSEWHERE)
    assert dpo.request("POST", f"{PROPOSALS}/{second}/approve").status_code == 200

    assert dpo.request("POST", f"{PROPOSALS}/{first}/approve").status_code == 409
    assert {one["version"]: one["state"] for one in dpo.get(PROPOSALS).json()} == {
        first: "outdated",
        second: "approved",
    }


@pytest.mark.parametrize(
    ("by", "body", "status", "detail"),
    [
        (Role.ADMIN, {"rules": CHANGED}, 400, "truth table: technologist, study:read"),
        (Role.ADMIN, {"rules": "p, clinician"}, 400, "policy.csv, rule 1"),
        (Role.ADMIN, {"model": "[x]"}, 400, "model.conf must ask"),
        (Role.ADMIN, {"truths": ["a\nb"]}, 400, "the body is wrong at truths"),
        (Role.ADMIN, {"reason": "no"}, 400, "the body is wrong at reason"),
        (Role.ADMIN, {}, 409, "this policy is in force"),
        (Role.CLINICIAN, {"rules": CHANGED}, 403, ""),
        (Role.DPO, {"rules": CHANGED}, 403, ""),
    ],
)
def test_a_bad_proposal_is_refused_once_and_on_record(
    web: WebHouse, by: Role, body: dict[str, Any], status: int, detail: str
) -> None:
    before = len(web.recorded())
    answer = proposed(web, by, **body)

    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True)
    assert web.recorded()[before:] == [("policy:propose", "refused")]


@pytest.mark.parametrize(("by", "status"), [(Role.DPO, 404), (Role.ADMIN, 403), (Role.CLINICIAN, 403)])
def test_what_nobody_proposed_is_not_approved(web: WebHouse, by: Role, status: int) -> None:
    assert web.client(by).request("POST", f"{PROPOSALS}/0123456789abcdef/approve").status_code == status
    assert web.recorded()[-1] == ("policy:approve", "refused")


def test_one_person_s_decision_is_explained_and_no_address_names_them(web: WebHouse) -> None:
    asked = {"role": "clinician", "action": "study:read", "study": study_uid(1), "person": "s.klein"}
    dpo = web.client(Role.DPO)

    assert dpo.post(EXPLAIN, json.dumps(asked).encode(), JSON).json()["decision"] == "hidden"
    assert dpo.post(EXPLAIN, json.dumps({**asked, "institution": "south"}).encode(), JSON).status_code == 200
    assert dpo.post(EXPLAIN, json.dumps({**asked, "institution": "No House"}).encode(), JSON).status_code == 400
    assert dpo.get(f"{EXPLAIN}?role=clinician&action=study:read&person=s.klein").status_code == 400


@pytest.mark.parametrize(
    ("role", "query", "status"),
    [
        (Role.DPO, f"?role=clinician&action=study:read&study={study_uid(9)}", 404),
        (Role.DPO, "?role=emperor&action=study:read", 400),
        (Role.DPO, "?role=clinician", 400),
        (Role.ADMIN, "?role=admin&action=study:search", 200),
        (Role.CLINICIAN, f"?role=clinician&action=study:read&study={study_uid(1)}", 403),
        (Role.CLINICIAN, f"?role=clinician&action=study:read&study={study_uid(9)}", 403),
    ],
)
def test_whoever_may_not_or_cannot_is_refused(web: WebHouse, role: Role, query: str, status: int) -> None:
    assert web.client(role).get(EXPLAIN + query).status_code == status
    assert web.recorded()[-1][0] == "policy:explain"
