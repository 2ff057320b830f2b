"""The policy over HTTP."""

import json
from pathlib import Path

import pytest

from pacs_secure.core.access import Role
from pacs_secure.web.api_policy import Explained
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10, study_uid
from tests.world import World

JSON = {"Content-Type": "application/json"}
EXPLAIN = "/api/v1/policy/explain"


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
