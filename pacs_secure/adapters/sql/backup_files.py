"""How a database lies in a backup: SQLite's own file, or one file of rows for each table."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Table
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.row_codec import decode_row, read_rows, write_row
from pacs_secure.core.backups import Progress
from pacs_secure.core.errors import Tampered, Unavailable

SQLITE_FILE = "index.db"
SUFFIX = ".rows"
_PAGES = 4096
"""Copied before somebody is told how far it is."""


def copy_pages(connection: Connection, to: Path, progress: Progress) -> None:
    """Copy a SQLite database page by page, as the transaction under way sees it (online backup).

    Raises:
        Unavailable: the file cannot be written.
    """
    source = connection.connection.driver_connection
    if not isinstance(source, sqlite3.Connection):
        raise TypeError("the standard library's SQLite driver is needed")
    try:
        with closing(sqlite3.connect(to)) as target:
            source.backup(target, pages=_PAGES, progress=lambda _status, _left, _pages: progress(1))
            # One file, and nothing beside it: whoever opens it makes its log anew.
            target.execute("PRAGMA journal_mode=DELETE").close()
    except sqlite3.Error:
        raise Unavailable("the copy of the database cannot be written") from None


class TableFiles:
    """Files of rows in one folder, written table by table, or read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._streams: dict[str, BinaryIO] = {}
        self._open = ExitStack()

    def keep(self, table: Table, row: bytes) -> None:
        """Add a row to its table's file."""
        try:
            if table.name not in self._streams:
                stream = (self._folder / f"{table.name}{SUFFIX}").open("wb")
                self._streams[table.name] = self._open.enter_context(stream)
            write_row(self._streams[table.name], row)
        except OSError:
            raise Unavailable("the copy of the database cannot be written") from None

    def close(self) -> None:
        """End every file."""
        try:
            self._open.close()
        except OSError:
            raise Unavailable("the copy of the database cannot be written") from None

    def rows(self, table: Table) -> Iterator[dict[str, object]]:
        """Yield the rows of a table; none where it has no file.

        Raises:
            Tampered: a row is not of this table.
        """
        columns = table.columns.keys()
        try:
            with (self._folder / f"{table.name}{SUFFIX}").open("rb") as stream:
                for row in read_rows(stream):
                    values = decode_row(row)
                    if len(values) != len(columns):
                        raise Tampered("a row of the backup is not of its table")
                    yield dict(zip(columns, values, strict=True))
        except FileNotFoundError:
            return
        except OSError:
            raise Unavailable("the copy of the database cannot be read") from None
