"""Revocation: logins made void before their time, for every request within ten seconds."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.core.access import AccessRequest, Action, Permit, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import Malformed, Unauthenticated
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Authenticator, Identified, RevokedLogin, RevokedPerson
from pacs_secure.ports import Sessions as Store

LONGEST_TOKEN = timedelta(hours=25)
"""How long a revoked login is remembered: no token is believed for longer than a day."""
OLDEST = 10.0
"""Seconds that what is void is known from memory."""
LONGEST_LINE = 256
LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class _Void:
    people: dict[tuple[Institution, str], datetime]
    logins: frozenset[tuple[Institution, bytes]]
    read_at: float


class Revocation:
    """The verb: make logins void, and refuse those that are."""

    def __init__(
        self,
        guard: Guard,
        store: Store,
        seals: InstitutionSeals,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._guard = guard
        self._store = store
        self._seals = seals
        self._now = now
        self._monotonic = monotonic
        self._void: _Void | None = None
        self._reading = threading.Lock()

    def revoke(self, subject: Subject, person: str, reason: str) -> None:
        """Make every login of a person of the subject's institution void, up to now; their sessions end.

        Raises:
            Denied: the subject may not revoke.
            Malformed: there is no person or no reason.
        """
        permit = self._decide(subject, "person", person, reason)
        revoked = RevokedPerson(subject.institution, self._pseudonym(subject.institution, person), self._now())
        self._keep(permit, revoked)

    def revoke_login(self, subject: Subject, login: str, reason: str) -> None:
        """Make one login or token void, by the name that `Assurance` has for it; raises as `revoke`."""
        permit = self._decide(subject, "login", login, reason)
        of = subject.institution
        self._keep(permit, RevokedLogin(of, _digest(login), self._now() + LONGEST_TOKEN))

    def demand_valid(self, subject: Subject) -> None:
        """Raise `Unauthenticated` when the subject's login was made void."""
        void, of, assurance = self._known(), subject.institution, subject.assurance
        since = void.people.get((of, self._pseudonym(of, subject.identifier))) if void.people else None
        if since is not None and (assurance.logged_in_at is None or assurance.logged_in_at <= since):
            raise Unauthenticated("the person's logins were revoked")
        if (of, _digest(assurance.login)) in void.logins:
            raise Unauthenticated("the login was revoked")

    def _decide(self, subject: Subject, what: str, name: str, reason: str) -> Permit:
        if not _is_line(name, LONGEST_LINE) or not _is_line(reason, LONGEST_REASON):
            raise Malformed("a revocation names a person or a login, and a reason, each in one line")
        details, private = {"revoked": what}, {what: name, "reason": reason}
        return self._guard.decide(AccessRequest(subject, Action.SESSION_REVOKE, None, details=details, private=private))

    def _keep(self, permit: Permit, revoked: RevokedPerson | RevokedLogin) -> None:
        self._store.revoke(permit, revoked, self._guard.draft(permit, Outcome.COMPLETED, {}))
        with self._reading:
            self._void = None

    def _known(self) -> _Void:
        """Return what is void, at most `OLDEST` old; the store is asked by one of however many need it."""
        known = self._fresh()
        if known is None:
            with self._reading:
                known = self._fresh() or self._read()
        return known

    def _fresh(self) -> _Void | None:
        known = self._void
        return known if known is not None and self._monotonic() - known.read_at <= OLDEST else None

    def _read(self) -> _Void:
        at = self._monotonic()  # before it is read: what comes meanwhile must not seem known
        revoked = self._store.revoked(self._now())
        people = {(one.institution, one.actor): one.since for one in revoked if isinstance(one, RevokedPerson)}
        logins = frozenset((one.institution, one.digest) for one in revoked if isinstance(one, RevokedLogin))
        self._void = _Void(people, logins, at)
        return self._void

    def _pseudonym(self, of: Institution, person: str) -> str:
        return self._seals.details(of).pseudonym(of, person)


@dataclass(frozen=True, slots=True)
class Revocable:
    """An `Authenticator` that believes no login which was made void; every door has one."""

    authenticator: Authenticator
    revocation: Revocation

    def authenticate(self, token: str, address: str) -> Identified:
        """Verify the token wholly; raises `Unauthenticated` when it has any flaw or was revoked."""
        identified = self.authenticator.authenticate(token, address)
        self.revocation.demand_valid(identified.subject)
        return identified


def _digest(login: str) -> bytes:
    return sha256(login.encode(errors="surrogatepass")).digest()


def _is_line(text: str, longest: int) -> bool:
    return len(text.strip()) > 0 and len(text) <= longest and text.isprintable()
