"""The table of rebuilds: when each began and came to its end."""

from sqlalchemy import Column, Table

from pacs_secure.adapters.sql.tables import Counter, Moment, metadata

rebuilds = Table(
    "rebuilds",
    metadata,
    Column("number", Counter, primary_key=True),
    Column("begun_at", Moment, nullable=False),
    Column("finished_at", Moment),
)
