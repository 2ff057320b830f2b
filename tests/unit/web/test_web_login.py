"""Logging in and out by a browser: what it costs an attacker to be somebody else, and that both are on record."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure.core.access import Role
from pacs_secure.web.identity import SESSION_COOKIE
from pacs_secure.web.login import ATTEMPT_COOKIE
from tests.browser import Browser
from tests.builders import HERE
from tests.small_issuer import SmallIssuer, small_issuer
from tests.web_client import WebClient
from tests.web_house import WebHouse, open_house
from tests.world import World

ORIGIN = "https://pacs.example"
STUDIES = "/dicom-web/studies"
EVIL = "https://attacker.example"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[SmallIssuer]:
    with small_issuer(tmp_path / "issuer", HERE) as running:
        yield running


@pytest.fixture
def client(web: WebHouse, issuer: SmallIssuer) -> WebClient:
    return WebClient(web.app(provider=issuer.client(ORIGIN)))


@pytest.fixture
def browser(client: WebClient, issuer: SmallIssuer) -> Browser:
    return Browser(client, ORIGIN, issuer.log_in)


def test_a_login_leads_where_the_browser_wanted_to_go(browser: Browser) -> None:
    assert browser.get(STUDIES).status_code == 401

    answer = browser.log_in("/auth/login?next=/viewer/%3Fa=b")

    assert (answer.status_code, answer.headers["location"]) == (303, "/viewer/?a=b")
    assert browser.get(STUDIES).status_code == 200


def test_no_script_and_no_other_site_gets_the_cookies(browser: Browser) -> None:
    browser.log_in()

    for name in (SESSION_COOKIE, ATTEMPT_COOKIE):
        said = browser.set_cookies[name].lower()
        assert name.startswith("__Host-")
        for word in ("secure", "httponly", "samesite=lax", "path=/"):
            assert word in said
        assert "domain" not in said
    assert "max-age" not in browser.set_cookies[SESSION_COOKIE].lower()
    assert ATTEMPT_COOKIE not in browser.cookies


def test_the_session_says_who_it_is_and_until_when(browser: Browser, web: WebHouse) -> None:
    assert browser.get("/auth/session").status_code == 401
    browser.log_in()
    (row,) = web.world.sessions.kept.values()

    told = browser.get("/auth/session").json()

    assert (told["subject"], told["role"], told["institution"]) == ("r.weber", "radiologist", HERE)
    assert (told["department"], told["second_factor"]) == ("radiology", True)
    assert told["logged_in_at"] < told["idle_ends_at"] < told["ends_at"]
    assert web.world.sessions.kept[row.session_id].used_at == row.used_at


def test_a_bearer_has_no_session_but_is_somebody(client: WebClient, web: WebHouse) -> None:
    told = client.get("/auth/session", web.client(Role.DPO).headers).json()

    assert (told["role"], told["idle_ends_at"], told["ends_at"]) == ("dpo", None, None)


def test_after_a_logout_the_cookie_is_worth_nothing_and_the_provider_is_told(browser: Browser, web: WebHouse) -> None:
    browser.log_in()
    stolen = dict(browser.cookies)

    answer = browser.post("/auth/logout")

    assert answer.status_code == 303
    assert "/logout?client_id=" in answer.headers["location"]
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert not browser.logged_in
    browser.cookies = stolen
    assert browser.get(STUDIES).status_code == 401
    assert ("session:open", "completed") in web.recorded()
    assert ("session:end", "completed") in web.recorded()


def test_a_logout_holds_here_while_the_provider_is_away_and_twice(browser: Browser, issuer: SmallIssuer) -> None:
    browser.log_in()
    issuer.server.answers.clear()
    browser.web = WebClient(browser.web.app)  # type: ignore[attr-defined]
    stolen = dict(browser.cookies)

    for _ in range(2):
        browser.cookies = dict(stolen)
        assert browser.post("/auth/logout").status_code in {204, 303}
    browser.cookies = stolen
    assert browser.get(STUDIES).status_code == 401


def test_a_provider_that_has_no_place_to_log_out_is_not_looked_for(browser: Browser, issuer: SmallIssuer) -> None:
    issuer.server.answers["/.well-known/openid-configuration"].pop("end_session_endpoint")  # type: ignore[attr-defined]
    browser.log_in()

    assert browser.post("/auth/logout").status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://pacs.example"},
        {"Origin": "https://pacs.example:444", "Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/auth/logout", "/dicom-web/studies", "/api/v1/sessions/revoke"])
def test_what_another_site_s_page_sends_changes_nothing(
    browser: Browser, web: WebHouse, path: str, headers: dict[str, str]
) -> None:
    browser.log_in()

    assert browser.ask("POST", path, headers).status_code == 403
    assert web.recorded()[-1] == ("session:authenticate", "refused")
    assert browser.get(STUDIES).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": ORIGIN}, {"Sec-Fetch-Site": "same-origin"}], ids=str)
def test_one_s_own_page_may_act(browser: Browser, headers: dict[str, str]) -> None:
    browser.log_in()

    assert browser.ask("POST", "/dicom-web/studies", headers).status_code == 415


def test_another_site_s_page_reads_nothing_with_the_cookie(browser: Browser) -> None:
    browser.log_in()

    assert browser.ask("GET", STUDIES, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert browser.ask("GET", STUDIES, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}).status_code == 403
    assert (
        browser.ask("GET", STUDIES, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200
    )


@pytest.mark.parametrize(
    "next_path",
    ["https://attacker.example/", "//attacker.example", "/\\attacker.example", "\\\\attacker.example", "viewer",
     "", "/\x09/attacker.example", "/a\x0d\x0ab", "/ä", "javascript:alert(1)", "/auth/logout", "/" + "a" * 2000],
)  # fmt: skip
def test_a_login_never_leads_to_another_site(client: WebClient, next_path: str) -> None:
    from urllib.parse import quote

    answer = client.get(f"/auth/login?next={quote(next_path)}")

    assert answer.status_code == 400
    assert "attacker" not in answer.text


def test_an_answer_to_another_login_is_refused_and_recorded(
    browser: Browser, issuer: SmallIssuer, web: WebHouse
) -> None:
    back = issuer.log_in(browser.begin())
    for forged in (back.replace("state=", "state=x"), back.partition("&state")[0], back.replace("code=", "error=")):
        assert browser.come_back(forged).status_code == 401
        assert web.recorded()[-1] == ("session:authenticate", "refused")

    assert browser.come_back(back).status_code == 303


def test_a_code_that_an_attacker_began_logs_nobody_else_in(
    browser: Browser, client: WebClient, issuer: SmallIssuer
) -> None:
    attacker = Browser(client, ORIGIN, issuer.log_in)
    back = issuer.log_in(attacker.begin())

    assert browser.come_back(back).status_code == 401
    browser.begin()
    assert browser.come_back(back).status_code == 401
    assert not browser.logged_in


def test_an_answer_is_worth_one_session(browser: Browser, issuer: SmallIssuer) -> None:
    back = issuer.log_in(browser.begin())
    kept = dict(browser.cookies)
    assert browser.come_back(back).status_code == 303

    browser.cookies = kept
    assert browser.come_back(back).status_code == 401


def test_a_wrong_nonce_is_refused_and_recorded(browser: Browser, issuer: SmallIssuer, web: WebHouse) -> None:
    issuer.lies = {"nonce": "of another login"}

    assert browser.log_in().status_code == 401
    assert web.recorded() == [("session:authenticate", "refused")]
    assert not browser.logged_in


def test_a_role_that_is_no_person_s_gets_no_session(browser: Browser, issuer: SmallIssuer, web: WebHouse) -> None:
    issuer.user["role"] = "modality"

    assert browser.log_in().status_code == 403
    assert web.recorded() == [("session:open", "refused")]


def test_while_the_provider_is_away_nobody_comes_in_and_everybody_may_try_later(
    browser: Browser, issuer: SmallIssuer
) -> None:
    back = issuer.log_in(browser.begin())
    issuer.server.answers["/token"] = 500

    answer = browser.come_back(back)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_another_login_in_the_same_browser_ends_the_former(browser: Browser, web: WebHouse) -> None:
    browser.log_in()
    former = dict(browser.cookies)
    browser.log_in("/auth/login?fresh=1")

    assert browser.get(STUDIES).status_code == 200
    browser.cookies = former
    assert browser.get(STUDIES).status_code == 401
    assert web.recorded().count(("session:end", "completed")) == 1


def test_a_fresh_login_has_to_be_one(browser: Browser, issuer: SmallIssuer) -> None:
    url = browser.begin("/auth/login?fresh=1")
    assert "prompt=login" in url
    assert "max_age=1" in url
    issuer.lies = {"auth_time": 1_000_000}

    assert browser.come_back(issuer.log_in(url)).status_code == 401


def test_who_is_idle_for_a_quarter_of_an_hour_is_out(browser: Browser, web: WebHouse) -> None:
    browser.log_in()
    ((session_id, row),) = web.world.sessions.kept.items()
    web.world.sessions.kept[session_id] = replace(row, used_at=row.used_at - timedelta(minutes=15))

    assert browser.get(STUDIES).status_code == 401


def test_the_provider_ends_a_login_by_itself(browser: Browser, client: WebClient, issuer: SmallIssuer) -> None:
    browser.log_in()
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    for forged in (b"", b"logout_token=a.b.c", b"logout_token=%ff", b"\xff"):
        assert client.post("/auth/backchannel-logout", forged, form).status_code == 400
    assert client.post("/auth/backchannel-logout", b"a" * 40_000, form).status_code == 413
    assert browser.get(STUDIES).status_code == 200

    said = f"logout_token={issuer.logout_token()}".encode()
    assert client.post("/auth/backchannel-logout", said, form).status_code == 200
    assert browser.get(STUDIES).status_code == 401
    assert client.post("/auth/backchannel-logout", said, form).status_code == 200


def test_who_begins_logins_without_end_is_slowed_down_and_nobody_else(client: WebClient, web: WebHouse) -> None:
    statuses = [client.get("/auth/login").status_code for _ in range(80)]
    slowed = client.get("/auth/login")

    assert set(statuses) == {303, 429}
    assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "1")
    assert replace(client, address="192.0.2.77").get("/auth/login").status_code == 303
    client.get(STUDIES)
    assert web.world.entries()[-1]["facts"]["others"] == [*statuses, 429].count(429)


def test_who_guesses_is_slowed_down_and_counted_but_a_good_credential_always_passes(
    client: WebClient, web: WebHouse
) -> None:
    forged = {"Authorization": "Bearer for.ged.token"}
    statuses = [client.get(STUDIES, forged).status_code for _ in range(60)]

    assert set(statuses) == {401, 429}
    assert client.get(STUDIES, {"Cookie": f"{SESSION_COOKIE}=guessed"}).status_code == 429
    assert client.get(STUDIES, web.client().headers).status_code == 200
    assert replace(client, address="192.0.2.77").get(STUDIES, forged).status_code == 401
    assert len(web.world.entries()) < 60


def test_without_a_provider_there_is_no_login_and_no_cookie_counts(web: WebHouse, browser: Browser) -> None:
    browser.log_in()
    browser.web = WebClient(web.app())

    assert browser.get("/auth/login").status_code == 404
    assert browser.get(STUDIES).status_code == 401


def test_a_token_beside_a_cookie_is_what_counts(browser: Browser) -> None:
    browser.log_in()

    assert browser.get(STUDIES, Authorization="Bearer for.ged.token").status_code == 401


def test_a_cookie_of_any_length_is_only_a_cookie(browser: Browser) -> None:
    for secret in ("a" * 43, "a" * 300):
        browser.cookies = {SESSION_COOKIE: secret}
        assert browser.get(STUDIES).status_code == 401


def test_no_answer_of_a_login_is_kept_or_framed(browser: Browser, client: WebClient) -> None:
    for answer in (client.get("/auth/login"), browser.log_in()):
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
