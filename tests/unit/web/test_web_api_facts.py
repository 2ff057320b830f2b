"""The facts of a study over HTTP."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs_secure.core.access import Role
from pacs_secure.web.api_facts import Facts, FactsChange
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10, study_uid
from tests.world import World

JSON = {"Content-Type": "application/json"}
PATH = f"/api/v1/studies/{study_uid(1)}/facts"
WHY = "she works in this house"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    house = open_house(tmp_path, world)
    house.store(part10())
    return house


def change(web: WebHouse, role: Role = Role.OFFICER, path: str = PATH, **body: Any) -> httpx.Response:
    return web.client(role).request("PATCH", path, JSON, json.dumps({"reason": WHY, **body}).encode())


def test_the_facts_are_shown(web: WebHouse) -> None:
    answer = web.client(Role.OFFICER).get(PATH)

    assert answer.status_code == 200
    assert answer.json() == {
        "study": study_uid(1),
        "department": "radiology",
        "labels": [],
        "restricted": False,
        "held": False,
        "treatment_ended_on": None,
    }
    assert Facts.model_validate_json(answer.content).labels == []


def test_what_is_named_changes_and_nothing_else(web: WebHouse) -> None:
    assert change(web, add_labels=["vip", "staff"], treatment_ended_on="2026-01-31").status_code == 200
    answer = change(web, remove_labels=["vip"], department="surgery")

    assert answer.json()["labels"] == ["staff"]
    assert (answer.json()["department"], answer.json()["treatment_ended_on"]) == ("surgery", "2026-01-31")
    assert web.recorded()[-2:] == [("study:classify", "completed")] * 2


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "nothing is to change"),
        ({"add_labels": ["ended"]}, "the body is wrong at add_labels: value error"),
        ({"add_labels": ["famous"]}, "the body is wrong at add_labels: enum"),
        ({"add_labels": ["vip"], "remove_labels": ["vip"]}, "a label cannot be given and taken at once"),
        ({"reason": "no", "held": True}, "the body is wrong at reason: string too short"),
        ({"held": "perhaps"}, "the body is wrong at held: bool parsing"),
        ({"treatment_ended_on": "2999-01-01"}, "a treatment cannot have ended in the future"),
        ({"patient": "x"}, "the body holds a field that is not expected"),
    ],
)
def test_what_cannot_be_meant_is_refused_once_and_on_record(web: WebHouse, body: dict[str, Any], detail: str) -> None:
    before = len(web.recorded())
    answer = change(web, **body)

    assert (answer.status_code, answer.json()["detail"]) == (400, detail)
    assert web.recorded()[before:] == [("study:classify", "refused")]


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        (Role.CLINICIAN, PATH, 403),
        (Role.DPO, PATH, 404),
        (Role.OFFICER, f"/api/v1/studies/{study_uid(9)}/facts", 404),
        (Role.OFFICER, "/api/v1/studies/none/facts", 400),
    ],
)
def test_whoever_may_not_is_refused(web: WebHouse, role: Role, path: str, status: int) -> None:
    assert web.client(role).get(path).status_code == status
    assert change(web, role, path, held=True).status_code == status


def test_the_document_tells_which_labels_there_are(web: WebHouse) -> None:
    document = web.app().openapi()
    patch = document["paths"]["/api/v1/studies/{study}/facts"]["patch"]
    labels = patch["requestBody"]["content"]["application/json"]["schema"]["properties"]["add_labels"]

    assert "vip" in labels["items"]["enum"]
    assert "ended" not in labels["items"]["enum"]
    assert set(FactsChange.model_fields) >= {"reason", "held"}
