"""Logging in at a provider: what the archive asks, what it believes of the answer, and what it does not."""

import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from pacs_secure.adapters.openid_client import OpenIdClient
from pacs_secure.adapters.openid_discovery import WELL_KNOWN
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Unauthenticated, Unavailable
from pacs_secure.ports import AtProvider, Attempt, LoggedIn
from tests.builders import HERE
from tests.small_issuer import CLIENT, SECRET, SmallIssuer, small_issuer


def told(changed: object) -> str:
    """Name a case by what it changes; times differ from one process to the next."""
    if not isinstance(changed, dict):
        return str(changed)
    return ", ".join(f"{name}={'a number' if isinstance(value, int) else value}" for name, value in changed.items())


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[SmallIssuer]:
    with small_issuer(tmp_path / "issuer", HERE) as running:
        yield running


@pytest.fixture
def client(issuer: SmallIssuer) -> OpenIdClient:
    return issuer.client()


def attempt(*, fresh: bool = False, ago: timedelta = timedelta()) -> Attempt:
    return Attempt(uuid4(), "state-1", "nonce-1", "verifier-1" * 5, "/", fresh, datetime.now(UTC) - ago)


def code_for(issuer: SmallIssuer, client: OpenIdClient, begun: Attempt) -> str:
    back = issuer.log_in(client.authorization_url(begun))
    return parse_qs(urlsplit(back).query)["code"][0]


def log_in(issuer: SmallIssuer, client: OpenIdClient, begun: Attempt | None = None) -> LoggedIn:
    begun = begun or attempt()
    return client.redeem(code_for(issuer, client, begun), begun, "192.0.2.1")


def test_the_provider_is_asked_for_a_code_with_proof_of_who_asked(issuer: SmallIssuer, client: OpenIdClient) -> None:
    begun = attempt()
    url = urlsplit(client.authorization_url(begun))
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}

    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{issuer.server.url}/authorize"
    assert asked == {
        "theme": "dark",
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": "https://pacs.example/auth/callback",
        "scope": "openid",
        "state": begun.state,
        "nonce": begun.nonce,
        "code_challenge": urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    assert begun.verifier not in url.query


def test_a_fresh_login_asks_the_provider_to_forget_what_it_remembers(client: OpenIdClient) -> None:
    asked = parse_qs(urlsplit(client.authorization_url(attempt(fresh=True))).query)

    assert (asked["prompt"], asked["max_age"]) == (["login"], ["1"])


def test_a_code_becomes_a_person(issuer: SmallIssuer, client: OpenIdClient) -> None:
    found = log_in(issuer, client)

    subject = found.identified.subject
    assert (subject.identifier, subject.role, subject.institution) == ("r.weber", Role.RADIOLOGIST, HERE)
    assert (subject.department, subject.address) == ("radiology", "192.0.2.1")
    assert subject.assurance.second_factor
    assert (found.provider.issuer, found.provider.subject) == (issuer.server.url, "r.weber")
    assert found.provider.session
    assert issuer.authorization() == f"{CLIENT}:not%3Aa%25secret"
    assert SECRET not in str(issuer.server.forms)


def test_a_public_client_names_itself_and_has_no_secret(issuer: SmallIssuer) -> None:
    log_in(issuer, issuer.client(secret=None))

    assert issuer.server.forms[-1]["client_id"] == CLIENT
    assert not [sent for sent in issuer.server.headers if "Authorization" in sent]


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 1},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another"]},
        {"aud": None},
        {"azp": "another-client"},
        {"iss": "https://attacker.example"},
        {"at_hash": "AAAA"},
        {"exp": int(time.time()) - 100},
        {"exp": None},
        {"iat": None},
        {"iat": int(time.time()) + 1000},
        {"sub": None},
        {"sub": ""},
        {"role": "emperor"},
        {"role": None},
        {"sid": 7},
        {"events": {}},
        {"auth_time": "now"},
        {"department": 7},
    ],
    ids=told,
)
def test_an_id_token_that_says_anything_wrong_is_refused(
    issuer: SmallIssuer, client: OpenIdClient, lie: dict[str, object]
) -> None:
    issuer.lies = lie

    with pytest.raises(Unauthenticated) as caught:
        log_in(issuer, client)
    assert str(caught.value) == "the credential does not prove who the caller is"


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"alg": "none"}, {"kid": "other"}, {"crit": ["exp"]}], ids=told)
def test_an_id_token_of_another_kind_is_refused(
    issuer: SmallIssuer, client: OpenIdClient, header: dict[str, object]
) -> None:
    issuer.header_lies = header

    with pytest.raises(Unauthenticated):
        log_in(issuer, client)


def test_an_id_token_for_several_names_the_one_that_asked(issuer: SmallIssuer, client: OpenIdClient) -> None:
    issuer.lies = {"aud": [CLIENT, "another"], "azp": CLIENT, "sid": None, "at_hash": None}

    assert log_in(issuer, client).provider.session == ""


def test_a_code_is_worth_one_login(issuer: SmallIssuer, client: OpenIdClient) -> None:
    begun = attempt()
    code = code_for(issuer, client, begun)
    client.redeem(code, begun, "")

    with pytest.raises(Unauthenticated):
        client.redeem(code, begun, "")


def test_a_code_is_worth_nothing_to_who_did_not_ask_for_it(issuer: SmallIssuer, client: OpenIdClient) -> None:
    code = code_for(issuer, client, attempt())
    other = Attempt(uuid4(), "state-1", "nonce-1", "another verifier" * 3, "/", fresh=False, begun_at=datetime.now(UTC))

    with pytest.raises(Unauthenticated):
        client.redeem(code, other, "")


@pytest.mark.parametrize("code", ["", "ä", "a" * 5000])
def test_what_can_be_no_code_is_not_asked_about(issuer: SmallIssuer, client: OpenIdClient, code: str) -> None:
    with pytest.raises(Unauthenticated):
        client.redeem(code, attempt(), "")
    assert issuer.server.forms == []


@pytest.mark.parametrize("lie", [{"auth_time": int(time.time()) - 3600}, {"auth_time": None}], ids=told)
def test_an_old_login_is_no_fresh_one(issuer: SmallIssuer, client: OpenIdClient, lie: dict[str, object]) -> None:
    issuer.lies = lie

    assert log_in(issuer, client, attempt(fresh=False)).provider.subject == "r.weber"
    with pytest.raises(Unauthenticated):
        log_in(issuer, client, attempt(fresh=True))


def test_a_fresh_login_is_believed(issuer: SmallIssuer, client: OpenIdClient) -> None:
    at = log_in(issuer, client, attempt(fresh=True)).identified.subject.assurance.logged_in_at

    assert at is not None
    assert datetime.now(UTC) - at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [(500, Unavailable), (b"no json", Unavailable), ({}, Unauthenticated), ({"id_token": 7}, Unauthenticated)],
    ids=told,
)
def test_what_the_provider_does_not_say_is_not_believed(
    issuer: SmallIssuer, client: OpenIdClient, answer: object, error: type[Exception]
) -> None:
    begun = attempt()
    code = code_for(issuer, client, begun)
    issuer.server.answers["/token"] = answer

    with pytest.raises(error):
        client.redeem(code, begun, "")


def test_a_logout_goes_on_to_the_provider_without_naming_anybody(issuer: SmallIssuer, client: OpenIdClient) -> None:
    url = client.logout_url()

    assert url is not None
    assert url.startswith(f"{issuer.server.url}/logout?")
    assert parse_qs(urlsplit(url).query) == {
        "client_id": [CLIENT],
        "post_logout_redirect_uri": ["https://pacs.example/"],
    }


def test_a_provider_without_a_place_to_log_out_is_none(issuer: SmallIssuer, client: OpenIdClient) -> None:
    issuer.server.answers[WELL_KNOWN] = {"issuer": issuer.server.url}

    assert client.logout_url() is None


def test_a_logout_token_says_whose_login_is_over(issuer: SmallIssuer, client: OpenIdClient) -> None:
    url = issuer.server.url

    assert client.logged_out(issuer.logout_token(sid="s")) == AtProvider(url, "r.weber", "s")
    assert client.logged_out(issuer.logout_token()) == AtProvider(url, "r.weber", "")
    assert client.logged_out(issuer.logout_token(sub=None, sid="s")) == AtProvider(url, "", "s")


@pytest.mark.parametrize(
    "changed",
    [
        {"events": None},
        {"events": {}},
        {"events": []},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": 1}},
        {"nonce": "n"},
        {"jti": None},
        {"aud": "another"},
        {"sub": None},
        {"sub": 7},
        {"exp": None},
        {"exp": int(time.time()) - 100},
    ],
    ids=told,
)
def test_a_logout_token_with_any_flaw_logs_nobody_out(
    issuer: SmallIssuer, client: OpenIdClient, changed: dict[str, object]
) -> None:
    with pytest.raises(Unauthenticated):
        client.logged_out(issuer.logout_token(**changed))


def test_neither_secret_nor_code_can_be_read_from_what_is_logged(issuer: SmallIssuer, client: OpenIdClient) -> None:
    assert SECRET not in repr(client._client)
    assert "nonce-1" not in repr(attempt())
    assert client.origin == "https://pacs.example"
