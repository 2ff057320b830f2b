"""Every way a bearer token has been forged elsewhere, tried against the authenticator (RFC 8725)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_secure.adapters.https_json import HttpsJson
from pacs_secure.adapters.openid_discovery import fetch
from pacs_secure.adapters.tokens import JoseAuthenticator, TrustedIssuer, fetched_keys
from pacs_secure.core.access import Purpose, Role
from pacs_secure.core.errors import Unauthenticated
from pacs_secure.core.identifiers import Institution
from tests.json_server import json_server

NOW = 1_800_000_000
ISSUER, AUDIENCE = "https://issuer.example", "pacs-secure"
HEADER = {"alg": "ES256", "kid": "ec-1", "typ": "at+jwt"}
CLAIMS: dict[str, object] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "r.weber",
    "iat": NOW - 10,
    "exp": NOW + 600,
    "jti": "token-1",
    "role": "radiologist",
    "department": "radiology",
    "institution": "north",
    "purpose": "TREAT",
}
RSA_CLAIMS = {**CLAIMS, "iss": "https://rsa.example"}

EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


def segment(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def number(value: int) -> str:
    return segment(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def ec_jwk(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": number(numbers.x), "y": number(numbers.y)}


def rsa_jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "n": number(numbers.n), "e": number(numbers.e)}


def es256(signed: bytes, key: ec.EllipticCurvePrivateKey = EC_KEY) -> bytes:
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def rs256(signed: bytes) -> bytes:
    return RSA_KEY.sign(signed, padding.PKCS1v15(), SHA256())


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.digest(secret, signed, hashlib.sha256)


def public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, encoding: Encoding) -> bytes:
    return key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def token(
    header: object = None,
    claims: object = None,
    sign: Callable[[bytes], bytes] = es256,
    raw_claims: bytes | None = None,
) -> str:
    payload = json.dumps(CLAIMS if claims is None else claims).encode() if raw_claims is None else raw_claims
    signed = f"{segment(json.dumps(HEADER if header is None else header).encode())}.{segment(payload)}"
    return f"{signed}.{segment(sign(signed.encode()))}"


def without(name: str) -> str:
    return token(claims={key: value for key, value in CLAIMS.items() if key != name})


def claiming(**changed: object) -> str:
    return token(claims={**CLAIMS, **changed})


def heading(**changed: object) -> str:
    return token({**HEADER, **changed})


def tampered() -> str:
    head, _, signature = token().split(".")
    return f"{head}.{segment(json.dumps({**CLAIMS, 'role': 'officer'}).encode())}.{signature}"


def cut_signature() -> str:
    return token()[:-8]


def der_signature() -> str:
    return token(sign=lambda signed: EC_KEY.sign(signed, ec.ECDSA(SHA256())))


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the library the same clock; it has no other way to be told the time."""

    class Now:
        @staticmethod
        def now(_zone: object) -> object:
            from datetime import UTC, datetime

            return datetime.fromtimestamp(NOW, UTC)

    monkeypatch.setattr("jose.jwt.datetime", Now)


@pytest.fixture(scope="module", params=["configured", "fetched"])
def authenticator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Lend what verifies, once with keys from the configuration and once with keys fetched over https."""
    home = frozenset({Institution("north")})
    with json_server(tmp_path_factory.mktemp("keys")) as server:
        https = HttpsJson(server.authority)

        def keys(algorithm: str, path: str, *public: dict[str, str]) -> Any:
            if request.param == "configured":
                return public
            server.answers[path] = {"keys": list(public)}
            return fetched_keys(lambda: fetch(https, server.url + path), algorithm)

        ours = keys("ES256", "/ec", ec_jwk(EC_KEY, "ec-1"))
        theirs = keys("RS256", "/rsa", rsa_jwk(RSA_KEY, "rsa-1"))
        yield JoseAuthenticator(
            [
                TrustedIssuer(ISSUER, AUDIENCE, "ES256", ours, home),
                TrustedIssuer("https://rsa.example", AUDIENCE, "RS256", theirs, home),
            ],
            now=lambda: float(NOW),
        )


@dataclass(frozen=True)
class Forgery:
    says: str
    token: str


RS_HEADER = {"alg": "HS256", "kid": "rsa-1", "typ": "JWT"}
HS_HEADER = {"alg": "HS256", "kid": "ec-1", "typ": "JWT"}

FORGERIES = [
    Forgery("nothing at all", ""),
    Forgery("no token", "radiologist"),
    Forgery("two segments", "YQ.YQ"),
    Forgery("five segments, a JWE", "YQ.YQ.YQ.YQ.YQ"),
    Forgery("a JWE header on three segments", token({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": "ec-1"})),
    Forgery("a line feed behind it", token() + "\n"),
    Forgery("padding in it", token() + "="),
    Forgery("beyond ASCII", token() + "é"),
    Forgery("HS256 with the EC public key as PEM", token(HS_HEADER, sign=hs256(public(EC_KEY, Encoding.PEM)))),
    Forgery("HS256 with the EC public key as DER", token(HS_HEADER, sign=hs256(public(EC_KEY, Encoding.DER)))),
    Forgery(
        "HS256 with the RSA public key as PEM",
        token(RS_HEADER, RSA_CLAIMS, sign=hs256(public(RSA_KEY, Encoding.PEM))),
    ),
    Forgery(
        "HS256 with the RSA public key as DER",
        token(RS_HEADER, RSA_CLAIMS, sign=hs256(public(RSA_KEY, Encoding.DER))),
    ),
    Forgery("HS256 with an empty secret", token(HS_HEADER, sign=hs256(b""))),
    Forgery("alg none", token({**HEADER, "alg": "none"}, sign=lambda _: b"")),
    Forgery("alg none with a signature", heading(alg="none")),
    Forgery("alg None in capitals", heading(alg="NONE")),
    Forgery("alg missing", token({"kid": "ec-1"})),
    Forgery("alg a list", heading(alg=["ES256"])),
    Forgery("alg of the other issuer", heading(alg="RS256")),
    Forgery("key of the other issuer", token({"alg": "RS256", "kid": "rsa-1"}, CLAIMS, sign=rs256)),
    Forgery("alg of a larger hash", heading(alg="ES384")),
    Forgery("unknown crit", heading(crit=["exp"])),
    Forgery("empty crit", heading(crit=[])),
    Forgery("jku", heading(jku="https://attacker.example/keys")),
    Forgery("jwk", heading(jwk=ec_jwk(OTHER_KEY, "ec-1"))),
    Forgery("x5u", heading(x5u="https://attacker.example/cert")),
    Forgery("x5c", heading(x5c=["MIIB"])),
    Forgery("zip", heading(zip="DEF")),
    Forgery("b64 false", heading(b64=False)),
    Forgery("another type", heading(typ="secevent+jwt")),
    Forgery("kid missing", token({"alg": "ES256"})),
    Forgery("kid unknown", heading(kid="ec-2")),
    Forgery("kid a path", heading(kid="../../dev/null")),
    Forgery("kid a number", heading(kid=1)),
    Forgery("header a list", token([])),
    Forgery(
        "header twice the same member", ".".join((segment(b'{"alg":"ES256","kid":"x","kid":"ec-1"}'), "e30", "YQ"))
    ),
    Forgery("another key", token(sign=lambda signed: es256(signed, OTHER_KEY))),
    Forgery("tampered payload", tampered()),
    Forgery("cut signature", cut_signature()),
    Forgery("signature of zeros", token(sign=lambda _: bytes(64))),
    Forgery("DER instead of raw signature", der_signature()),
    Forgery("missing iss", without("iss")),
    Forgery("missing aud", without("aud")),
    Forgery("missing exp", without("exp")),
    Forgery("missing iat", without("iat")),
    Forgery("missing sub", without("sub")),
    Forgery("missing jti", without("jti")),
    Forgery("jti empty", claiming(jti="")),
    Forgery("jti a number", claiming(jti=7)),
    Forgery("missing role", without("role")),
    Forgery("an ID token, by its nonce", claiming(nonce="n")),
    Forgery("an ID token, by its at_hash", claiming(at_hash="aGFzaA")),
    Forgery("a logout token", claiming(events={"http://schemas.openid.net/event/backchannel-logout": {}})),
    Forgery("an issuer that nobody trusts", claiming(iss="https://attacker.example")),
    Forgery("iss a list", claiming(iss=[ISSUER])),
    Forgery("living longer than a day", claiming(exp=NOW - 10 + 24 * 3600 + 1)),
    Forgery("logged in in the future", claiming(auth_time=NOW + 61)),
    Forgery("auth_time text", claiming(auth_time="now")),
    Forgery("amr a number", claiming(amr=1)),
    Forgery("amr a list of numbers", claiming(amr=[1])),
    Forgery("the name of a device", claiming(sub="device:CT1")),
    Forgery("the name of a user of the machine", claiming(sub="os:root")),
    Forgery("no role in a list", claiming(role=[])),
    Forgery("one role and a number", claiming(role=["radiologist", 1])),
    Forgery("more groups than anybody has", claiming(role=["radiologist"] * 300)),
    Forgery("missing institution", without("institution")),
    Forgery("wrong iss", claiming(iss="https://other.example")),
    Forgery("iss of another trusted issuer", claiming(iss="https://rsa.example")),
    Forgery("wrong aud", claiming(aud="another-service")),
    Forgery("wrong aud in a list", claiming(aud=["another-service"])),
    Forgery("aud a number", claiming(aud=1)),
    Forgery("expired", claiming(exp=NOW - 61)),
    Forgery("exp null", claiming(exp=None)),
    Forgery("exp text", claiming(exp=str(NOW + 600))),
    Forgery("exp true", claiming(exp=True)),
    Forgery("exp infinite", token(raw_claims=json.dumps({**CLAIMS, "exp": float("inf")}).encode())),
    Forgery("exp no number", token(raw_claims=json.dumps({**CLAIMS, "exp": float("nan")}).encode())),
    Forgery("issued in the future", claiming(iat=NOW + 61)),
    Forgery("iat text", claiming(iat="now")),
    Forgery("not yet valid", claiming(nbf=NOW + 61)),
    Forgery("sub a number", claiming(sub=7)),
    Forgery("sub empty", claiming(sub="")),
    Forgery("sub with a line feed", claiming(sub="a\nb")),
    Forgery("sub endless", claiming(sub="a" * 300)),
    Forgery("unknown role", claiming(role="emperor")),
    Forgery("the stranger's role", claiming(role="stranger")),
    Forgery("role a list", claiming(role=["radiologist", "officer"])),
    Forgery("department a number", claiming(department=1)),
    Forgery("an institution the issuer may not speak for", claiming(institution="south")),
    Forgery("no institution's name", claiming(institution="../north")),
    Forgery("unknown purpose", claiming(purpose="CURIOSITY")),
    Forgery("claims a list", token(claims=[])),
    Forgery("claims no JSON", token(raw_claims=b"{")),
    Forgery("claims not UTF-8", token(raw_claims=b'{"iss":"\xff"}')),
    Forgery("claims nested without end", token(raw_claims=b"[" * 5_000)),
    Forgery("a claim twice", token(raw_claims=json.dumps(CLAIMS).encode()[:-1] + b',"role":"officer"}')),
    Forgery("over 8 KiB", claiming(filler="a" * 8_192)),
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.says)
def test_a_forged_token_is_refused_without_saying_why(authenticator: JoseAuthenticator, forgery: Forgery) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        authenticator.authenticate(forgery.token, "127.0.0.1")

    assert str(refusal.value) == "the credential does not prove who the caller is"
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


def test_a_sound_token_says_who_it_is(authenticator: JoseAuthenticator) -> None:
    identified = authenticator.authenticate(token(), "192.0.2.7")

    subject = identified.subject
    assert (subject.identifier, subject.role, subject.institution) == ("r.weber", Role.RADIOLOGIST, "north")
    assert (subject.department, subject.address, identified.purpose) == ("radiology", "192.0.2.7", Purpose.TREATMENT)


@pytest.mark.parametrize(
    "sound",
    [
        token({"alg": "RS256", "kid": "rsa-1"}, RSA_CLAIMS, sign=rs256),
        claiming(aud=["another-service", AUDIENCE]),
        claiming(exp=NOW - 59),
        claiming(iat=NOW + 59, nbf=NOW + 59),
        claiming(exp=NOW + 0.5),
        claiming(auth_time=NOW - 3600, acr="urn:mfa", amr=["pwd", "otp"]),
        claiming(role=["radiologist", "offline_access"]),
        without("purpose"),
        without("department"),
        heading(typ="JWT"),
        heading(x5t="dGh1bWI"),
    ],
)
def test_what_the_standards_leave_open_is_accepted(authenticator: JoseAuthenticator, sound: str) -> None:
    assert authenticator.authenticate(sound, "127.0.0.1").subject.identifier == "r.weber"
