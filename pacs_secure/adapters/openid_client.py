"""Logs people in at an OpenID provider: authorization code flow with PKCE, state and nonce.

The code, the tokens and the client's secret never reach a browser's scripts, a log or an error.
"""

import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from pacs_secure.adapters.claims import Claims, identified, number, text
from pacs_secure.adapters.openid_discovery import Discovery
from pacs_secure.adapters.tokens import ID, LEEWAY, LOGOUT, TokenVerifier, TrustedIssuer, refusal, same
from pacs_secure.core.errors import ArchiveError, Unauthenticated, Unavailable
from pacs_secure.ports import AtProvider, Attempt, LoggedIn

CALLBACK = "/auth/callback"
LONGEST_CODE = 4096
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_SERVER_FAILED = 500


@dataclass(frozen=True, slots=True)
class Client:
    """The archive as the provider knows it."""

    client_id: str
    secret: str | None = field(repr=False)
    """None: a public client."""
    origin: str
    """Scheme, host and port under which browsers reach the archive."""
    scopes: tuple[str, ...] = ("openid",)
    after_logout_url: str | None = None

    @property
    def callback(self) -> str:
        """Return where the provider sends the browser back to."""
        return self.origin + CALLBACK


class OpenIdClient:
    """`pacs_secure.ports.LoginProvider` at one OpenID provider."""

    def __init__(
        self, trusted: TrustedIssuer, discovery: Discovery, client: Client, now: Callable[[], float] = time.time
    ) -> None:
        self._trusted = trusted
        self._verifier = TokenVerifier([trusted], now)
        self._discovery = discovery
        self._client = client

    @property
    def origin(self) -> str:
        """Scheme, host and port under which browsers reach the archive."""
        return self._client.origin

    def authorization_url(self, attempt: Attempt) -> str:
        """Return where the browser goes to log in; raise `Unavailable` when the provider cannot be asked."""
        challenge = urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.callback,
            "scope": " ".join(self._client.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if attempt.fresh:
            # One second: OpenBao refuses 0. What counts is the time of the login, held against the attempt's.
            asked |= {"prompt": "login", "max_age": "1"}
        return _with_query(self._discovery.endpoint("authorization_endpoint"), asked)

    def redeem(self, code: str, attempt: Attempt, address: str) -> LoggedIn:
        """Exchange the code for tokens and verify the ID token (OpenID Connect Core 3.1.3.7).

        Raises:
            Unauthenticated: the code, the ID token or its nonce is not what it must be.
            Unavailable: the provider cannot be asked.
        """
        if not 0 < len(code) <= LONGEST_CODE or not code.isascii():
            raise refusal()
        id_token, access_token = self._exchange(code, attempt)
        claims, trusted = self._verifier.verify(id_token, ID, access_token)
        self._check(claims, attempt)
        try:
            who = identified(claims, trusted.meaning, trusted.institutions, "", address)
            at_provider = AtProvider(trusted.issuer, text(claims, "sub"), text(claims, "sid", least=0))
        except (ArchiveError, ValueError, TypeError, OverflowError):
            raise refusal() from None
        return LoggedIn(who, at_provider)

    def logout_url(self) -> str | None:
        """Return where the browser ends the provider's own session (OpenID Connect RP-Initiated Logout 2).

        The ID token is no part of it: what stands in a URL is logged.
        """
        endpoint = self._discovery.optional("end_session_endpoint")
        if endpoint is None:
            return None
        asked = {"client_id": self._client.client_id}
        if self._client.after_logout_url is not None:
            asked["post_logout_redirect_uri"] = self._client.after_logout_url
        return _with_query(endpoint, asked)

    def logged_out(self, logout_token: str) -> AtProvider:
        """Verify a logout token (OpenID Connect Back-Channel Logout 2.6).

        Raises:
            Unauthenticated: the token has any flaw.
            Unavailable: the provider's keys cannot be asked for.
        """
        claims, trusted = self._verifier.verify(logout_token, LOGOUT)
        events = claims["events"]
        if not isinstance(events, Mapping) or not isinstance(events.get(_LOGOUT_EVENT), Mapping):
            raise refusal()
        try:
            subject, session = text(claims, "sub", least=0), text(claims, "sid", least=0)
        except Unauthenticated:
            raise refusal() from None
        if not (subject or session):
            raise refusal()
        return AtProvider(trusted.issuer, subject, session)

    def _exchange(self, code: str, attempt: Attempt) -> tuple[str, str | None]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.callback,
            "code_verifier": attempt.verifier,
        }
        user = None
        if self._client.secret is None:
            form["client_id"] = self._client.client_id
        else:
            user = (self._client.client_id, self._client.secret)
        answered = self._discovery.https.post(self._discovery.endpoint("token_endpoint"), form, user)
        if answered.status >= _SERVER_FAILED:
            raise Unavailable("an identity provider does not answer as it must")
        id_token, access_token = answered.body.get("id_token"), answered.body.get("access_token")
        if not answered.done or not isinstance(id_token, str):
            raise refusal()
        return id_token, access_token if isinstance(access_token, str) else None

    def _check(self, claims: Claims, attempt: Attempt) -> None:
        """Hold an ID token against the attempt it must answer."""
        client_id, audience = self._client.client_id, claims.get("aud")
        several = isinstance(audience, list) and len(audience) > 1
        if (
            not same(claims.get("nonce"), attempt.nonce)
            or claims.get("azp", None if several else client_id) != client_id
        ):
            raise refusal()
        if attempt.fresh:
            logged_in_at = number(claims, "auth_time")
            if logged_in_at is None or logged_in_at < attempt.begun_at.timestamp() - LEEWAY:
                raise refusal()


def _with_query(url: str, asked: Mapping[str, str]) -> str:
    separator = "&" if urlsplit(url).query else "?"
    return f"{url}{separator}{urlencode(asked)}"
