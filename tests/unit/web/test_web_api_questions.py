"""Questions about employees over HTTP."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs_secure.core.access import Role
from pacs_secure.web.api_ledger_reading import LedgerPage
from pacs_secure.web.api_questions import AskedQuestion
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10, study_uid
from tests.world import World

JSON = {"Content-Type": "application/json"}
PATH = "/api/v1/ledger/questions"
WHY = "a patient says that a neighbour looked"
NOW = datetime.now(UTC)
PERIOD = {"since": (NOW - timedelta(days=1)).isoformat(), "until": (NOW + timedelta(days=1)).isoformat()}


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    house = open_house(tmp_path, world)
    house.store(part10())
    assert house.client(user="s.klein").get(f"/dicom-web/studies/{study_uid(1)}/metadata").status_code == 200
    return house


def post(web: WebHouse, path: str, role: Role = Role.DPO, user: str = "d.schutz", **body: Any) -> httpx.Response:
    return web.client(role, "", user=user).post(path, json.dumps(body).encode(), JSON)


def asked(web: WebHouse, **changed: Any) -> AskedQuestion:
    answer = post(web, PATH, **{"person": "s.klein", "reason": WHY, **PERIOD, **changed})
    assert answer.status_code == 201, answer.text
    return AskedQuestion.model_validate_json(answer.content)


def approved(web: WebHouse, question: AskedQuestion) -> AskedQuestion:
    answer = post(web, f"{PATH}/{question.id}/approve", Role.OFFICER, "o.amt", reason="agreed")
    assert answer.status_code == 200, answer.text
    return AskedQuestion.model_validate_json(answer.content)


def test_one_asks_another_approves_and_the_first_reads(web: WebHouse) -> None:
    question = asked(web)
    assert (question.state, question.person, question.asked_by, question.ruled_at) == (
        "waiting",
        "s.klein",
        "d.schutz",
        None,
    )
    assert post(web, f"{PATH}/{question.id}/approve").status_code == 403
    assert web.client(Role.DPO, "", user="d.schutz").get(f"{PATH}/{question.id}/entries").status_code == 403

    ruled = approved(web, question)
    page = web.client(Role.DPO, "", user="d.schutz").get(f"{PATH}/{question.id}/entries?limit=1")

    assert (ruled.state, ruled.ruled_by, ruled.ruling_reason) == ("approved", "o.amt", "agreed")
    assert ruled.answered_until is not None
    read = LedgerPage.model_validate_json(page.content)
    assert [(one.action, one.outcome) for one in read.entries] == [("study:read", "begun")]
    more = web.client(Role.DPO, "", user="d.schutz").get(f"{PATH}/{question.id}/entries?after={read.after}")
    assert [one["outcome"] for one in more.json()["entries"]] == ["completed"]


def test_a_refusal_takes_a_reason(web: WebHouse) -> None:
    question = asked(web)

    assert post(web, f"{PATH}/{question.id}/refuse", Role.OFFICER, "o.amt", reason="no").status_code == 400
    refused = post(web, f"{PATH}/{question.id}/refuse", Role.OFFICER, "o.amt", reason="this is no suspicion")
    assert (refused.status_code, refused.json()["state"]) == (200, "refused")
    assert post(web, f"{PATH}/{question.id}/approve", Role.OFFICER, "o.amt").status_code == 409


def test_questions_are_listed_to_whoever_may_rule(web: WebHouse) -> None:
    first, second = asked(web), asked(web)

    listed = web.client(Role.OFFICER, "", user="o.amt").get(PATH).json()

    assert [one["id"] for one in listed] == [str(second.id), str(first.id)]
    assert {one["person"] for one in listed} == {"s.klein"}
    assert web.client(Role.RADIOLOGIST).get(PATH).status_code == 403


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "short"},
        {"person": ""},
        {"until": PERIOD["since"]},
        {"since": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"},
        {"department": "radiology"},
    ],
    ids=range(5),
)
def test_what_is_no_question_is_refused_on_record(web: WebHouse, changed: dict[str, Any]) -> None:
    answer = post(web, PATH, **{"person": "s.klein", "reason": WHY, **PERIOD, **changed})

    assert answer.status_code == 400
    assert web.recorded()[-1] == ("ledger:ask", "refused")


def test_what_was_not_asked_is_not_found(web: WebHouse) -> None:
    for name in ("s.klein", "00000000-0000-4000-8000-000000000000"):
        assert post(web, f"{PATH}/{name}/approve", Role.OFFICER, "o.amt").status_code == 404
        assert web.client(Role.DPO, "", user="d.schutz").get(f"{PATH}/{name}/entries").status_code == 404
