"""Proves who a bearer is: signed access tokens (RFC 7519, RFC 9068), checked around python-jose and never left to it.

The library accepts what a resource server must not (viewer-identity-ecosystem 2.5), so the shape
and the header are read here first, keys are objects made once from a JWK, each issuer has exactly
one asymmetric algorithm, and every claim is required and typed here again.
"""

import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from jose import jwk, jwt
from jose.backends.base import Key
from jose.exceptions import JOSEError

from pacs_secure.core.access import Assurance, Door, Purpose, Role, Subject
from pacs_secure.core.errors import ArchiveError, Malformed, Unauthenticated
from pacs_secure.core.identifiers import Institution, institution
from pacs_secure.ports import Identified

LONGEST_TOKEN = 8 * 1024
LEEWAY = 60
"""Seconds that clocks may differ."""
LONGEST_NAME = 256
"""Characters of a subject or department."""

_KEY_TYPES = {"ES256": {"kty": "EC", "crv": "P-256"}, "RS256": {"kty": "RSA"}}
"""What a JWK must say of itself for each algorithm an issuer may be trusted with (RFC 7518 3.1)."""
_LEAST_RSA_BITS = 2048

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
"""Three segments: a JWE has five, an unsigned token an empty third (RFC 7515 7.1, RFC 7516 7.1)."""

_HEADER = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
"""All that a header may say: `crit`, `jku`, `jwk`, `x5u`, `x5c`, `zip`, `b64` and the unknown are refused."""
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})

_OPTIONS = {
    **{f"require_{claim}": True for claim in ("aud", "exp", "iat", "iss", "sub")},
    "leeway": LEEWAY,
}

Claims = Mapping[str, object]

# The library carries no types; these are the two things of it that are used.
_decode: Callable[..., Claims] = jwt.decode
_construct: Callable[[dict[str, str], str], Key] = jwk.construct


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose tokens are believed, with what it may say."""

    issuer: str
    audience: str
    algorithm: str
    """ES256 or RS256, never taken from a token."""
    keys: tuple[Mapping[str, str], ...]
    """Public JWKs, each with its `kid` (RFC 7517)."""
    institutions: frozenset[Institution]
    """Whose people it may vouch for: institutions are strictly apart."""


@dataclass(frozen=True, slots=True)
class _TrustedKey:
    """One key object, made once, and the issuer it speaks for."""

    trusted: TrustedIssuer
    key: Key


class JoseAuthenticator:
    """Turns a bearer token into a subject, or into one `Unauthenticated` that does not say why."""

    def __init__(self, trusted: Iterable[TrustedIssuer], now: Callable[[], float] = time.time) -> None:
        self._keys = _keys(trusted)
        self._now = now

    def authenticate(self, token: str, address: str) -> Identified:
        """Verify the token wholly: shape, header, signature, issuer, audience, times, claims.

        Raises:
            Unauthenticated: it has any flaw.
        """
        try:
            return self._authenticate(token, address)
        except (JOSEError, ArchiveError, ValueError, TypeError, OverflowError, RecursionError):
            # Neither the caller nor a traceback learns which check it was: that would help a forger only.
            raise Unauthenticated("the credential does not prove who the caller is") from None

    def _authenticate(self, token: str, address: str) -> Identified:
        header = _header(token)
        known = self._keys.get(_text(header, "kid"))
        if known is None or header.get("alg") != known.trusted.algorithm:
            raise Unauthenticated("no such key for this algorithm")
        trusted = known.trusted
        claims = _decode(
            token,
            known.key,
            algorithms=[trusted.algorithm],
            audience=trusted.audience,
            issuer=trusted.issuer,
            options=_OPTIONS,
        )
        self._check_times(claims)
        return _identified(claims, trusted, address)

    def _check_times(self, claims: Claims) -> None:
        """Hold the times against our own clock; the library takes strings and any issue time."""
        now = self._now()
        issued, expires, earliest = (_number(claims, name) for name in ("iat", "exp", "nbf"))
        if issued is None or expires is None:
            raise Unauthenticated("a time is missing")
        if max(issued, earliest or 0) > now + LEEWAY or expires < now - LEEWAY:
            raise Unauthenticated("not now")


def _keys(trusted: Iterable[TrustedIssuer]) -> dict[str, _TrustedKey]:
    keys: dict[str, _TrustedKey] = {}
    for issuer in trusted:
        for public in issuer.keys:
            kid = public.get("kid", "")
            if not kid or kid in keys:
                raise Malformed("every key of a trusted issuer needs a kid of its own")
            keys[kid] = _TrustedKey(issuer, _key(public, issuer.algorithm))
    return keys


def _key(public: Mapping[str, str], algorithm: str) -> Key:
    """Make the key object of one JWK; a configuration that cannot be trusted is refused at once."""
    wanted = _KEY_TYPES.get(algorithm)
    if wanted is None:
        raise Malformed("an issuer is trusted with ES256 or RS256 only")
    if "d" in public or any(public.get(name) != value for name, value in wanted.items()):
        raise Malformed("a trusted key must be a public JWK of its issuer's algorithm")
    if public.get("alg", algorithm) != algorithm or public.get("use", "sig") != "sig":
        raise Malformed("a trusted key is for another algorithm or use")
    try:
        bits = int.from_bytes(_decoded(public.get("n", ""))).bit_length()
        key = _construct(dict(public), algorithm)
    except (JOSEError, KeyError, ValueError, TypeError):
        raise Malformed("a trusted key cannot be read") from None
    if algorithm == "RS256" and bits < _LEAST_RSA_BITS:
        raise Malformed("a trusted RSA key must have at least 2,048 bits")
    return key


def _header(token: str) -> Claims:
    """Read the protected header of a token that has the right shape and says nothing it may not."""
    if len(token) > LONGEST_TOKEN:
        raise Unauthenticated("too long")
    compact = _COMPACT.fullmatch(token)
    if compact is None:
        raise Unauthenticated("no compact JWS")
    header, _ = (json.loads(_decoded(segment), object_pairs_hook=_once) for segment in compact.groups()[:2])
    if not isinstance(header, dict) or header.keys() - _HEADER:
        raise Unauthenticated("header says too much")
    if str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise Unauthenticated("another kind of token")
    return header


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that says a thing twice: parsers differ on which one counts (RFC 8725 2.4)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unauthenticated("a member is repeated")
    return members


def _identified(claims: Claims, trusted: TrustedIssuer, address: str) -> Identified:
    role = Role(_text(claims, "role"))
    if role is Role.STRANGER:
        raise Unauthenticated("a stranger has no token")
    home = institution(_text(claims, "institution"))
    if home not in trusted.institutions:
        raise Unauthenticated("not this issuer's institution")
    purpose = claims.get("purpose")
    issued = datetime.fromtimestamp(_number(claims, "iat") or 0, UTC)
    # The only issuer there is yet, the development one, vouches for whatever it is told to.
    assurance = Assurance(second_factor=True, logged_in_at=issued, login=str(claims.get("jti", "")))
    return Identified(
        Subject(_text(claims, "sub"), role, home, _text(claims, "department", least=0), Door.WEB, address, assurance),
        None if purpose is None else Purpose(_text(claims, "purpose")),
    )


def _text(claims: Claims, name: str, least: int = 1) -> str:
    value = claims.get(name, "" if least == 0 else None)
    if not isinstance(value, str) or not least <= len(value) <= LONGEST_NAME or not value.isprintable():
        raise Unauthenticated("a claim is missing or no text")
    return value


def _number(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated("a time is no number")
    return value
