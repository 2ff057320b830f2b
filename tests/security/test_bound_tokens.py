"""Every way a person behind a device could be made up, tried against what proves them (PS3.7 D.3.3.7, RFC 8705)."""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pacs_secure.adapters.bound_tokens import BoundTokens, thumbprint
from pacs_secure.adapters.tokens import TrustedIssuer
from pacs_secure.core.access import Door, Purpose, Role
from pacs_secure.core.errors import Unauthenticated, Unavailable
from pacs_secure.core.identifiers import institution
from tests.builders import digest
from tests.fakes import MemoryUsedTokens
from tests.security.test_token_forgeries import ISSUER, ec_jwk, es256
from tests.security.test_token_forgeries import token as signed_token

NOW = int(time.time())
"""The library has no other clock than the machine's."""
AE_TITLE = "PACS_SECURE"
CERTIFICATE = digest("certificate")
KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AE_TITLE,
    "sub": "dr.weber",
    "iat": NOW,
    "exp": NOW + 600,
    "jti": "token-1",
    "role": "radiologist",
    "department": "surgery",
    "institution": "north",
    "purpose": "TREAT",
    "cnf": {"x5t#S256": thumbprint(CERTIFICATE)},
}


@pytest.fixture
def used() -> MemoryUsedTokens:
    return MemoryUsedTokens()


@pytest.fixture
def door(used: MemoryUsedTokens) -> BoundTokens:
    trusted = TrustedIssuer(ISSUER, "pacs-secure", "ES256", (ec_jwk(KEY, "ec-1"),), frozenset({institution("north")}))
    return BoundTokens([trusted], AE_TITLE, used, lambda: float(NOW + 5))


def token(key: ec.EllipticCurvePrivateKey = KEY, **changed: Any) -> bytes:
    claims = {name: value for name, value in (CLAIMS | changed).items() if value is not None}
    return signed_token(claims=claims, sign=lambda signed: es256(signed, key)).encode()


def test_a_person_is_known_for_the_life_of_the_token(door: BoundTokens) -> None:
    behind = door.authenticate(token(), "192.0.2.1", CERTIFICATE)

    who = behind.subject
    assert (who.identifier, who.role, who.institution, who.department) == (
        "dr.weber", Role.RADIOLOGIST, "north", "surgery",
    )  # fmt: skip
    assert (who.door, who.address, who.assurance.login) == (Door.DIMSE, "192.0.2.1", "token-1")
    assert (behind.purpose, behind.ends_at) == (Purpose.TREATMENT, datetime.fromtimestamp(NOW + 600, UTC))


def test_a_token_may_name_other_audiences_too(door: BoundTokens) -> None:
    behind = door.authenticate(token(aud=["OTHER", AE_TITLE]), "", CERTIFICATE)

    assert behind.subject.identifier == "dr.weber"


def test_a_token_counts_once_and_a_flawed_attempt_does_not_use_it_up(door: BoundTokens) -> None:
    one = token()
    with pytest.raises(Unauthenticated):
        door.authenticate(one, "", digest("another certificate"))

    assert door.authenticate(one, "", CERTIFICATE).subject.identifier == "dr.weber"
    with pytest.raises(Unauthenticated):
        door.authenticate(one, "", CERTIFICATE)
    with pytest.raises(Unauthenticated):
        door.authenticate(token(sub="somebody.else"), "", CERTIFICATE)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "pacs-secure"},
        {"aud": "pacs_secure"},
        {"aud": ["OTHER"]},
        {"aud": None},
        {"iss": "https://somebody.example"},
        {"exp": NOW + 601},
        {"iat": NOW - 3000},
        {"exp": NOW + 5},
        {"exp": NOW - 1, "iat": NOW - 30},
        {"iat": NOW + 300, "exp": NOW + 600},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"cnf": None},
        {"cnf": {}},
        {"cnf": thumbprint(CERTIFICATE)},
        {"cnf": {"x5t#S256": thumbprint(digest("another"))}},
        {"cnf": {"x5t#S256": thumbprint(CERTIFICATE) + "="}},
        {"cnf": {"x5t#S256": "\u00e9"}},
        {"cnf": {"x5t": thumbprint(CERTIFICATE)}},
        {"institution": "south"},
        {"role": "stranger"},
        {"sub": "device:CT1"},
        {"sub": None},
        {"nonce": "an ID token"},
    ],
    ids="-".join,  # not the times, which differ from process to process
)
def test_any_flaw_proves_nobody(door: BoundTokens, changed: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated) as caught:
        door.authenticate(token(**changed), "", CERTIFICATE)
    assert str(caught.value) == "the credential does not prove who the caller is"


@pytest.mark.parametrize(
    "encoded",
    [b"", b"\xff\xfe", b"a.b.c", "a.b.ü".encode(), token(OTHER_KEY), token()[:-2]],
    ids=["nothing", "no ASCII", "no JSON", "no base64", "another key", "cut off"],
)
def test_what_is_no_token_of_a_trusted_issuer_proves_nobody(door: BoundTokens, encoded: bytes) -> None:
    with pytest.raises(Unauthenticated):
        door.authenticate(encoded, "", CERTIFICATE)


def test_claims_changed_after_signing_prove_nobody(door: BoundTokens) -> None:
    head, _, signature = token().split(b".")
    claims = base64.urlsafe_b64encode(json.dumps(CLAIMS | {"role": "admin"}).encode()).rstrip(b"=")

    with pytest.raises(Unauthenticated):
        door.authenticate(b".".join((head, claims, signature)), "", CERTIFICATE)


def test_without_a_memory_of_used_tokens_nobody_is_believed(door: BoundTokens, used: MemoryUsedTokens) -> None:
    used.down = True

    with pytest.raises(Unavailable):
        door.authenticate(token(), "", CERTIFICATE)
