"""The table of how far each receiver of the ledger has come."""

from sqlalchemy import BigInteger, Column, String, Table

from pacs_secure.adapters.sql.tables import metadata

bookmarks = Table(
    "bookmarks",
    metadata,
    Column("channel", String(300), primary_key=True),
    Column("next_index", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
