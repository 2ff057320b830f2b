"""The table of tokens that may come once only: digests and times."""

from sqlalchemy import Column, LargeBinary, Table

from pacs_secure.adapters.sql.tables import Moment, metadata

used_tokens = Table(
    "used_tokens",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("until", Moment, nullable=False, index=True),
    sqlite_with_rowid=False,
)
