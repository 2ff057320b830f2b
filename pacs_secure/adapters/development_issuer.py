"""Issues tokens to one's own machine: an ES256 key in a file, for development and the quickstart only.

It exists so that nobody needs a default password. It says at every start that it is no identity
provider, and it refuses to work where the archive can be reached from another machine.
"""

import hashlib
import json
import logging
import os
import secrets
import stat
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pacs_secure.adapters.bound_tokens import thumbprint
from pacs_secure.adapters.claims import ClaimsMap
from pacs_secure.adapters.tokens import TrustedIssuer
from pacs_secure.core.access import Purpose, Role
from pacs_secure.core.errors import Denied, Malformed
from pacs_secure.core.identifiers import Institution

ISSUER = "urn:pacs-secure:development-issuer"
AUDIENCE = "pacs-secure"
ALGORITHM = "ES256"
METHOD = "development"
"""How its users log in (`amr`, RFC 8176). It counts as a second factor, so that every role can be tried."""
_COORDINATE = 32
"""Bytes of a P-256 coordinate, and of each half of an ES256 signature (RFC 7518 3.4)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connection:
    """Between which device and which archive a token for the DICOM door is good."""

    ae_title: str
    """The archive's."""
    certificate_sha256: bytes
    """Of the device."""


class DevelopmentIssuer:
    """Makes tokens that `JoseAuthenticator` believes once it was told to trust this issuer."""

    def __init__(self, key_file: Path, *, loopback: bool, now: Callable[[], float] = time.time) -> None:
        if not loopback:
            raise Denied("the development issuer works on loopback only; configure an OpenID provider")
        _log.warning("DEVELOPMENT ISSUER IN USE: whoever reads its key file can be anyone; never for real patients")
        self._key = _key(key_file)
        self._public = _public(self._key)
        self._now = now

    def issue(
        self,
        role: Role,
        user: str,
        department: str,
        purpose: Purpose | None,
        institution: Institution,
        lifetime: timedelta,
        behind: Connection | None = None,
    ) -> str:
        """Return a signed access token for one user (RFC 9068); one identifier a token.

        With ``behind`` it is for the DICOM door, and good over that one connection only.
        """
        issued = int(self._now())
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "amr": [METHOD],
            "auth_time": issued,
            "iat": issued,
            "exp": issued + int(lifetime.total_seconds()),
            "jti": secrets.token_urlsafe(16),
            "role": role.value,
            "department": department,
            "institution": institution,
        }
        if purpose is not None:
            claims["purpose"] = purpose.value
        if behind is not None:
            claims |= {"aud": behind.ae_title, "cnf": {"x5t#S256": thumbprint(behind.certificate_sha256)}}
        header = {"alg": ALGORITHM, "kid": self._public["kid"], "typ": "at+jwt"}
        signed = f"{_segment(_json(header))}.{_segment(_json(claims))}"
        halves = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_segment(b''.join(half.to_bytes(_COORDINATE, 'big') for half in halves))}"

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public key set (RFC 7517 5)."""
        return {"keys": [dict(self._public)]}

    def trusted(self, institutions: Iterable[Institution]) -> TrustedIssuer:
        """Return what an authenticator needs in order to believe this issuer for these institutions."""
        meaning = ClaimsMap(amr=frozenset({METHOD}))
        return TrustedIssuer(ISSUER, AUDIENCE, ALGORITHM, (self._public,), frozenset(institutions), meaning)


def _key(key_file: Path) -> ec.EllipticCurvePrivateKey:
    if not key_file.exists():
        _make(key_file)
    if stat.S_IMODE(key_file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise Denied("the development issuer's key file must be readable by its owner only")
    try:
        private = load_pem_private_key(key_file.read_bytes(), password=None)
    except ValueError:
        raise Malformed("the development issuer's key file holds no key") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise Malformed("the development issuer's key must be on P-256")
    return private


def _make(key_file: Path) -> None:
    """Write a new key under a name of its own, then link it: of two that start at once one key wins."""
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = key_file.with_name(f"{key_file.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            key_file.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _public(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Return the public JWK, named by its RFC 7638 thumbprint."""
    numbers = key.public_key().public_numbers()
    x, y = (_segment(number.to_bytes(_COORDINATE, "big")) for number in (numbers.x, numbers.y))
    members = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    return {**members, "alg": ALGORITHM, "use": "sig", "kid": _segment(hashlib.sha256(_json(members)).digest())}


def _json(members: Mapping[str, object]) -> bytes:
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


def _segment(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
