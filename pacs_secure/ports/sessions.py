"""Logins in the browser: how somebody logs in elsewhere, and what is remembered of it here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports.people import Identified


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that has begun in one browser (RFC 6749 4.1, RFC 7636)."""

    attempt_id: UUID
    """Also names the session that comes of it, so that no attempt gives two."""
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    next_path: str
    """Where the browser goes afterwards, within this archive."""
    fresh: bool
    """Whether the person has to prove themselves again, whatever the provider remembers."""
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class AtProvider:
    """What the provider calls a login: its own subject and session, "" when it does not say."""

    issuer: str
    subject: str
    session: str


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that the provider vouches for."""

    identified: Identified
    provider: AtProvider


class LoginProvider(Protocol):
    """Logs people in for the archive (OpenID Connect Core, authorization code flow)."""

    @property
    def origin(self) -> str:
        """Scheme, host and port under which browsers reach the archive."""

    def authorization_url(self, attempt: Attempt) -> str:
        """Return where the browser goes to log in; raise `Unavailable` when the provider cannot be asked."""

    def redeem(self, code: str, attempt: Attempt, address: str) -> LoggedIn:
        """Exchange what the browser came back with for a verified identity.

        Raises:
            Unauthenticated: the code, the ID token or its nonce is not what it must be.
            Unavailable: the provider cannot be asked.
        """

    def logout_url(self) -> str | None:
        """Return where the browser ends the provider's own session, when the provider has such a place."""

    def logged_out(self, logout_token: str) -> AtProvider:
        """Verify that the provider says that a login is over (OpenID Connect Back-Channel Logout 2.6).

        Raises:
            Unauthenticated: the token has any flaw.
            Unavailable: the provider's keys cannot be asked for.
        """


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session as it is kept: no secret, and nobody's name in clear."""

    session_id: UUID
    digest: bytes
    """SHA-256 of the secret in the cookie."""
    institution: Institution
    actor: str
    """Keyed pseudonym of the person."""
    provider_subject: str
    provider_session: str
    """Keyed pseudonyms of what the provider calls them; "" when it does not say."""
    begun_at: datetime
    used_at: datetime
    ends_at: datetime
    """UTC; the end that no use puts off."""
    box: bytes
    """Who it is, sealed."""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RevokedPerson:
    """Every login of a person up to a moment is void."""

    institution: Institution
    actor: str
    since: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class RevokedLogin:
    """One login or token is void; it is forgotten when no such token can live any more."""

    institution: Institution
    digest: bytes
    ends_at: datetime
    """UTC."""


class Sessions(Protocol):
    """Sessions and what was revoked; every change shares its commit with its ledger entry."""

    def begin(self, permit: Permit, row: SessionRow, draft: Draft) -> None:
        """Keep a new session.

        Raises:
            Conflict: the session is there already.
            Denied: the Permit is another institution's.
        """

    def find(self, digest: bytes) -> SessionRow | None:
        """Return the session of that secret, ended ones too."""

    def touch(self, session_id: UUID, at: datetime) -> None:
        """Remember when a session was used, with the next commit and without waiting."""

    def end(self, permit: Permit, session_id: UUID, at: datetime, draft: Draft) -> None:
        """End a session; raise `Denied` when the Permit is another institution's."""

    def open_of(self, institution: Institution, actor: str, at: datetime) -> Sequence[SessionRow]:
        """Return a person's sessions that have not come to their end, oldest first."""

    def open_at_provider(self, subject: str, session: str, at: datetime) -> Sequence[SessionRow]:
        """Return the sessions of one login at the provider, or of one person there when it names no login."""

    def revoke(self, permit: Permit, revoked: RevokedPerson | RevokedLogin, draft: Draft) -> None:
        """Make logins void; a person's sessions end in the same commit.

        Raises:
            Denied: the Permit is another institution's.
        """

    def revoked(self, at: datetime) -> Sequence[RevokedPerson | RevokedLogin]:
        """Return everything that is void at a moment."""
