"""People log in at real OpenID providers and machines bring tokens of theirs: over TLS, through the whole web door."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from pacs_secure import identity
from pacs_secure.core.access import Role
from pacs_secure.settings import load
from pacs_secure.web.app import create_app
from pacs_secure.web.server import Certificate, serve
from tests.browser import Browser
from tests.builders import HERE, subject
from tests.certificates import Authority
from tests.issuer_fixture import Issuer, NpmIssuer, OpenBaoIssuer, npm_issuer
from tests.settings_file import WHOLE, written
from tests.vault_fixture import RunningVault, free_ports
from tests.world import World, memory_world

pytestmark = pytest.mark.real

STUDIES = "/dicom-web/studies"
SEARCH = f"{STUDIES}?PatientID=ERIKA-4711"


@dataclass
class Tls:
    """Sends requests over TLS to a running door."""

    client: httpx.Client

    def request(self, method: str, url: str, headers: dict[str, str]) -> httpx.Response:
        return self.client.request(method, url, headers=headers)


@dataclass
class Site:
    """A running web door whose people log in at one provider."""

    world: World
    issuer: Issuer
    url: str
    client: httpx.Client

    def browser(self, user: str = "r.weber") -> Browser:
        return Browser(Tls(self.client), self.url, lambda url: self.issuer.log_in(user, url))

    def recorded(self) -> list[tuple[str, str]]:
        return [(entry["action"], entry["outcome"]) for entry in self.world.entries()]


@contextmanager
def site(directory: Path, issuer: Issuer) -> Iterator[Site]:
    """Open a web door with the configuration that an installation would have."""
    authority = Authority(directory, "archive-authority")
    pair = authority.issue("archive")
    (port,) = free_ports(1)
    url = f"https://127.0.0.1:{port}"
    (directory / "trusted.pem").write_bytes(authority.file.read_bytes())
    issuer.register(url)
    secret = directory / "client-secret"
    secret.write_text(issuer.client_secret)
    secret.chmod(0o600)
    tables = issuer.tables(url).replace('"client-secret"', f'"{secret}"')
    settings = load(written(directory, WHOLE.partition("[identity]")[0] + tables))
    world = memory_world()
    provider = identity.login_provider(settings)
    app = create_app(world.archive, identity.authenticator(settings), HERE, lambda: None, None, provider)
    door = serve(app, "127.0.0.1", port, Certificate(pair.certificate, pair.key))
    door.start()
    context = ssl.create_default_context(cafile=str(authority.file))
    try:
        with httpx.Client(base_url=url, verify=context, timeout=20) as client:
            yield Site(world, issuer, url, client)
    finally:
        door.stop()


@pytest.fixture(scope="module", params=["openbao", "oidc-provider"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        issuer: Issuer
        if request.param == "openbao":
            vault: RunningVault = request.getfixturevalue("openbao")
            issuer = OpenBaoIssuer(vault, HERE)
            issuer.set_up()
        else:
            issuer = stack.enter_context(npm_issuer(directory, HERE))
        yield stack.enter_context(site(directory, issuer))


@pytest.fixture
def browser(running: Site) -> Browser:
    return running.browser()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.05)


def test_a_person_logs_in_looks_for_studies_and_logs_out(running: Site, browser: Browser) -> None:
    assert browser.get(SEARCH).status_code == 401

    answer = browser.log_in("/auth/login?next=/viewer/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/viewer/")
    told = browser.get("/auth/session").json()
    assert (told["role"], told["department"]) == ("radiologist", "radiology")
    assert told["second_factor"] is (running.issuer.name == "oidc-provider")
    assert browser.get(SEARCH).status_code == 200

    stolen = dict(browser.cookies)
    assert browser.post("/auth/logout").status_code in {204, 303}
    browser.cookies = stolen
    assert browser.get(SEARCH).status_code == 401
    for act in ("session:open", "session:end"):
        assert (act, "completed") in running.recorded()


def test_a_fresh_login_is_really_one(running: Site, browser: Browser) -> None:
    browser.log_in()
    first = browser.get("/auth/session").json()["logged_in_at"]
    time.sleep(1.1)
    answer = browser.log_in("/auth/login?fresh=1")

    assert answer.status_code == 303, answer.text
    assert browser.get("/auth/session").json()["logged_in_at"] > first


def test_a_replayed_answer_logs_nobody_in(running: Site, browser: Browser) -> None:
    back = running.issuer.log_in("r.weber", browser.begin())
    kept = dict(browser.cookies)
    assert browser.come_back(back).status_code == 303

    browser.cookies = kept
    assert browser.come_back(back).status_code == 401
    assert running.recorded()[-1] == ("session:authenticate", "refused")


def test_an_answer_with_another_state_or_for_another_browser_logs_nobody_in(running: Site, browser: Browser) -> None:
    back = running.issuer.log_in("r.weber", browser.begin())
    other = running.browser()
    other.begin()

    assert browser.come_back(back.replace("state=", "state=x")).status_code == 401
    assert other.come_back(back).status_code == 401
    assert browser.come_back(back.replace("code=", "code=x")).status_code == 401
    assert browser.come_back(back).status_code == 303


def test_an_answer_to_another_nonce_logs_nobody_in(running: Site, browser: Browser) -> None:
    url = httpx.URL(browser.begin())
    forged = str(url.copy_merge_params({"nonce": "that of another login, of which the attacker knows the code"}))

    assert browser.come_back(running.issuer.log_in("r.weber", forged)).status_code == 401


def test_a_code_that_was_asked_for_with_another_proof_logs_nobody_in(running: Site, browser: Browser) -> None:
    url = httpx.URL(browser.begin())
    forged = str(url.copy_merge_params({"code_challenge": "a" * 43}))

    assert browser.come_back(running.issuer.log_in("r.weber", forged)).status_code == 401


def test_who_is_idle_is_out_and_so_is_who_was_revoked(running: Site, browser: Browser) -> None:
    browser.log_in()
    session = browser.get("/api/v1/sessions").json()[-1]
    kept = running.world.sessions.kept
    (row,) = (one for one in kept.values() if str(one.session_id) == session["session"])
    kept[row.session_id] = replace(row, used_at=row.used_at - timedelta(minutes=15))
    assert browser.get(SEARCH).status_code == 401

    browser.log_in()
    revocation = running.world.archive.sessions.revocation

    session = browser.get("/api/v1/sessions").json()[-1]
    revocation.revoke_login(subject(Role.ADMIN), session["session"], "left open")
    assert browser.get(SEARCH).status_code == 401


def test_another_site_s_page_cannot_act(running: Site, browser: Browser) -> None:
    browser.log_in()

    assert browser.post("/auth/logout", Origin="https://attacker.example").status_code == 403
    assert browser.get(SEARCH).status_code == 200


def test_an_admin_without_a_second_factor_logs_in_and_may_do_nothing(running: Site) -> None:
    browser = running.browser("k.adler")
    assert browser.log_in().status_code == 303

    assert browser.get("/auth/session").json()["second_factor"] is False
    assert browser.get("/api/v1/devices").status_code == 403


def test_a_machine_brings_a_token_of_the_same_provider(running: Site) -> None:
    token = running.issuer.machine_token()

    assert running.client.get(SEARCH, headers=bearer(token)).status_code == 200
    told = running.client.get("/auth/session", headers=bearer(token)).json()
    assert (told["role"], told["ends_at"]) == ("technologist", None)
    head, _, signature = token.rpartition(".")
    assert running.client.get(SEARCH, headers=bearer(f"{head}.{signature[::-1]}")).status_code == 401


def test_the_provider_itself_ends_a_login(running: Site, browser: Browser) -> None:
    if not isinstance(running.issuer, NpmIssuer):
        pytest.skip("OpenBao has no back-channel logout")
    browser.log_in()
    stolen = dict(browser.cookies)
    url = browser.post("/auth/logout").headers["location"]
    again = running.browser()
    again.log_in()
    assert again.get(SEARCH).status_code == 200

    assert running.issuer.log_out("r.weber", url).status_code in {200, 302, 303}

    until(lambda: again.get(SEARCH).status_code == 401)
    browser.cookies = stolen
    assert browser.get(SEARCH).status_code == 401
