"""Shares over HTTP: made, told, redeemed, looked after and taken back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import orjson
import pytest

from pacs_secure.core.access import Role
from pacs_secure.web import api_shares
from tests.builders import ELSEWHERE
from tests.web_client import WebClient
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10, study_uid
from tests.world import World

SHARES = "/api/v1/shares"
STUDY = f"/dicom-web/studies/{study_uid(1)}"
JSON = {"Content-Type": "application/json"}
WHY = "a second opinion on the liver"


@pytest.fixture
def house(tmp_path: Path, world: World) -> WebHouse:
    assert api_shares.__doc__
    house = open_house(tmp_path, world)
    house.store(part10(1), part10(2))
    return house


@pytest.fixture
def inviter(house: WebHouse) -> WebClient:
    return house.client(Role.CLINICIAN, user="k.sommer")


@pytest.fixture
def guest(house: WebHouse) -> WebClient:
    return house.client(Role.GUEST, "", user="expert")


def until(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


def wish(**changed: object) -> dict[str, object]:
    asked = {"study_instance_uid": study_uid(1), "invitee": {"person": "expert"}, "until": until(days=7), "reason": WHY}
    return asked | changed


def post(client: WebClient, url: str, body: object | None = None) -> httpx.Response:
    return client.post(url, b"" if body is None else orjson.dumps(body), {} if body is None else JSON)


def test_a_share_is_made_told_and_taken_back(inviter: WebClient, guest: WebClient) -> None:
    assert guest.get(f"{STUDY}/metadata").status_code == 404
    made = post(inviter, SHARES, wish())
    assert made.status_code == 201
    told = made.json()
    assert told.pop("code") is None
    assert told["inviter"] == {"person": "k.sommer", "institution": "north"}
    assert told["invitee"] == {"person": "expert", "institution": "north"}
    assert (told["standing"], told["purpose"], told["reason"], told["second_factor"]) == ("active", "TREAT", WHY, False)

    assert guest.get(f"{STUDY}/metadata").status_code == 200
    assert guest.get(SHARES).json() == inviter.get(SHARES).json() == [told]
    assert guest.get(f"{SHARES}/{told['share']}").json() == told
    assert post(inviter, f"{SHARES}/{told['share']}/revoke").status_code == 204
    assert guest.get(f"{STUDY}/metadata").status_code == 404
    assert inviter.delete(f"{SHARES}/{told['share']}").status_code == 409


def test_deleting_a_share_revokes_it(inviter: WebClient, guest: WebClient) -> None:
    share = post(inviter, SHARES, wish()).json()["share"]

    assert inviter.delete(f"{SHARES}/{share}").status_code == 204
    assert inviter.get(f"{SHARES}/{share}").json()["standing"] == "revoked"
    assert guest.get(f"{STUDY}/metadata").status_code == 404


def test_a_code_is_shown_once_and_opens_once(inviter: WebClient, guest: WebClient) -> None:
    made = post(inviter, SHARES, wish(second_factor=True)).json()
    assert (made["standing"], made["second_factor"]) == ("waiting", True)
    assert "code" not in inviter.get(f"{SHARES}/{made['share']}").json()
    assert guest.get(f"{SHARES}/{made['share']}").json()["study_instance_uid"] is None

    redeem = f"{SHARES}/{made['share']}/redeem"
    assert post(guest, redeem, {"code": "0000-0000-0000"}).status_code == 403
    assert guest.get(f"{STUDY}/metadata").status_code == 404
    redeemed = post(guest, redeem, {"code": made["code"]})
    assert (redeemed.status_code, redeemed.json()["standing"], redeemed.json()["wrong_codes"]) == (200, "active", 1)
    assert guest.get(f"{STUDY}/metadata").status_code == 200
    assert post(guest, redeem, {"code": made["code"]}).status_code == 409


def test_the_inviter_and_the_dpo_see_every_read(house: WebHouse, inviter: WebClient, guest: WebClient) -> None:
    share = post(inviter, SHARES, wish()).json()["share"]
    assert guest.get(f"{STUDY}/metadata").status_code == 200

    for asking in (inviter, house.client(Role.DPO, user="d.schutz")):
        (read,) = asking.get(f"{SHARES}/{share}/reads").json()
        assert (read["outcome"], read["door"], read["objects"]) == ("completed", "web", 1)
    assert guest.get(f"{SHARES}/{share}/reads").status_code == 403


def test_somebody_of_another_institution_is_named_with_it(house: WebHouse, inviter: WebClient) -> None:
    neighbour = house.client(Role.RADIOLOGIST, of=ELSEWHERE, user="j.winter")
    assert neighbour.get(f"{STUDY}/metadata").status_code == 404
    made = post(inviter, SHARES, wish(invitee={"person": "j.winter", "institution": "south"}))

    assert made.status_code == 201
    assert neighbour.get(f"{STUDY}/metadata").status_code == 200
    (found,) = neighbour.get("/dicom-web/studies").json()
    assert found["0020000D"]["Value"] == [study_uid(1)]


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "short"},
        {"reason": "   short    "},
        {"until": "2026-03-01T12:00:00"},
        {"until": "0001-01-01T00:00:00+23:59"},
        {"until": until(days=91)},
        {"until": until(days=-1)},
        {"invitee": {"person": "expert", "institution": "No Such Place"}},
        {"invitee": {"person": "expert", "institution": "nowhere"}},
        {"invitee": {"person": "k.sommer"}},
        {"study_instance_uid": "no uid"},
        {"purpose": "PLAY"},
        {"more": 1},
    ],
)
def test_what_makes_no_sense_is_refused_and_recorded_and_not_echoed(
    house: WebHouse, inviter: WebClient, changed: dict[str, object]
) -> None:
    answer = post(inviter, SHARES, wish(**changed))

    assert answer.status_code == 400
    assert house.recorded()[-1] == ("share:create", "refused")
    assert "nowhere" not in answer.text


def test_a_study_one_may_not_see_cannot_be_shared_and_looks_missing(house: WebHouse) -> None:
    stranger = house.client(Role.CLINICIAN, "surgery", user="n.gier")
    hidden = post(stranger, SHARES, wish())
    missing = post(stranger, SHARES, wish(study_instance_uid=study_uid(9)))

    assert (hidden.status_code, hidden.content, hidden.headers) == (404, missing.content, missing.headers)


def test_the_document_tells_of_every_endpoint(inviter: WebClient) -> None:
    paths = inviter.get("/api/v1/openapi.json").json()["paths"]

    assert set(paths[SHARES]) == {"get", "post"}
    assert set(paths[f"{SHARES}/{{share}}"]) == {"get", "delete"}
    assert set(paths[f"{SHARES}/{{share}}/reads"]) == {"get"}
    assert set(paths[f"{SHARES}/{{share}}/redeem"]) == set(paths[f"{SHARES}/{{share}}/revoke"]) == {"post"}


def test_a_name_that_is_none_is_no_share(inviter: WebClient) -> None:
    for name in (uuid4(), "nothing", "%00", "a" * 300):
        assert inviter.get(f"{SHARES}/{name}").status_code == 404
