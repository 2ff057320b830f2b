"""How far each receiver of the ledger has come, in SQL."""

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.bookmark_tables import bookmarks
from pacs_secure.adapters.sql.engine import Database

_place = select(bookmarks.c.next_index).where(bookmarks.c.channel == bindparam("a_channel"))
_move = update(bookmarks).where(bookmarks.c.channel == bindparam("a_channel")).values(next_index=bindparam("to_index"))


class SqlBookmarks:
    """`pacs_secure.ports.Bookmarks` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def place(self, channel: str) -> int:
        """Return the index of the next entry for a receiver, 0 for one that has had none."""
        with self._database.read() as connection:
            return connection.execute(_place, {"a_channel": channel}).scalar() or 0

    def move(self, channel: str, to: int) -> None:
        """Note that a receiver has taken every entry before ``to``; durable on return, never back."""

        def move(connection: Connection) -> None:
            kept = connection.execute(_place, {"a_channel": channel}).scalar()
            if kept is None:
                connection.execute(insert(bookmarks), {"channel": channel, "next_index": to})
            elif to > kept:
                connection.execute(_move, {"a_channel": channel, "to_index": to})

        self._database.write(move)

    def correct(self, channel: str, to: int) -> None:
        """Put a bookmark where it can be, also back; durable on return."""

        def put(connection: Connection) -> None:
            if connection.execute(_move, {"a_channel": channel, "to_index": to}).rowcount == 0:
                connection.execute(insert(bookmarks), {"channel": channel, "next_index": to})

        self._database.write(put)
