"""What a token adapter must refuse to be configured with, and what the development issuer promises."""

import json
import logging
import stat
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pacs_secure.adapters.development_issuer import DevelopmentIssuer
from pacs_secure.adapters.tokens import JoseAuthenticator, TrustedIssuer
from pacs_secure.core.access import Purpose, Role
from pacs_secure.core.errors import Denied, Malformed, Unauthenticated
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
