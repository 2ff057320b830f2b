"""Sessions in memory beside a `MemoryLedger`; passes the contract suite of the one in SQL."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import RevokedLogin, RevokedPerson, SessionRow
from tests.fakes import MemoryLedger


class MemorySessions:
    """Sessions in memory; set ``down`` to put them out of reach."""

    def __init__(self, ledger: MemoryLedger | None = None) -> None:
        self.ledger = ledger or MemoryLedger()
        self.down = False
        self.asked = 0
        self.kept: dict[UUID, SessionRow] = {}
        self.people: dict[tuple[Institution, str], RevokedPerson] = {}
        self.logins: dict[tuple[Institution, bytes], RevokedLogin] = {}
        self._lock = threading.RLock()

    def begin(self, permit: Permit, row: SessionRow, draft: Draft) -> None:
        self._demand_own(permit, row.institution)
        with self._lock:
            self._reach()
            for old in [one for one in self.kept.values() if one.ends_at < row.begun_at - timedelta(days=1)]:
                del self.kept[old.session_id]
            if row.session_id in self.kept:
                raise Conflict("the session is there already")
            self.ledger.append(draft)
            self.kept[row.session_id] = row

    def find(self, digest: bytes) -> SessionRow | None:
        self._reach()
        return next((row for row in self.kept.values() if row.digest == digest), None)

    def touch(self, session_id: UUID, at: datetime) -> None:
        with self._lock:
            row = self.kept.get(session_id)
            if row is not None:
                self.kept[session_id] = replace(row, used_at=max(row.used_at, at))

    def end(self, permit: Permit, session_id: UUID, at: datetime, draft: Draft) -> None:
        with self._lock:
            row = self.kept.get(session_id)
            if row is None or row.institution != permit.request.subject.institution:
                raise Denied("institutions are strictly apart")
            self.ledger.append(draft)
            self.kept[session_id] = replace(row, ended_at=row.ended_at or at)

    def open_of(self, institution: Institution, actor: str, at: datetime) -> Sequence[SessionRow]:
        return self._open(lambda row: (row.institution, row.actor) == (institution, actor), at)

    def open_at_provider(self, subject: str, session: str, at: datetime) -> Sequence[SessionRow]:
        if session:
            return self._open(lambda row: row.provider_session == session, at)
        return self._open(lambda row: row.provider_subject == subject, at) if subject else []

    def revoke(self, permit: Permit, revoked: RevokedPerson | RevokedLogin, draft: Draft) -> None:
        self._demand_own(permit, revoked.institution)
        with self._lock:
            self._reach()
            self.ledger.append(draft)
            if isinstance(revoked, RevokedLogin):
                self.logins[revoked.institution, revoked.digest] = revoked
                return
            whose = (revoked.institution, revoked.actor)
            known = self.people.get(whose, revoked)
            self.people[whose] = replace(revoked, since=max(known.since, revoked.since))
            for row in list(self.kept.values()):
                if (row.institution, row.actor) == whose:
                    self.kept[row.session_id] = replace(row, ended_at=row.ended_at or revoked.since)

    def revoked(self, at: datetime) -> Sequence[RevokedPerson | RevokedLogin]:
        self._reach()
        self.asked += 1
        return [*self.people.values(), *(one for one in self.logins.values() if one.ends_at > at)]

    def _open(self, wanted: Callable[[SessionRow], bool], at: datetime) -> Sequence[SessionRow]:
        self._reach()
        rows = [row for row in self.kept.values() if wanted(row) and row.ended_at is None and row.ends_at > at]
        return sorted(rows, key=lambda row: (row.begun_at, row.session_id.bytes))

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the sessions are out of reach")

    def _demand_own(self, permit: Permit, institution: Institution) -> None:
        if permit.request.subject.institution != institution:
            raise Denied("institutions are strictly apart")
