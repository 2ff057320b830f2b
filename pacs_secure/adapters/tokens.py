"""Proves who a bearer is: signed tokens (RFC 7519, RFC 9068), checked around python-jose and never left to it.

The library accepts what a resource server must not (viewer-identity-ecosystem 2.5), so the shape
and the header are read here first, keys are objects made from a JWK, each issuer has exactly one
asymmetric algorithm, and every claim is required and typed here again.
"""

import hashlib
import hmac
import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from jose import jwk, jwt
from jose.backends.base import Key
from jose.exceptions import JOSEError

from pacs_secure.adapters.claims import Claims, ClaimsMap, identified, number, text
from pacs_secure.adapters.jwks import FetchedKeys
from pacs_secure.core.errors import ArchiveError, Malformed, Unauthenticated, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Identified

LONGEST_TOKEN = 8 * 1024
LEEWAY = 60
"""Seconds that clocks may differ."""
LONGEST_LIFE = 24 * 3600
"""Seconds from issue to end: no longer are revoked logins remembered."""
MOST_KEYS = 64
"""Keys in one set."""

_KEY_TYPES = {"ES256": {"kty": "EC", "crv": "P-256"}, "RS256": {"kty": "RSA"}}
"""What a JWK must say of itself for each algorithm an issuer may be trusted with (RFC 7518 3.1)."""
_LEAST_RSA_BITS = 2048
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members that a public JWK never has (RFC 7518 6)."""

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
"""Three segments: a JWE has five, an unsigned token an empty third (RFC 7515 7.1, RFC 7516 7.1)."""

_HEADER = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
"""All that a header may say: `crit`, `jku`, `jwk`, `x5u`, `x5c`, `zip`, `b64` and the unknown are refused."""

Jwk = Mapping[str, object]

# The library carries no types; these are the two things of it that are used.
_decode: Callable[..., Claims] = jwt.decode
_construct: Callable[[dict[str, object], str], Key] = jwk.construct


class Keys(Protocol):
    """An issuer's keys by their names."""

    def find(self, kid: str) -> Key | None:
        """Return the key of that name; raise `Unavailable` when nobody can say."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose tokens are believed, with what it may say."""

    issuer: str
    audience: str
    algorithm: str
    """ES256 or RS256, never taken from a token."""
    keys: tuple[Jwk, ...] | Keys
    """Public JWKs, each with its `kid` (RFC 7517), or where they are fetched from."""
    institutions: frozenset[Institution]
    """Whose people it may vouch for: institutions are strictly apart."""
    meaning: ClaimsMap = field(default_factory=ClaimsMap)
    token_ids: bool = True
    """Whether each access token must have a `jti` of its own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What sets one kind of token apart from the others, so that none can pass for another (RFC 8725 3.11)."""

    types: frozenset[str]
    """Values of `typ`, in lower case; a token without one counts as "jwt"."""
    required: tuple[str, ...]
    """Claims beside `iss`, `aud`, `exp` and `iat`."""
    forbidden: tuple[str, ...]


ACCESS = Kind(frozenset({"jwt", "at+jwt", "application/at+jwt"}), ("sub",), ("nonce", "at_hash", "c_hash", "events"))
ID = Kind(frozenset({"jwt"}), ("sub", "nonce"), ("events",))
LOGOUT = Kind(frozenset({"jwt", "logout+jwt"}), ("jti", "events"), ("nonce",))


class TokenVerifier:
    """Verifies tokens of the issuers it trusts; what they say of people is not its business."""

    def __init__(self, trusted: Iterable[TrustedIssuer], now: Callable[[], float] = time.time) -> None:
        self._issuers: dict[str, tuple[TrustedIssuer, Keys]] = {}
        for one in trusted:
            if not one.issuer or not one.audience or one.issuer in self._issuers:
                raise Malformed("every trusted issuer needs a name of its own, and an audience")
            self._issuers[one.issuer] = (one, _source(one))
        self._now = now

    def verify(self, token: str, kind: Kind, access_token: str | None = None) -> tuple[Claims, TrustedIssuer]:
        """Verify shape, header, signature, issuer, audience and times; return the claims and who made them.

        Raises:
            Unauthenticated: it has any flaw.
            Unavailable: the issuer's keys are out of reach.
        """
        try:
            return self._verify(token, kind, access_token)
        except Unavailable:
            raise
        except (JOSEError, ArchiveError, ValueError, TypeError, OverflowError, RecursionError):
            raise refusal() from None

    def _verify(self, token: str, kind: Kind, access_token: str | None) -> tuple[Claims, TrustedIssuer]:
        header, unverified = _read(token, kind)
        trusted, keys = self._issuers.get(text(unverified, "iss"), (None, None))
        if trusted is None or keys is None or header.get("alg") != trusted.algorithm:
            raise Unauthenticated("no such issuer, or another algorithm")
        key = keys.find(text(header, "kid"))
        if key is None:
            raise Unauthenticated("no such key")
        claims = _decode(
            token,
            key,
            algorithms=[trusted.algorithm],
            audience=trusted.audience,
            issuer=trusted.issuer,
            access_token=access_token,
            options=_options(kind),
        )
        if any(name not in claims for name in kind.required) or any(name in claims for name in kind.forbidden):
            raise Unauthenticated("another kind of token")
        _check_times(claims, self._now())
        return claims, trusted


class JoseAuthenticator:
    """Turns a bearer token into a subject, or into one `Unauthenticated` that does not say why."""

    def __init__(self, trusted: Iterable[TrustedIssuer], now: Callable[[], float] = time.time) -> None:
        self._verifier = TokenVerifier(trusted, now)

    def authenticate(self, token: str, address: str) -> Identified:
        """Verify the token wholly: shape, header, signature, issuer, audience, times, claims.

        Raises:
            Unauthenticated: it has any flaw.
            Unavailable: the issuer's keys are out of reach.
        """
        claims, trusted = self._verifier.verify(token, ACCESS)
        try:
            return identified(claims, trusted.meaning, trusted.institutions, _login(token, claims, trusted), address)
        except (ArchiveError, ValueError, TypeError, OverflowError):
            raise refusal() from None


def refusal() -> Unauthenticated:
    """Return the one refusal: neither the caller nor a traceback learns which check it was."""
    return Unauthenticated("the credential does not prove who the caller is")


def fetched_keys(
    fetch: Callable[[], Mapping[str, object]], algorithm: str, monotonic: Callable[[], float] = time.monotonic
) -> Keys:
    """Return the keys of a JWK set that is fetched when needed; the algorithm is the configured one."""
    if algorithm not in _KEY_TYPES:
        raise Malformed("an issuer is trusted with ES256 or RS256 only")
    return FetchedKeys(lambda: _key_set(fetch(), algorithm), monotonic)


@dataclass(frozen=True, slots=True)
class _Configured:
    """Keys that stand in the configuration."""

    keys: Mapping[str, Key]

    def find(self, kid: str) -> Key | None:
        return self.keys.get(kid)


def _source(trusted: TrustedIssuer) -> Keys:
    if trusted.algorithm not in _KEY_TYPES:
        raise Malformed("an issuer is trusted with ES256 or RS256 only")
    if not isinstance(trusted.keys, tuple):
        return trusted.keys
    keys: dict[str, Key] = {}
    for public in trusted.keys:
        kid = public.get("kid")
        if not isinstance(kid, str) or not kid or kid in keys:
            raise Malformed("every key of a trusted issuer needs a kid of its own")
        keys[kid] = _key(public, trusted.algorithm)
    return _Configured(keys)


def _key_set(document: Mapping[str, object], algorithm: str) -> dict[str, Key]:
    """Read a JWK set (RFC 7517 5): keys for other uses are passed over, a secret in it spoils the whole."""
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise Malformed("a key set is a list of keys")
    keys: dict[str, Key] = {}
    for public in listed:
        if not isinstance(public, Mapping) or public.get("kty") == "oct" or public.keys() & _PRIVATE:
            raise Malformed("a key set shows something that is no public key")
        kid = public.get("kid")
        if not isinstance(kid, str) or not kid or not _fits(public, algorithm):
            continue
        if kid in keys:
            raise Malformed("two keys of a set have one name")
        keys[kid] = _key(public, algorithm)
    return keys


def _fits(public: Jwk, algorithm: str) -> bool:
    return (
        all(public.get(name) == value for name, value in _KEY_TYPES[algorithm].items())
        and public.get("alg", algorithm) == algorithm
        and public.get("use", "sig") == "sig"
    )


def _key(public: Jwk, algorithm: str) -> Key:
    """Make the key object of one JWK; one that cannot be trusted is refused at once."""
    if public.keys() & _PRIVATE or not _fits(public, algorithm):
        raise Malformed("a trusted key must be a public JWK of its issuer's algorithm and for signatures")
    try:
        modulus = str(public.get("n", "")) if algorithm == "RS256" else ""
        bits = int.from_bytes(_decoded(modulus)).bit_length()
        key = _construct(dict(public), algorithm)
    except (JOSEError, KeyError, ValueError, TypeError, AttributeError):
        raise Malformed("a trusted key cannot be read") from None
    if algorithm == "RS256" and bits < _LEAST_RSA_BITS:
        raise Malformed("a trusted RSA key must have at least 2,048 bits")
    return key


def _read(token: str, kind: Kind) -> tuple[Claims, Claims]:
    """Read header and claims, unverified, of a token that has the right shape and says nothing it may not."""
    if len(token) > LONGEST_TOKEN:
        raise Unauthenticated("too long")
    compact = _COMPACT.fullmatch(token)
    if compact is None:
        raise Unauthenticated("no compact JWS")
    header, claims = (json.loads(_decoded(segment), object_pairs_hook=_once) for segment in compact.groups()[:2])
    if not isinstance(header, dict) or not isinstance(claims, dict) or header.keys() - _HEADER:
        raise Unauthenticated("no objects, or a header that says too much")
    if str(header.get("typ", "JWT")).lower() not in kind.types:
        raise Unauthenticated("another kind of token")
    return header, claims


def _options(kind: Kind) -> dict[str, bool | int]:
    always = ("aud", "exp", "iat", "iss")
    required = {f"require_{claim}": True for claim in (*always, *kind.required) if claim in {*always, "sub", "jti"}}
    return {**required, "leeway": LEEWAY}


def _check_times(claims: Claims, now: float) -> None:
    """Hold the times against our own clock; the library takes strings and any issue time."""
    issued, expires = number(claims, "iat"), number(claims, "exp")
    if issued is None or expires is None or expires - issued > LONGEST_LIFE:
        raise Unauthenticated("a time is missing, or the life too long")
    earliest = max(issued, number(claims, "nbf") or 0, number(claims, "auth_time") or 0)
    if earliest > now + LEEWAY or expires < now - LEEWAY:
        raise Unauthenticated("not now")


def _login(token: str, claims: Claims, trusted: TrustedIssuer) -> str:
    """Return the name under which this login can be revoked: its `jti`, else a digest of what was signed.

    The signature is left out: it can be written in more than one way, and each would be another name.
    """
    if trusted.token_ids or "jti" in claims:
        return text(claims, "jti")
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def same(one: object, other: str) -> bool:
    """Compare a claim with a secret that it must repeat, in a time that tells nothing."""
    return isinstance(one, str) and hmac.compare_digest(one.encode(), other.encode())


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that says a thing twice: parsers differ on which one counts (RFC 8725 2.4)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unauthenticated("a member is repeated")
    return members
