"""The database: many readers, one schema, and the errors of a library turned into the archive's own."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import insert, inspect, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, SQLAlchemyError

from pacs_secure.adapters.sql import bookmark_tables as _bookmark_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql import forgetting_tables as _forgetting_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql import ledger_index_tables as _ledger_index_tables  # noqa: F401 - they join the schema
from pacs_secure.adapters.sql import ledger_key_tables as _ledger_key_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql import migrations, retention_tables
from pacs_secure.adapters.sql import policy_tables as _policy_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql import question_tables as _question_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql import rebuild_tables as _rebuild_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql import rewrap_tables as _rewrap_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql import scrub_tables as _scrub_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql import sharing_tables as _sharing_tables  # noqa: F401 - its tables join the schema
from pacs_secure.adapters.sql import snapshot_tables as _snapshot_tables  # noqa: F401 - its table joins the schema
from pacs_secure.adapters.sql.authorship import Authorship, Mint
from pacs_secure.adapters.sql.dialect import EngineDialect
from pacs_secure.adapters.sql.postgres import SCHEME, Postgres
from pacs_secure.adapters.sql.sqlite import Sqlite
from pacs_secure.adapters.sql.tables import APPEND_ONLY, SCHEMA_VERSION, schema_version
from pacs_secure.adapters.sql.writer import UNSTORABLE, Writer
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.ports import Leader

log = logging.getLogger(__name__)

T = TypeVar("T")

_FILE = "sqlite:///"


class Database:
    """One database, opened by this process; open it after a fork, never before.

    ``place`` is a path, ``sqlite:///`` and a path, or ``postgresql://…`` with the file of its password.
    Several processes may open the same one. ``as_it_is``: no table is made and none brought up.

    Raises:
        Unavailable: it cannot be opened, or its schema is of a version this build does not know.
    """

    def __init__(self, place: str | Path, password_file: Path | None = None, *, as_it_is: bool = False) -> None:
        self._dialect = _dialect(place, password_file)
        self._closed = False
        self.found_version = SCHEMA_VERSION
        """Version of the schema that was there, 0 in an empty database."""
        try:
            self._engine = self._dialect.make_writer()
            self._readers = self._dialect.make_readers()
            self._settle(as_it_is=as_it_is)
        except (OSError, SQLAlchemyError) as error:
            raise Unavailable("the database cannot be opened") from error
        self._writer = Writer(self._engine)

    def _settle(self, *, as_it_is: bool) -> None:
        """Create what is missing in an empty database, and refuse one that is not ours."""
        try:
            with self._engine.begin() as connection:
                if as_it_is:
                    _demand_version(_versions(connection))
                    return
                self.found_version = _settle_schema(connection, self._dialect)
                tables = APPEND_ONLY + retention_tables.APPEND_ONLY
                self._dialect.forbid_changes(connection, tables, retention_tables.MAY_GO)
        except BaseException:
            self._engine.dispose()
            raise

    def author(self, mint: Mint) -> None:
        """Sign every entry from now on, under first keys that are made so."""
        self._writer.authorship.by(mint)

    @property
    def authorship(self) -> Authorship:
        """Return whose hand writes here."""
        return self._writer.authorship

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
    def read(self, *, long: bool = False) -> Iterator[Connection]:
        """Lend a reading connection: each statement sees everything committed before it.

        ``long`` is for rows that are taken while they are found.
        """
        if self._closed:
            raise Unavailable("the database is closed")
        try:
            with self._readers.connect() as connection:
                yield connection.execution_options(**self._dialect.long_reading) if long else connection
        except DataError:
            raise Malformed("a value cannot be asked of the database") from None
        except SQLAlchemyError as error:
            raise Unavailable("the database cannot be read") from error
        except UNSTORABLE:
            raise Malformed("a value cannot be asked of the database") from None

    def leader(self) -> Leader:
        """Return what decides which of several processes does what one may do."""
        return self._dialect.make_leader()

    def settle(self) -> None:
        """Wait until everything that was committed by now has its place in the ledger.

        Raises:
            Unavailable: the ledger did not come so far.
        """
        self._dialect.settle()

    def close(self) -> None:
        """Commit what waits, then close every connection; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._writer.close()
        try:
            self._dialect.settle()
        except Unavailable as error:
            log.warning("what waits for its place in the ledger gets it later: %s", error)
        self._readers.dispose()
        self._engine.dispose()


def _dialect(place: str | Path, password_file: Path | None) -> EngineDialect:
    if isinstance(place, Path):
        return Sqlite(place)
    if place.startswith(SCHEME):
        return Postgres(place, password_file)
    if "://" in place and not place.startswith(_FILE):
        raise Unavailable("this build keeps its index in SQLite (sqlite:///PATH) or PostgreSQL (postgresql://…)")
    return Sqlite(Path(place.removeprefix(_FILE)))


def _settle_schema(connection: Connection, dialect: EngineDialect) -> int:
    """Create the tables in an empty database; bring those of an older version up, and refuse a newer one.

    Returns the version that was found, 0 for none.
    """
    dialect.hold_schema(connection)
    tables = inspect(connection).get_table_names()
    if not tables:
        dialect.create_schema(connection)
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
        return 0
    found = _versions(connection)
    if len(found) != 1 or not migrations.OLDEST <= found[0] < SCHEMA_VERSION:
        _demand_version(found)
        return SCHEMA_VERSION
    if not dialect.may_migrate(connection):
        _demand_version(found, ": open it once as the owner of its tables (pacs-secure init)")
    migrations.upgrade(connection, found[0])
    dialect.grant(connection, sorted(set(inspect(connection).get_table_names()) - set(tables)))
    connection.execute(update(schema_version).values(version=SCHEMA_VERSION))
    log.warning("the database was brought from schema version %s to %s", found[0], SCHEMA_VERSION)
    return found[0]


def _versions(connection: Connection) -> list[int]:
    """Return every version that the schema says it has: one, where all is well."""
    known = inspect(connection).has_table(schema_version.name)
    return list(connection.scalars(select(schema_version.c.version))) if known else []


def _demand_version(found: list[int], how: str = "") -> None:
    if found != [SCHEMA_VERSION]:
        versions = ", ".join(map(str, found)) or "none"
        raise Unavailable(f"the database has schema version {versions}; this build needs {SCHEMA_VERSION}{how}")
