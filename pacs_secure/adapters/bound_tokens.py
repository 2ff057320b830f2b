"""Proves who stands behind a device: a token for this archive, for minutes, for once, and for one certificate.

What a bearer token is to the web door, such a token is to the DICOM door (PS3.7 D.3.3.7, type 5). It
is worth nothing to whoever overhears it: it counts once, and only over the connection of the device
whose certificate it names (RFC 8705 3.1).
"""

import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from pacs_secure.adapters.claims import Claims, identified, number, text
from pacs_secure.adapters.tokens import ACCESS, LEEWAY, TokenVerifier, TrustedIssuer, refusal
from pacs_secure.core.access import Door
from pacs_secure.core.errors import ArchiveError, Unauthenticated, Unavailable
from pacs_secure.ports import Behind, UsedTokens

LONGEST_LIFE = 10 * 60
"""Seconds from issue to end."""


class BoundTokens:
    """`pacs_secure.ports.DeviceAuthenticator` over the trusted issuers, under an audience of its own."""

    def __init__(
        self,
        trusted: Iterable[TrustedIssuer],
        ae_title: str,
        used: UsedTokens,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``ae_title`` is the archive's own, which a token must name as its audience."""
        self._verifier = TokenVerifier([replace(one, audience=ae_title) for one in trusted], now)
        self._used = used
        self._now = now

    def authenticate(self, token: bytes, address: str, certificate_sha256: bytes) -> Behind:
        """Verify a token wholly, and that it comes for the first time, over the certificate it names.

        Raises:
            Unauthenticated: it has any flaw.
            Unavailable: the issuer's keys or the memory of used tokens are out of reach.
        """
        try:
            written = token.decode("ascii")
            claims, trusted = self._verifier.verify(written, ACCESS)
            login, ends_at = text(claims, "jti"), self._end(claims)
            _demand_bound(claims, certificate_sha256)
            who = identified(claims, trusted.meaning, trusted.institutions, login, address)
            self._use(trusted.issuer, login, ends_at)
        except Unavailable:
            raise
        except (ArchiveError, ValueError, TypeError, OverflowError):
            raise refusal() from None
        return Behind(replace(who.subject, door=Door.DIMSE), who.purpose, ends_at)

    def _end(self, claims: Claims) -> datetime:
        issued, expires = number(claims, "iat"), number(claims, "exp")
        if issued is None or expires is None or expires - issued > LONGEST_LIFE or expires <= self._now():
            raise Unauthenticated("it lives too long, or no more")
        return datetime.fromtimestamp(expires, UTC)

    def _use(self, issuer: str, login: str, ends_at: datetime) -> None:
        digest = sha256(f"{issuer}\0{login}".encode()).digest()
        until = ends_at + timedelta(seconds=2 * LEEWAY)
        if not self._used.use(digest, until, datetime.fromtimestamp(self._now(), UTC)):
            raise Unauthenticated("it was used before")


def thumbprint(certificate_sha256: bytes) -> str:
    """Return how a token names a certificate: ``x5t#S256`` (RFC 8705 3.1)."""
    return urlsafe_b64encode(certificate_sha256).rstrip(b"=").decode()


def _demand_bound(claims: Claims, certificate_sha256: bytes) -> None:
    confirmed = claims.get("cnf")
    named = confirmed.get("x5t#S256") if isinstance(confirmed, dict) else None
    if not isinstance(named, str) or not hmac.compare_digest(named.encode(), thumbprint(certificate_sha256).encode()):
        raise Unauthenticated("it is bound to another certificate, or to none")
