"""The tables of sessions and of what was revoked: digests, keyed pseudonyms, times, and boxes."""

from sqlalchemy import Column, Index, LargeBinary, String, Table

from pacs_secure.adapters.sql.tables import Moment, RandomId, metadata

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", RandomId, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("institution", String(63), nullable=False),
    Column("actor", String(32), nullable=False),
    Column("provider_subject", String(32), nullable=False, index=True),
    Column("provider_session", String(32), nullable=False, index=True),
    Column("begun_at", Moment, nullable=False),
    Column("used_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False, index=True),
    Column("ended_at", Moment),
    Column("box", LargeBinary, nullable=False),
)
Index("ix_sessions_actor", sessions.c.institution, sessions.c.actor)

revoked_people = Table(
    "revoked_people",
    metadata,
    Column("institution", String(63), primary_key=True),
    Column("actor", String(32), primary_key=True),
    Column("since", Moment, nullable=False),
    sqlite_with_rowid=False,
)

revoked_logins = Table(
    "revoked_logins",
    metadata,
    Column("institution", String(63), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("ends_at", Moment, nullable=False, index=True),
    sqlite_with_rowid=False,
)
