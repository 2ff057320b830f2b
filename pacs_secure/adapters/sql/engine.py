"""The database: many readers, one schema, and the errors of a library turned into the archive's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import insert, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from pacs_secure.adapters.sql import ledger_index_tables as _ledger_index_tables  # noqa: F401 - they join the schema
from pacs_secure.adapters.sql import policy_tables as _policy_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql import sharing_tables as _sharing_tables  # noqa: F401 - its tables join the schema
from pacs_secure.adapters.sql import sqlite
from pacs_secure.adapters.sql.tables import APPEND_ONLY, SCHEMA_VERSION, metadata, schema_version
from pacs_secure.adapters.sql.writer import UNSTORABLE, Writer
from pacs_secure.core.errors import Malformed, Unavailable

T = TypeVar("T")

_SCHEME = "sqlite:///"


class Database:
    """One database, opened by this process; open it after a fork, never before.

    ``place`` is a path or ``sqlite:///`` and a path. Several processes may open the same one.

    Raises:
        Unavailable: it cannot be opened, or its schema is of a version this build does not know.
    """

    def __init__(self, place: str | Path) -> None:
        path = _path(place)
        self._closed = False
        try:
            sqlite.create_file(path)
            engine = sqlite.make_writer(path)
            with engine.begin() as connection:
                _settle_schema(connection)
                sqlite.forbid_changes(connection, APPEND_ONLY)
            self._readers = sqlite.make_readers(path)
        except (OSError, SQLAlchemyError) as error:
            raise Unavailable("the database cannot be opened") from error
        self._engine = engine
        self._writer = Writer(engine)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in the writing thread and return its answer once the commit is durable.

        Several callers share a commit; an error of one takes back only its own work.

        Raises:
            Unavailable: the commit failed; nothing was kept.
            Malformed: a value is of a size or text that no column holds.
        """
        return self._writer.submit(work).result()

    def write_later(self, work: Callable[[Connection], object]) -> None:
        """Run ``work`` with the next commit, without waiting; a failure is only logged.

        Only for what may be lost in a crash without harm. `close` waits for it.
        """
        self._writer.follow(work)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lend a reading connection: each statement sees everything committed before it."""
        if self._closed:
            raise Unavailable("the database is closed")
        try:
            with self._readers.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise Unavailable("the database cannot be read") from error
        except UNSTORABLE:
            raise Malformed("a value cannot be asked of the database") from None

    def close(self) -> None:
        """Commit what waits, then close every connection; a second call does nothing."""
        self._closed = True
        self._writer.close()
        self._readers.dispose()
        self._engine.dispose()


def _path(place: str | Path) -> Path:
    if isinstance(place, Path):
        return place
    if "://" in place and not place.startswith(_SCHEME):
        raise Unavailable("this build keeps its index in SQLite: sqlite:///PATH")
    return Path(place.removeprefix(_SCHEME))


def _settle_schema(connection: Connection) -> None:
    """Create the tables in an empty database; accept any other only in the version this build knows."""
    tables = inspect(connection).get_table_names()
    if not tables:
        metadata.create_all(connection)
        sqlite.state_statistics(connection)
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
        return
    known = schema_version.name in tables
    found = connection.scalars(select(schema_version.c.version)).all() if known else []
    if found != [SCHEMA_VERSION]:
        versions = ", ".join(str(version) for version in found) or "none"
        raise Unavailable(f"the database has schema version {versions}; this build needs {SCHEMA_VERSION}")
