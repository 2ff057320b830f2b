"""Sessions and revocations in SQL; every change shares its commit with its ledger entry."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.adapters.sql.session_tables import revoked_logins, revoked_people, sessions
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import RevokedLogin, RevokedPerson, SessionRow

KEPT_AFTER_THE_END = timedelta(days=1)
"""How long the row of a session that is over stays, so that its attempt cannot be used again."""

_find = select(sessions).where(sessions.c.digest == bindparam("wanted"))


class SqlSessions:
    """`pacs_secure.ports.Sessions` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, permit: Permit, row: SessionRow, draft: Draft) -> None:
        """Keep a new session, and drop those that were over a day ago.

        Raises:
            Conflict: the session is there already.
            Denied: the Permit is another institution's.
        """
        _demand_own(permit, row.institution)

        def begin(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.ends_at < row.begun_at - KEPT_AFTER_THE_END))
            same = select(sessions.c.session_id).where(sessions.c.session_id == row.session_id)
            if connection.execute(same).first() is not None:
                raise Conflict("the session is there already")
            connection.execute(insert(sessions).values(**_values(row)))
            append_in(connection, draft)

        self._database.write(begin)

    def find(self, digest: bytes) -> SessionRow | None:
        """Return the session of that secret, ended ones too."""
        with self._database.read() as connection:
            row = connection.execute(_find, {"wanted": digest}).first()
            return None if row is None else _session(row)

    def touch(self, session_id: UUID, at: datetime) -> None:
        """Remember when a session was used, with the next commit and without waiting."""
        mine = (sessions.c.session_id == session_id) & (sessions.c.used_at < at)
        self._database.write_later(
            lambda connection: connection.execute(update(sessions).where(mine).values(used_at=at))
        )

    def end(self, permit: Permit, session_id: UUID, at: datetime, draft: Draft) -> None:
        """End a session; raise `Denied` when the Permit is another institution's."""
        of = permit.request.subject.institution
        same = sessions.c.session_id == session_id

        def end(connection: Connection) -> None:
            found = connection.execute(select(sessions.c.institution).where(same)).first()
            if found is None or found.institution != of:
                raise Denied("institutions are strictly apart")
            open_still = same & sessions.c.ended_at.is_(None)
            connection.execute(update(sessions).where(open_still).values(ended_at=at))
            append_in(connection, draft)

        self._database.write(end)

    def open_of(self, institution: Institution, actor: str, at: datetime) -> Sequence[SessionRow]:
        """Return a person's sessions that have not come to their end, oldest first."""
        whose = (sessions.c.institution == institution) & (sessions.c.actor == actor)
        return self._open(select(sessions).where(whose), at)

    def open_at_provider(self, subject: str, session: str, at: datetime) -> Sequence[SessionRow]:
        """Return the sessions of one login at the provider, or of one person there when it names no login."""
        column, name = (sessions.c.provider_session, session) if session else (sessions.c.provider_subject, subject)
        return self._open(select(sessions).where(column == name), at) if name else []

    def revoke(self, permit: Permit, revoked: RevokedPerson | RevokedLogin, draft: Draft) -> None:
        """Make logins void; a person's sessions end in the same commit.

        Raises:
            Denied: the Permit is another institution's.
        """
        _demand_own(permit, revoked.institution)

        def revoke(connection: Connection) -> None:
            if isinstance(revoked, RevokedPerson):
                _revoke_person(connection, revoked)
            else:
                _revoke_login(connection, revoked, draft.at)
            append_in(connection, draft)

        self._database.write(revoke)

    def revoked(self, at: datetime) -> Sequence[RevokedPerson | RevokedLogin]:
        """Return everything that is void at a moment."""
        with self._database.read() as connection:
            people = connection.execute(select(revoked_people)).all()
            logins = connection.execute(select(revoked_logins).where(revoked_logins.c.ends_at > at)).all()
        return [
            *(RevokedPerson(Institution(row.institution), row.actor, row.since) for row in people),
            *(RevokedLogin(Institution(row.institution), row.digest, row.ends_at) for row in logins),
        ]

    def _open(self, wanted: Select[tuple[object, ...]], at: datetime) -> Sequence[SessionRow]:
        still = wanted.where(sessions.c.ended_at.is_(None), sessions.c.ends_at > at)
        with self._database.read() as connection:
            rows = connection.execute(still.order_by(sessions.c.begun_at, sessions.c.session_id)).all()
            return [_session(row) for row in rows]


def _revoke_person(connection: Connection, revoked: RevokedPerson) -> None:
    whose = (revoked_people.c.institution == revoked.institution) & (revoked_people.c.actor == revoked.actor)
    known = connection.execute(select(revoked_people.c.since).where(whose).with_for_update()).first()
    if known is None:
        values = {"institution": revoked.institution, "actor": revoked.actor, "since": revoked.since}
        connection.execute(insert(revoked_people).values(values))
    else:
        connection.execute(update(revoked_people).where(whose).values(since=max(known.since, revoked.since)))
    theirs = (sessions.c.institution == revoked.institution) & (sessions.c.actor == revoked.actor)
    connection.execute(update(sessions).where(theirs, sessions.c.ended_at.is_(None)).values(ended_at=revoked.since))


def _revoke_login(connection: Connection, revoked: RevokedLogin, at: datetime) -> None:
    connection.execute(delete(revoked_logins).where(revoked_logins.c.ends_at <= at))
    same = (revoked_logins.c.institution == revoked.institution) & (revoked_logins.c.digest == revoked.digest)
    connection.execute(delete(revoked_logins).where(same))
    values = {"institution": revoked.institution, "digest": revoked.digest, "ends_at": revoked.ends_at}
    connection.execute(insert(revoked_logins).values(values))


def _demand_own(permit: Permit, institution: Institution) -> None:
    if permit.request.subject.institution != institution:
        raise Denied("institutions are strictly apart")


def _values(row: SessionRow) -> dict[str, object]:
    return {column.name: getattr(row, column.name) for column in sessions.c}


def _session(row: AnyRow) -> SessionRow:
    return SessionRow(
        session_id=row.session_id,
        digest=row.digest,
        institution=Institution(row.institution),
        actor=row.actor,
        provider_subject=row.provider_subject,
        provider_session=row.provider_session,
        begun_at=row.begun_at,
        used_at=row.used_at,
        ends_at=row.ends_at,
        box=row.box,
        ended_at=row.ended_at,
    )
