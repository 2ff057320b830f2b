"""Who treats and who referred, over HTTP."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from pacs_secure.core.access import Role
from pacs_secure.web.api_care import Stated
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10, study_uid
from tests.world import World

JSON = {"Content-Type": "application/json"}
WHY = "admitted to surgery today"
ENDED = json.dumps({"reason": "she was transferred"}).encode()
LIST = f"/api/v1/care?study={study_uid(1)}"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    house = open_house(tmp_path, world)
    house.store(part10())
    return house


def post(web: WebHouse, path: str, role: Role = Role.OFFICER, **body: Any) -> httpx.Response:
    whole = {"study": study_uid(1), "person": "r.weber", "reason": WHY, **body}
    return web.client(role).post(f"/api/v1/{path}", json.dumps(whole).encode(), JSON)


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


def test_a_treatment_is_stated_listed_and_ended(web: WebHouse) -> None:
    surgeon = web.client(Role.CLINICIAN, "surgery")
    study = f"/dicom-web/studies/{study_uid(1)}/metadata"
    assert surgeon.get(study).status_code == 404

    made = post(web, "care", until=tomorrow())
    assert made.status_code == 201
    stated = Stated.model_validate_json(made.content)
    assert (stated.relation, stated.person, stated.reason) == ("treating", "r.weber", WHY)
    assert surgeon.get(study).status_code == 200
    assert web.client(Role.OFFICER).get(LIST).json() == [made.json()]

    ended = web.client(Role.OFFICER).post(f"/api/v1/care/{stated.id}/end", ENDED, JSON)
    assert (ended.status_code, ended.content) == (204, b"")
    assert surgeon.get(study).status_code == 404
    assert web.client(Role.OFFICER).get(LIST).json() == []


def test_a_referral_holds_until_it_is_ended_unless_somebody_says_until_when(web: WebHouse) -> None:
    made = post(web, "referrals")

    assert (made.status_code, made.json()["relation"], made.json()["until"]) == (201, "referring", None)
    assert web.client(Role.REFERRER, "").get(f"/dicom-web/studies/{study_uid(1)}/metadata").status_code == 200
    assert post(web, "referrals", until=tomorrow()).json()["until"] is not None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("care", {"until": "tomorrow"}),
        ("care", {"until": "2026-03-01T12:00:00"}),
        ("care", {"until": "2020-03-01T12:00:00Z"}),
        ("care", {}),
        ("care", {"until": "2026-03-01T12:00:00Z", "person": ""}),
        ("referrals", {"study": "none"}),
        ("referrals", {"reason": "no"}),
    ],
)
def test_what_cannot_be_meant_is_refused_once_and_on_record(web: WebHouse, path: str, body: dict[str, Any]) -> None:
    before = len(web.recorded())

    assert post(web, path, **body).status_code == 400
    assert web.recorded()[before:] == [("care:grant", "refused")]


def test_whoever_may_not_is_refused(web: WebHouse) -> None:
    assert post(web, "referrals", Role.CLINICIAN).status_code == 403
    assert web.client(Role.DPO).get(LIST).status_code == 404
    assert web.client(Role.OFFICER).get("/api/v1/care").status_code == 400
    for statement in (uuid4(), "none"):
        assert web.client(Role.OFFICER).post(f"/api/v1/care/{statement}/end", ENDED, JSON).status_code == 404
    assert web.client(Role.DPO).post(f"/api/v1/care/{uuid4()}/end", ENDED, JSON).status_code == 403
