"""Sessions: a login is decided and recorded, kept without its secret, and over for every request at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import orjson

from pacs_secure.archive.attempts import Attempts, random_text
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.revocation import Revocation
from pacs_secure.core.access import AccessRequest, Action, Assurance, Door, Purpose, Role, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import Conflict, Tampered, Unauthenticated
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import AtProvider, Attempt, Identified, LoggedIn, SessionRow
from pacs_secure.ports import Sessions as Store

BETWEEN_TOUCHES = timedelta(seconds=30)
"""How long the last use of a session may be out of date: its idle end comes that much early, never late."""


_KIND = b"session"
"""Of the box of a session, so that no ledger entry's details can pass for one."""


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """How long a session lasts."""

    idle: timedelta = timedelta(minutes=15)
    longest: timedelta = timedelta(hours=10)


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its holder sees it."""

    session_id: UUID
    identified: Identified
    begun_at: datetime
    idle_ends_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just begun, with the secret that nobody keeps but the browser."""

    secret: str = field(repr=False)
    session: Session


class Sessions:
    """The verb: log in and out in a browser."""

    def __init__(
        self,
        guard: Guard,
        store: Store,
        seals: InstitutionSeals,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        terms: SessionTerms | None = None,
    ) -> None:
        self.attempts = Attempts(seals, now)
        self.revocation = Revocation(guard, store, seals, now, monotonic)
        self._guard = guard
        self._store = store
        self._seals = seals
        self._now = now
        self._terms = terms or SessionTerms()

    def open(self, of: Institution, attempt: Attempt, logged_in: LoggedIn) -> Opened:
        """Begin a session for whom the provider of ``of`` vouches; decided, and recorded in its own commit.

        Raises:
            Denied: this role opens no session.
            Unauthenticated: the attempt gave a session already, or the person's logins are void.
        """
        login = str(attempt.attempt_id)
        subject = logged_in.identified.subject
        subject = replace(subject, assurance=replace(subject.assurance, login=login))
        self.revocation.demand_valid(subject)
        permit = self._guard.decide(AccessRequest(subject, Action.SESSION_OPEN, Purpose.OPERATIONS))
        secret = random_text()
        who = Identified(subject, logged_in.identified.purpose)
        row = self._row(of, attempt.attempt_id, _digest(secret), who, logged_in.provider)
        try:
            self._store.begin(permit, row, self._guard.draft(permit, Outcome.COMPLETED, {"session": login}))
        except Conflict:
            raise Unauthenticated("this login was used before") from None
        return Opened(secret, self._session(row, subject.address))

    def identify(self, secret: str, address: str, *, used: bool = True) -> Session:
        """Return the session of a browser's secret; ``used`` puts off its idle end.

        Raises:
            Unauthenticated: there is none, it is over, or it was revoked.
        """
        row = self._store.find(_digest(secret))
        now = self._now()
        if row is None or row.ended_at is not None or now >= self._end_of(row):
            raise Unauthenticated("there is no such session, or it is over")
        if used and now - row.used_at > BETWEEN_TOUCHES:
            self._store.touch(row.session_id, now)
            row = replace(row, used_at=now)
        session = self._session(row, address)
        self.revocation.demand_valid(session.identified.subject)
        return session

    def own(self, subject: Subject) -> Sequence[Session]:
        """Return the subject's own open sessions, oldest first."""
        of, now = subject.institution, self._now()
        actor = self._seals.details(of).pseudonym(of, subject.identifier)
        return [self._session(row, "") for row in self._store.open_of(of, actor, now) if now < self._end_of(row)]

    def end(self, secret: str, address: str) -> None:
        """End the session of a browser's secret; recorded. Raises `Unauthenticated` when it is over already."""
        session = self.identify(secret, address, used=False)
        self._end(session, "logout")

    def end_at_provider(self, of: Institution, provider: AtProvider, address: str) -> int:
        """End every session of a login that the provider of ``of`` says is over; return how many there were."""
        subject, login = self._provider_names(of, provider)
        rows = self._store.open_at_provider("" if login else subject, login, self._now())
        for row in rows:
            self._end(self._session(row, address), "provider")
        return len(rows)

    def _end(self, session: Session, by: str) -> None:
        facts = {"session": str(session.session_id), "by": by}
        asked = AccessRequest(session.identified.subject, Action.SESSION_END, Purpose.OPERATIONS)
        permit = self._guard.decide(asked)
        draft = self._guard.draft(permit, Outcome.COMPLETED, facts)
        self._store.end(permit, session.session_id, self._now(), draft)

    def _row(
        self, of: Institution, session_id: UUID, digest: bytes, who: Identified, provider: AtProvider
    ) -> SessionRow:
        now, subject = self._now(), who.subject
        seal = self._seals.details(subject.institution)
        provider_subject, provider_session = self._provider_names(of, provider)
        return SessionRow(
            session_id=session_id,
            digest=digest,
            institution=subject.institution,
            actor=seal.pseudonym(subject.institution, subject.identifier),
            provider_subject=provider_subject,
            provider_session=provider_session,
            begun_at=now,
            used_at=now,
            ends_at=now + self._terms.longest,
            box=seal.seal(session_id, _written(who, digest, now + self._terms.longest), _KIND),
        )

    def _session(self, row: SessionRow, address: str) -> Session:
        written = self._seals.details(row.institution).open(row.session_id, row.box, _KIND)
        who = _read(written, row, address)
        return Session(row.session_id, who, row.begun_at, row.used_at + self._terms.idle, row.ends_at)

    def _end_of(self, row: SessionRow) -> datetime:
        return min(row.ends_at, row.used_at + self._terms.idle)

    def _provider_names(self, of: Institution, provider: AtProvider) -> tuple[str, str]:
        """Return keyed pseudonyms of what the provider calls person and login, "" for what it does not name."""
        seal = self._seals.details(of)
        subject, session = (
            seal.pseudonym(provider.issuer, f"{kind}:{name}") if name else ""
            for kind, name in (("subject", provider.subject), ("session", provider.session))
        )
        return subject, session


def _digest(secret: str) -> bytes:
    return sha256(secret.encode(errors="surrogatepass")).digest()


def _written(who: Identified, digest: bytes, ends_at: datetime) -> bytes:
    """Write down whose session it is, and which secret and end it has: both stand in plain columns too."""
    subject, assurance = who.subject, who.subject.assurance
    at = assurance.logged_in_at
    return orjson.dumps(
        {
            "subject": subject.identifier,
            "role": subject.role,
            "department": subject.department,
            "purpose": who.purpose,
            "digest": digest.hex(),
            "ends_at": ends_at.isoformat(),
            "second_factor": assurance.second_factor,
            "logged_in_at": None if at is None else at.isoformat(),
        }
    )


def _read(written: bytes, row: SessionRow, address: str) -> Identified:
    told = orjson.loads(written)
    if (bytes.fromhex(told["digest"]), datetime.fromisoformat(told["ends_at"])) != (row.digest, row.ends_at):
        raise Tampered("a session is not what was written")
    at = None if told["logged_in_at"] is None else datetime.fromisoformat(told["logged_in_at"])
    assurance = Assurance(told["second_factor"], at, str(row.session_id))
    subject = Subject(
        told["subject"], Role(told["role"]), row.institution, told["department"], Door.WEB, address, assurance
    )
    return Identified(subject, None if told["purpose"] is None else Purpose(told["purpose"]))
