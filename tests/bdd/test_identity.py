"""Proving who one is, as features/identity.feature tells it."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.tokens import JoseAuthenticator
from pacs_secure.core.access import Role
from pacs_secure.web.app import create_app
from tests.bdd.hospital import PART10, PIXELS, WEB, Hospital, Person
from tests.bdd.pictures import PATIENT_ID, picture
from tests.bdd.story import STUDY
from tests.browser import Browser
from tests.clock import Clock
from tests.small_issuer import SmallIssuer, small_issuer
from tests.web_client import WebClient

scenarios("identity.feature")

ORIGIN = "https://pacs.example"
WHO, WHY = "r.weber", "the phone was stolen on the train"
ADMIN = Person(Role.ADMIN, "", name="a.root")
COLLEAGUE = Person(Role.RADIOLOGIST, name="b.busch")
EVERYTHING = {
    "a frame": (f"{WEB}{picture().path}/frames/1", PIXELS),
    "the study": (f"{WEB}{STUDY}", PART10),
    "its metadata": (f"{WEB}{STUDY}/metadata", {}),
    "a search": (f"{WEB}/studies?PatientID={PATIENT_ID}", {}),
    "one's own sessions": ("/api/v1/sessions", {}),
    "who one is": ("/auth/session", {}),
}
FRAME, OF_PIXELS = EVERYTHING["a frame"]


@dataclass
class Login:
    """Who has logged in, and what they were answered."""

    browser: Browser
    copied: dict[str, str] = field(default_factory=dict)
    answers: list[httpx.Response] = field(default_factory=list)
    program: WebClient | None = None


@pytest.fixture(autouse=True)
def _clock_first(clock: Clock) -> None:
    """The archive is built with a clock that can be put forward."""


@pytest.fixture
def provider(tmp_path: Path, hospital: Hospital) -> Iterator[SmallIssuer]:
    with small_issuer(tmp_path / "provider", hospital.keys.institution) as running:
        yield running


@pytest.fixture
def client(hospital: Hospital, provider: SmallIssuer) -> WebClient:
    of = hospital.keys.institution
    authenticator = JoseAuthenticator([hospital.issuer.trusted([of])])
    archive, ready = hospital.world.archive, hospital.readiness.check
    return WebClient(create_app(archive, authenticator, of, ready, None, provider.client(ORIGIN)))


@pytest.fixture
def login(client: WebClient, provider: SmallIssuer) -> Login:
    return Login(Browser(client, ORIGIN, provider.log_in))


# --- given ------------------------------------------------------------------------------------


@given("an identity provider where people of the hospital log in")
def _provider(provider: SmallIssuer) -> None:
    assert provider.user["sub"] == WHO


@given("a radiologist has logged in with a browser and looks at the CT")
def _looks(login: Login) -> None:
    assert login.browser.log_in().status_code == 303
    for path, headers in EVERYTHING.values():
        assert login.browser.get(path, **headers).status_code == 200


@given("somebody has copied the browser's cookie")
def _copied(login: Login) -> None:
    login.copied = dict(login.browser.cookies)


@given("a program of the radiologist reads the CT with an access token")
def _program(hospital: Hospital, client: WebClient, login: Login) -> None:
    login.program = WebClient(client.app, hospital.client(Person(Role.RADIOLOGIST)).headers)
    assert login.program.get(FRAME, OF_PIXELS).status_code == 200


@given(parsers.re(r"a (?P<role>\w+) has logged in with a browser by (?P<factor>a password only|two factors)"))
def _by(login: Login, provider: SmallIssuer, role: str, factor: str) -> None:
    amr = ["pwd", "otp"] if factor == "two factors" else ["pwd"]
    provider.user |= {"sub": f"the.{role}", "role": role, "amr": amr}
    assert login.browser.log_in().status_code == 303


# --- when -------------------------------------------------------------------------------------


@when("the radiologist logs out")
def _logs_out(login: Login) -> None:
    login.copied = dict(login.browser.cookies)
    assert login.browser.post("/auth/logout").status_code == 303
    login.browser.cookies = dict(login.copied)


@when("the radiologist does nothing for 15 minutes")
def _idle(clock: Clock) -> None:
    clock.forward(minutes=15)


@when("the radiologist works on for 10 hours without logging in again")
def _long_day(clock: Clock, login: Login, hospital: Hospital) -> None:
    _work_on(clock, login, hospital, hours=10)


@when("the radiologist asks for a frame every 10 minutes for 9 hours")
def _work(clock: Clock, login: Login, hospital: Hospital) -> None:
    _work_on(clock, login, hospital, hours=9)


def _work_on(clock: Clock, login: Login, hospital: Hospital, hours: int) -> None:
    for _ in range(hours * 6):
        clock.forward(minutes=10)
        login.answers.append(login.browser.get(FRAME, **OF_PIXELS))
        hospital.world.database.write(lambda _: None)  # the last use is written with the next commit


@when("an administrator revokes the radiologist")
def _revoke(hospital: Hospital) -> None:
    _revoked(hospital, person=WHO)


@when("an administrator revokes this one login")
def _revoke_login(hospital: Hospital, login: Login) -> None:
    (session,) = login.browser.get("/api/v1/sessions").json()
    _revoked(hospital, login=session["session"])


@when("an administrator revokes this one token")
def _revoke_token(hospital: Hospital, login: Login) -> None:
    assert login.program is not None
    claims = login.program.headers["Authorization"].split(".")[1]
    _revoked(hospital, login=json.loads(urlsafe_b64decode(claims + "=="))["jti"])


def _revoked(hospital: Hospital, **whom: str) -> None:
    answer = hospital.call_api(ADMIN, "POST", "/sessions/revoke", {**whom, "reason": WHY})
    assert answer.status_code == 204, answer.text


@when("the operator revokes the radiologist at the command line's door")
def _operator(hospital: Hospital) -> None:
    hospital.world.archive.sessions.revocation.revoke(hospital.subject(Role.OPERATOR), WHO, WHY)


@when("the identity provider says that the login is over")
def _provider_ends(client: WebClient, provider: SmallIssuer) -> None:
    said = f"logout_token={provider.logout_token()}".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/auth/backchannel-logout", said, form).status_code == 200


@when(parsers.re(r"the (?P<role>\w+) tries to (?P<act>.+)"))
def _tries(login: Login, role: str, act: str) -> None:
    login.answers.append(ACTS[act](login.browser))


def _send(browser: Browser, path: str, **body: str) -> httpx.Response:
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items()), "Origin": ORIGIN}
    client = browser.web
    assert isinstance(client, WebClient)
    return client.post(path, json.dumps(body).encode(), headers | {"Content-Type": "application/json"})


ACTS: dict[str, Callable[[Browser], httpx.Response]] = {
    "list the devices": lambda browser: browser.get("/api/v1/devices"),
    "list broken glasses": lambda browser: browser.get("/api/v1/break-glass"),
    "revoke a colleague's logins": lambda browser: _send(
        browser, "/api/v1/sessions/revoke", person="b.busch", reason=WHY
    ),
    "break the glass": lambda browser: _send(
        browser, "/api/v1/break-glass", study_instance_uid=picture().study_instance_uid, reason="unconscious, alone"
    ),
}


# --- then -------------------------------------------------------------------------------------


@then("the radiologist's next request is refused as not authenticated, whatever it is for")
def _refused_all(login: Login) -> None:
    for path, headers in EVERYTHING.values():
        assert login.browser.get(path, **headers).status_code == 401


@then("each of them was given")
def _given(login: Login) -> None:
    assert {answer.status_code for answer in login.answers} == {200}
    assert len(login.answers) == 54


@then("the copied cookie opens nothing either")
def _copy(login: Login) -> None:
    login.browser.cookies = login.copied
    _refused_all(login)


@then("the program's next request is refused as not authenticated, whatever it is for")
def _program_refused(login: Login) -> None:
    assert login.program is not None
    for path, headers in EVERYTHING.values():
        assert login.program.get(path, headers).status_code == 401


@then("a colleague's program reads on")
def _colleague(hospital: Hospital, client: WebClient) -> None:
    program = WebClient(client.app, hospital.client(COLLEAGUE).headers)
    assert program.get(FRAME, OF_PIXELS).status_code == 200


@then("neither the person nor the reason stands in clear in the ledger or in the database")
def _sealed(hospital: Hospital) -> None:
    hospital.world.database.write(lambda _: None)
    index = hospital.world.index_file
    written = b"".join(path.read_bytes() for path in index.parent.glob(f"{index.name}*"))
    assert b"session:revoke" in written
    assert not [word for word in (WHO, WHY, "stolen") if word.encode() in written]


@then("the radiologist can log in again and look at the CT")
def _again(login: Login, clock: Clock, provider: SmallIssuer) -> None:
    provider.lies = {"auth_time": int(clock().timestamp()) + 1}
    assert login.browser.log_in("/auth/login?fresh=1").status_code == 303
    assert login.browser.get(FRAME, **OF_PIXELS).status_code == 200


@then(parsers.parse("the answer is {answer}"))
def _answered(login: Login, answer: str) -> None:
    assert (login.answers[-1].status_code < 400) is (answer == "allowed"), login.answers[-1].text
    if answer == "not allowed":
        assert login.answers[-1].status_code == 403


@then(parsers.parse('the ledger holds a refusal whose reason is "{reason}"'))
def _reason(hospital: Hospital, reason: str) -> None:
    assert (hospital.entries()[-1]["outcome"], hospital.entries()[-1]["rule"]) == ("refused", reason)
