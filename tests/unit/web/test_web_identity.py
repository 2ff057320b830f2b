"""Who comes through the web door, why, and that those who cannot say are recorded and refused."""

import time
from pathlib import Path

import pytest

from pacs_secure.core.access import Purpose, Role
from pacs_secure.web.identity import LONGEST_TOKEN
from tests.web_client import WebClient
from tests.web_house import WebHouse, open_house
from tests.world import World

STUDIES = "/dicom-web/studies"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic cmFkaW9sb2dpc3Q6"},
        {"Authorization": "Bearer forged.to.ken"},
        {"Authorization": f"Bearer {'a' * (LONGEST_TOKEN + 1)}"},
    ],
)
def test_whoever_cannot_say_who_they_are_is_recorded_and_refused(web: WebHouse, headers: dict[str, str]) -> None:
    answer = WebClient(web.app(), headers, address="192.0.2.99").get(STUDIES)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    (entry,) = web.world.entries()
    assert (entry["action"], entry["outcome"], entry["role"]) == ("session:authenticate", "refused", "stranger")
    assert entry["address"] == "192.0.2.99"


def test_a_refusal_that_cannot_be_recorded_is_unavailable(web: WebHouse) -> None:
    web.world.ledger.down = True

    assert WebClient(web.app()).get(STUDIES).status_code == 503


def test_a_flood_of_strangers_is_no_flood_of_the_ledger(web: WebHouse) -> None:
    stranger = WebClient(web.app())

    assert {stranger.get(STUDIES).status_code for _ in range(200)} == {401}
    time.sleep(0.2)
    stranger.get(STUDIES)

    entries = web.world.entries()
    assert len(entries) < 100
    assert len(entries) + sum(entry["facts"].get("others", 0) for entry in entries) == 201


def test_the_scheme_is_read_without_case(web: WebHouse) -> None:
    client = web.client()
    client.headers = {"Authorization": client.headers["Authorization"].replace("Bearer", "bearer")}

    assert client.get(STUDIES).status_code == 200


def test_the_header_names_the_purpose_before_the_token(web: WebHouse) -> None:
    client = web.client(purpose=Purpose.HEALTH_RESEARCH)

    assert client.get(STUDIES).status_code == 403
    assert client.get(STUDIES, {"X-Purpose-Of-Use": "TREAT"}).status_code == 200
    assert [entry["purpose"] for entry in web.world.entries()][:2] == ["HRESCH", "TREAT"]


def test_without_any_purpose_the_role_s_own_holds_or_none(web: WebHouse) -> None:
    assert web.client(Role.RADIOLOGIST).get(STUDIES).status_code == 200
    assert web.client(Role.RESEARCHER).get(STUDIES).status_code == 403


@pytest.mark.parametrize("purpose", ["CURIOSITY", "treat", "", "TREAT, HRESCH"])
def test_a_purpose_that_is_none_is_malformed(web: WebHouse, purpose: str) -> None:
    assert web.client().get(STUDIES, {"X-Purpose-Of-Use": purpose}).status_code == 400
