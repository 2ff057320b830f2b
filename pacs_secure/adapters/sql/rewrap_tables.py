"""The table of how far the keys on each shelf have been wrapped anew: counts, versions and random ids."""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from pacs_secure.adapters.sql.tables import Moment, RandomId, metadata

rewraps = Table(
    "rewraps",
    metadata,
    Column("institution", String(63), primary_key=True),
    Column("shelf", String(16), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("begun", Moment, nullable=False),
    Column("last_key_id", RandomId),
    Column("done", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("finished", Moment),
    sqlite_with_rowid=False,
)
