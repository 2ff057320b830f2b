"""Breaking the glass and what the officer is told of it, over HTTP."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs_secure.adapters.development_issuer import DevelopmentIssuer
from pacs_secure.core.access import Role
from pacs_secure.web.api_break_glass import Declaration, DeclaredEmergency, ReadMade, Verdict
from pacs_secure.web.api_notices import ToldNotice, Which
from tests.builders import HERE
from tests.web_client import WebClient
from tests.web_house import HOUR, WebHouse, open_house
from tests.web_instances import part10, study_uid
from tests.world import World

JSON = {"Content-Type": "application/json"}
PATH, NOTICES = "/api/v1/break-glass", "/api/v1/notices"
WHY = "Unconscious after a fall, allergies unknown."
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    house = open_house(tmp_path, world)
    house.store(part10())
    return house


def someone(web: WebHouse, role: Role = Role.CLINICIAN, name: str = "s.lang", issuer: Any = None) -> WebClient:
    token = (issuer or web.issuer).issue(role, name, "surgery", None, HERE, 9 * HOUR)
    return WebClient(web.app(), {"Authorization": f"Bearer {token}"})


def dpo(web: WebHouse) -> WebClient:
    return someone(web, Role.DPO, "d.schutz")


def post(client: WebClient, path: str, **body: Any) -> httpx.Response:
    return client.post(path, json.dumps(body).encode() if body else b"", JSON if body else {})


def opened(web: WebHouse, **body: Any) -> dict[str, Any]:
    answer = post(someone(web), PATH, **{"patient_id": "PAT-4711", "reason": WHY, **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_glass_is_broken_by_patient_id_or_by_study_for_as_long_as_asked(web: WebHouse) -> None:
    by_id, by_study = opened(web), opened(web, patient_id="", study_instance_uid=study_uid(1), hours=0.5)

    told = DeclaredEmergency.model_validate(by_id)
    assert (told.person, told.role, told.department, told.reason) == ("s.lang", "clinician", "surgery", WHY)
    assert told.open
    assert told.review is None
    assert told.ends_at - told.opened_at == timedelta(hours=4)
    assert by_id["patient"] == by_study["patient"]
    ends, begins = (datetime.fromisoformat(by_study[name]) for name in ("ends_at", "opened_at"))
    assert ends - begins == timedelta(minutes=30)
    assert someone(web).get(f"/dicom-web/studies/{study_uid(1)}/metadata").status_code == 200
    assert someone(web, name="somebody").get(f"/dicom-web/studies/{study_uid(1)}/metadata").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"patient_id": "PAT-4711"}, 400),
        ({"patient_id": "PAT-4711", "reason": "short"}, 400),
        ({"patient_id": "PAT-4711", "reason": "x" * 501}, 400),
        ({"patient_id": "PAT-4711", "reason": WHY, "hours": 4.01}, 400),
        ({"patient_id": "PAT-4711", "reason": WHY, "hours": 0}, 400),
        ({"patient_id": "PAT-4711", "reason": WHY, "hours": 0.001}, 400),
        ({"patient_id": "PAT-4711", "reason": WHY, "purpose": "TREAT"}, 400),
        ({"patient_id": "P" * 65, "reason": WHY}, 400),
        ({"reason": WHY}, 400),
        ({"patient_id": "PAT-4711", "study_instance_uid": "1.2", "reason": WHY}, 400),
        ({"study_instance_uid": "no uid", "reason": WHY}, 400),
        ({"patient_id": "NOBODY", "reason": WHY}, 404),
        ({"study_instance_uid": "1.2.3.4.5", "reason": WHY}, 404),
    ],
)
def test_what_names_no_patient_or_no_reason_is_refused_once_on_record(
    web: WebHouse, body: dict[str, Any], status: int
) -> None:
    before = len(web.recorded())
    answer = someone(web).post(PATH, json.dumps(body).encode(), JSON)

    assert answer.status_code == status
    assert "PAT-4711" not in answer.text
    assert web.recorded()[before:] == [("break-glass:open", "refused")]


def test_a_login_of_an_hour_ago_is_not_fresh(web: WebHouse, tmp_path: Path) -> None:
    hour_ago = DevelopmentIssuer(
        tmp_path / "issuer.pem",
        loopback=True,
        now=lambda: datetime.now().timestamp() - 3600,  # noqa: DTZ005 - the same moment
    )

    answer = post(someone(web, issuer=hour_ago), PATH, patient_id="PAT-4711", reason=WHY)

    assert (answer.status_code, answer.json()["detail"]) == (403, "a fresh login is required")


def test_everybody_sees_their_own_and_the_officer_all(web: WebHouse) -> None:
    made = opened(web)

    assert someone(web).get(PATH).json() == dpo(web).get(PATH).json() == [made]
    assert someone(web).get(f"{PATH}/{made['id']}").json() == made
    assert someone(web, name="somebody").get(PATH).json() == []
    for name in (made["id"], NOWHERE, "no-id"):
        assert someone(web, name="somebody").get(f"{PATH}/{name}").status_code == 404
    assert someone(web, Role.TECHNOLOGIST).get(PATH).status_code == 403
    assert WebClient(web.app()).get(PATH).status_code == 401


def test_it_is_ended_by_its_person(web: WebHouse) -> None:
    made = opened(web)
    path = f"{PATH}/{made['id']}/end"

    assert post(someone(web, name="somebody"), path).status_code == 404
    ended = post(someone(web), path)
    assert ended.json()["ends_at"] < made["ends_at"]
    assert post(someone(web), path).status_code == 409
    assert someone(web).get(f"/dicom-web/studies/{study_uid(1)}/metadata").status_code == 404


def test_it_is_judged_once_by_somebody_else(web: WebHouse) -> None:
    made = opened(web)
    path = f"{PATH}/{made['id']}/review"

    assert post(someone(web), path, verdict="justified").status_code == 403
    assert post(someone(web, Role.DPO), path, verdict="justified").status_code == 403
    assert post(dpo(web), path, verdict="not justified").status_code == 400
    assert post(dpo(web), path, verdict="perhaps").status_code == 400
    judged = post(dpo(web), path, verdict="not justified", remark="The patient was never here.").json()
    assert (judged["open"], judged["review"]["verdict"], judged["review"]["by"]) == (False, "not justified", "d.schutz")
    assert post(dpo(web), path, verdict="justified").status_code == 409


def test_what_was_read_is_listed(web: WebHouse) -> None:
    made = opened(web)
    someone(web).get(f"/dicom-web/studies/{study_uid(1)}/metadata")

    for client in (someone(web), dpo(web)):
        (read,) = client.get(f"{PATH}/{made['id']}/reads").json()
        assert ReadMade.model_validate(read).objects == 1
        assert (read["door"], read["outcome"]) == ("web", "completed")
        assert read["bytes"] > 0
    assert someone(web, name="somebody").get(f"{PATH}/{made['id']}/reads").status_code == 404


def test_the_officer_reads_and_acknowledges_what_they_were_told(web: WebHouse) -> None:
    made = opened(web)

    (notice,) = dpo(web).get(NOTICES).json()
    told = ToldNotice.model_validate(notice)
    assert (told.kind, str(told.about), told.sent_at) == ("break-glass", made["id"], None)
    assert told.told["reason"] == WHY
    assert post(someone(web), f"{NOTICES}/{told.id}/acknowledge").status_code == 403
    assert post(dpo(web), f"{NOTICES}/{told.id}/acknowledge").status_code == 204
    assert post(dpo(web), f"{NOTICES}/{told.id}/acknowledge").status_code == 409
    assert post(dpo(web), f"{NOTICES}/{NOWHERE}/acknowledge").status_code == 404
    assert dpo(web).get(NOTICES).json() == []
    (read,) = dpo(web).get(f"{NOTICES}?acknowledged=true").json()
    assert (read["id"], read["acknowledged_at"] is not None) == (notice["id"], True)
    assert dpo(web).get(f"{NOTICES}?acknowledged=perhaps").status_code == 400
    assert someone(web).get(NOTICES).status_code == 403


def test_every_endpoint_is_described(web: WebHouse) -> None:
    paths = WebClient(web.app()).get("/api/v1/openapi.json").json()["paths"]

    described = {(method, path) for path, methods in paths.items() for method in methods if path.startswith(PATH)}
    one = f"{PATH}/{{id}}"
    assert described == {
        ("post", PATH),
        ("get", PATH),
        ("get", one),
        ("post", f"{one}/end"),
        ("post", f"{one}/review"),
        ("get", f"{one}/reads"),
    }
    assert {"get"} == set(paths[NOTICES])
    assert Declaration(reason=WHY).hours is None
    assert Verdict.model_validate({"verdict": "justified"}).remark == ""
    assert not Which().acknowledged
