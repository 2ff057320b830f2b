"""The vault's verified snapshots in SQL."""

from datetime import datetime

from sqlalchemy import func, select

# Said in PostgreSQL's dialect, which SQLite's compiler reads as well: two may note one snapshot at once.
from sqlalchemy.dialects.postgresql import insert

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.snapshot_tables import vault_snapshots

_add = insert(vault_snapshots).on_conflict_do_nothing(index_elements=["name_digest"])
_newest = select(func.max(vault_snapshots.c.taken_at))


class SqlSnapshots:
    """`pacs_secure.ports.Snapshots` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, taken_at: datetime, verified_at: datetime, name_digest: bytes) -> None:
        """Note a snapshot that was restored and found whole; durable on return, the same one twice is nothing."""
        row = {"name_digest": name_digest, "taken_at": taken_at, "verified_at": verified_at}
        self._database.write(lambda connection: connection.execute(_add, row))

    def newest_verified(self) -> datetime | None:
        """Return when the newest snapshot that was verified was taken; None when there is none."""
        with self._database.read() as connection:
            newest: datetime | None = connection.execute(_newest).scalar()
            return newest
