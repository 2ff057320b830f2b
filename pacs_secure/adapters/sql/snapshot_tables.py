"""The table of the vault's verified snapshots: digests and times."""

from sqlalchemy import Column, LargeBinary, Table

from pacs_secure.adapters.sql.tables import Moment, metadata

vault_snapshots = Table(
    "vault_snapshots",
    metadata,
    Column("name_digest", LargeBinary(32), primary_key=True),
    Column("taken_at", Moment, nullable=False, index=True),
    Column("verified_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
