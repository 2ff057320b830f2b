"""Sessions over the API: everybody sees their own, oversight makes logins void, for tokens too."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_secure.core.access import Role
from pacs_secure.web import api_sessions
from tests.browser import Browser
from tests.builders import HERE
from tests.small_issuer import SmallIssuer, small_issuer
from tests.web_client import WebClient
from tests.web_house import WebHouse, open_house
from tests.world import World

ORIGIN = "https://pacs.example"
STUDIES = "/dicom-web/studies"
REVOKE = "/api/v1/sessions/revoke"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[SmallIssuer]:
    with small_issuer(tmp_path / "issuer", HERE) as running:
        yield running


@pytest.fixture
def browser(web: WebHouse, issuer: SmallIssuer) -> Browser:
    return Browser(WebClient(web.app(provider=issuer.client(ORIGIN))), ORIGIN, issuer.log_in)


def revoke(client: WebClient, **body: object) -> int:
    return client.post(REVOKE, json.dumps(body).encode(), JSON).status_code


def test_everybody_sees_their_own_sessions(browser: Browser, web: WebHouse) -> None:
    browser.log_in()

    (mine,) = browser.get("/api/v1/sessions").json()
    assert mine["this"]
    assert set(mine) == set(api_sessions.OwnSession.model_fields)
    (same,) = web.client(Role.RADIOLOGIST).get("/api/v1/sessions").json()
    assert (same["session"], same["this"]) == (mine["session"], False)


def test_a_revoked_person_is_out_with_session_and_token_at_once(browser: Browser, web: WebHouse) -> None:
    browser.log_in()
    token = web.client(Role.RADIOLOGIST)
    admin = web.client(Role.ADMIN)
    assert (browser.get(STUDIES).status_code, token.get(STUDIES).status_code) == (200, 200)

    assert revoke(admin, person="somebody.else", reason="a test") == 204
    assert browser.get(STUDIES).status_code == 200

    assert revoke(admin, person="r.weber", reason="the phone was stolen") == 204
    assert (browser.get(STUDIES).status_code, token.get(STUDIES).status_code) == (401, 401)


def test_one_session_or_one_token_is_revoked_alone(browser: Browser, web: WebHouse) -> None:
    browser.log_in()
    dpo = web.client(Role.DPO)
    (mine,) = browser.get("/api/v1/sessions").json()

    assert revoke(dpo, login=mine["session"], reason="left open") == 204
    assert browser.get(STUDIES).status_code == 401
    assert web.client(Role.RADIOLOGIST).get(STUDIES).status_code == 200


@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.CLINICIAN, Role.OFFICER, Role.RESEARCHER])
def test_nobody_but_oversight_revokes(web: WebHouse, role: Role) -> None:
    assert revoke(web.client(role), person="r.weber", reason="spite") == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"person": "r.weber"},
        {"reason": "why"},
        {"person": "r.weber", "login": "l", "reason": "both"},
        {"person": "", "reason": "why"},
        {"person": "a\nb", "reason": "why"},
        {"person": "a" * 300, "reason": "why"},
        {"person": "r.weber", "reason": "why", "institution": "south"},
    ],
    ids=str,
)
def test_a_revocation_that_is_not_clear_is_none(web: WebHouse, body: dict[str, object]) -> None:
    assert revoke(web.client(Role.ADMIN), **body) == 400
    assert web.client(Role.RADIOLOGIST).get(STUDIES).status_code == 200
