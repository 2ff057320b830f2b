"""What a token adapter must refuse to be configured with, and what the development issuer promises."""

import json
import logging
import stat
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwt

from pacs_secure.adapters.development_issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from pacs_secure.adapters.tokens import JoseAuthenticator, Keys, TrustedIssuer, fetched_keys
from pacs_secure.core.access import Purpose, Role
from pacs_secure.core.errors import Denied, Malformed, Unauthenticated, Unavailable
from pacs_secure.core.identifiers import Institution

NORTH = Institution("north")
HOUR = timedelta(hours=1)


@pytest.fixture
def issuer(tmp_path: Path) -> DevelopmentIssuer:
    return DevelopmentIssuer(tmp_path / "issuer.pem", loopback=True)


def trusting(issuer: DevelopmentIssuer, algorithm: str, **changed: str) -> TrustedIssuer:
    public: Mapping[str, str] = {**issuer.jwks()["keys"][0], **changed}
    return TrustedIssuer("i", "a", algorithm, (public,), frozenset({NORTH}))


def test_a_development_token_is_believed_by_the_authenticator(issuer: DevelopmentIssuer) -> None:
    token = issuer.issue(Role.CLINICIAN, "c.braun", "cardiology", Purpose.TREATMENT, NORTH, HOUR)

    identified = JoseAuthenticator([issuer.trusted([NORTH])]).authenticate(token, "127.0.0.1")

    assert (identified.subject.role, identified.subject.department) == (Role.CLINICIAN, "cardiology")
    assert identified.purpose is Purpose.TREATMENT


def test_a_development_token_without_purpose_claims_none(issuer: DevelopmentIssuer) -> None:
    token = issuer.issue(Role.DPO, "d", "", None, NORTH, HOUR)

    assert JoseAuthenticator([issuer.trusted([NORTH])]).authenticate(token, "").purpose is None


def test_a_token_that_has_lived_its_life_is_refused(tmp_path: Path) -> None:
    issuer = DevelopmentIssuer(tmp_path / "k", loopback=True, now=lambda: 1_000_000.0)
    token = issuer.issue(Role.DPO, "d", "", None, NORTH, HOUR)

    with pytest.raises(Unauthenticated):
        JoseAuthenticator([issuer.trusted([NORTH])]).authenticate(token, "")


def test_the_development_issuer_refuses_to_work_beyond_loopback(tmp_path: Path) -> None:
    with pytest.raises(Denied):
        DevelopmentIssuer(tmp_path / "k", loopback=False)

    assert not (tmp_path / "k").exists()


def test_the_development_issuer_says_loudly_what_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        DevelopmentIssuer(tmp_path / "k", loopback=True)

    assert "DEVELOPMENT ISSUER" in caplog.text


def test_the_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "issuer.pem"

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: DevelopmentIssuer(path, loopback=True).jwks(), range(8)))

    assert all(keys == made[0] for keys in made)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["issuer.pem"]


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "issuer.pem"
    DevelopmentIssuer(path, loopback=True)
    path.chmod(0o640)

    with pytest.raises(Denied):
        DevelopmentIssuer(path, loopback=True)


def test_a_key_file_without_a_p256_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "issuer.pem"
    curve = ec.generate_private_key(ec.SECP384R1())
    for content in (b"no key", curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(Malformed):
            DevelopmentIssuer(path, loopback=True)


def test_the_key_set_holds_nothing_private(issuer: DevelopmentIssuer) -> None:
    assert '"d"' not in json.dumps(issuer.jwks())


@pytest.mark.parametrize("algorithm", ["HS256", "none", "EdDSA", "PS256", "ES384", ""])
def test_an_issuer_is_trusted_with_es256_or_rs256_only(issuer: DevelopmentIssuer, algorithm: str) -> None:
    with pytest.raises(Malformed):
        JoseAuthenticator([trusting(issuer, algorithm)])


@pytest.mark.parametrize(
    "changed",
    [
        {"kid": ""},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"crv": "P-384"},
        {"d": "AQAB"},
        {"alg": "ES384"},
        {"use": "enc"},
        {"x": "AQAB"},
    ],
)
def test_a_key_that_is_no_public_key_of_that_algorithm_is_refused(
    issuer: DevelopmentIssuer, changed: dict[str, str]
) -> None:
    with pytest.raises(Malformed):
        JoseAuthenticator([trusting(issuer, "ES256", **changed)])


def test_two_keys_of_one_name_are_refused(issuer: DevelopmentIssuer) -> None:
    with pytest.raises(Malformed):
        JoseAuthenticator([trusting(issuer, "ES256"), trusting(issuer, "ES256")])


def test_a_short_rsa_key_is_refused() -> None:
    modulus = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n
    n = urlsafe_b64encode(modulus.to_bytes(128, "big")).rstrip(b"=").decode()
    issuer = TrustedIssuer("i", "a", "RS256", ({"kty": "RSA", "kid": "k", "n": n, "e": "AQAB"},), frozenset())

    with pytest.raises(Malformed):
        JoseAuthenticator([issuer])


def test_a_development_token_says_how_and_when_its_holder_logged_in(tmp_path: Path) -> None:
    issuer = DevelopmentIssuer(tmp_path / "k", loopback=True)
    token = issuer.issue(Role.DPO, "d", "", None, NORTH, HOUR)

    assurance = JoseAuthenticator([issuer.trusted([NORTH])]).authenticate(token, "").subject.assurance

    assert assurance.second_factor
    assert assurance.logged_in_at is not None
    assert abs((datetime.now(UTC) - assurance.logged_in_at).total_seconds()) < 60
    assert assurance.login


def keys_of(*listed: object) -> Keys:
    return fetched_keys(lambda: {"keys": list(listed)}, "ES256")


def test_a_fetched_set_may_hold_keys_for_other_uses(issuer: DevelopmentIssuer) -> None:
    ours = issuer.jwks()["keys"][0]
    others = [{**ours, "kid": "e", "use": "enc"}, {"kty": "RSA", "kid": "r"}, {"kty": "OKP", "kid": "o"}, {"kty": "EC"}]
    keys = keys_of(*others, ours)

    assert keys.find(ours["kid"]) is not None
    assert [keys.find(name) for name in "ero"] == [None, None, None]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"kty": "oct", "kid": "s", "k": "c2VjcmV0"},
        {"d": "AQAB"},
        {"kty": "RSA", "kid": "r", "p": "AQAB"},
        "no key",
        None,
    ],
)
def test_a_fetched_set_that_shows_a_secret_is_believed_in_nothing(issuer: DevelopmentIssuer, spoilt: object) -> None:
    ours = issuer.jwks()["keys"][0]

    with pytest.raises(Unavailable):
        keys_of(ours, spoilt).find(ours["kid"])


def test_a_fetched_set_with_two_keys_of_one_name_is_believed_in_nothing(issuer: DevelopmentIssuer) -> None:
    ours = issuer.jwks()["keys"][0]

    with pytest.raises(Unavailable):
        keys_of(ours, ours).find(ours["kid"])


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": [{"kid": str(n)} for n in range(65)]}])
def test_what_is_no_key_set_is_believed_in_nothing(document: dict[str, object]) -> None:
    with pytest.raises(Unavailable):
        fetched_keys(lambda: document, "ES256").find("k")


def test_keys_are_fetched_for_a_known_algorithm_only() -> None:
    with pytest.raises(Malformed):
        fetched_keys(dict, "HS256")


def test_while_the_keys_are_out_of_reach_nobody_is_refused_for_it(issuer: DevelopmentIssuer) -> None:
    def fetch() -> dict[str, object]:
        raise Unavailable("away")

    trusted = replace(issuer.trusted([NORTH]), keys=fetched_keys(fetch, "ES256"))
    token = issuer.issue(Role.DPO, "d", "", None, NORTH, HOUR)

    with pytest.raises(Unavailable):
        JoseAuthenticator([trusted]).authenticate(token, "")


def test_a_token_without_a_name_is_named_by_what_was_signed(issuer: DevelopmentIssuer) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "d", "role": "dpo", "institution": "north"}
    now = int(time.time())
    tokens = [signed(issuer, {**claims, "iat": now, "exp": now + 60}) for _ in range(2)]
    authenticator = JoseAuthenticator([replace(issuer.trusted([NORTH]), token_ids=False)])

    logins = {authenticator.authenticate(token, "").subject.assurance.login for token in tokens}

    assert tokens[0] != tokens[1]  # ECDSA signs with a random number
    assert len(logins) == 1


encode: Callable[..., str] = jwt.encode


def signed(issuer: DevelopmentIssuer, claims: Mapping[str, object]) -> str:
    made: str = encode(
        dict(claims),
        issuer._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "ES256",
        {"kid": issuer.jwks()["keys"][0]["kid"]},
    )
    return made
