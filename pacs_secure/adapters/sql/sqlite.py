"""Everything that is true of SQLite only: its pragmas, its locks, its file, its way to begin.

WAL with synchronous=FULL makes a commit durable against power loss; BEGIN IMMEDIATE takes the
write lock before the chain head is read, so several processes keep one dense chain.
"""

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from sqlite3 import Connection as DriverConnection
from sqlite3 import OperationalError
from types import MappingProxyType
from urllib.parse import quote

from sqlalchemy import Engine, QueuePool, Table, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from pacs_secure.adapters.file_leader import FileLeader
from pacs_secure.adapters.sql.tables import metadata
from pacs_secure.ports import Leader

BUSY_SECONDS = 15.0
"""How long a statement waits for another process's lock before it fails as `Unavailable`."""

_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    # Where fsync alone does not reach the platter (macOS), ask for what does.
    "PRAGMA fullfsync=ON",
    # A slow reader makes the log grow; it must not keep that size for ever.
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
    # What is removed is overwritten where it lay (GDPR 17): entries that expired, rows of the index.
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-16384",
)

_STATISTICS = {
    "sqlite_autoindex_studies_1": "100000 100000 1",
    "ix_studies_study_instance_uid": "100000 1",
    "ix_studies_newest": "100000 100000 25 1 1",
    "ix_studies_department": "100000 100000 10000 3 1 1",
    "ix_studies_patient_id_token": "100000 100000 3",
    "ix_studies_accession_number_token": "100000 100000 1",
    "ix_studies_birth_date_token": "100000 100000 10",
    "ix_ties_actor": "200000 20 1",
    "name_tokens": "800000 20 1",
    "study_modalities": "150000 150000 20000 5 1 1",
    "ix_study_modalities_study_id": "150000 2",
    "sqlite_autoindex_series_1": "400000 4 1",
    "ix_series_series_instance_uid": "400000 1",
    "sqlite_autoindex_instances_1": "20000000 20000000 1",
    "ix_instances_series_id": "20000000 50 50",
}
"""How many rows, and how many of them share the first one, two … columns of an index, in a hospital.

A table without row ids is its own index, by its own name.
"""


class Sqlite:
    """One SQLite database, by its file."""

    long_reading: Mapping[str, object] = MappingProxyType({})

    def __init__(self, path: Path) -> None:
        self._path = path

    def make_writer(self) -> Engine:
        """Return the engine of the one writing connection; make the file where it is missing."""
        create_file(self._path)
        return make_writer(self._path)

    def make_readers(self) -> Engine:
        """Return the engine of the readers."""
        return make_readers(self._path)

    def make_leader(self) -> Leader:
        """Return a lock on a file beside the database."""
        return FileLeader(self._path.with_name(f"{self._path.name}-leader"))

    def settle(self) -> None:
        """Do nothing: every commit has given its places."""

    def hold_schema(self, connection: Connection) -> None:
        """Do nothing: every transaction of the writer holds the one lock."""

    def create_schema(self, connection: Connection) -> None:
        """Create every table and say what hospitals are like."""
        metadata.create_all(connection)
        state_statistics(connection)

    def may_migrate(self, connection: Connection) -> bool:  # noqa: ARG002 - the port's signature
        """Say yes: whoever may write the file may do anything with it."""
        return True

    def grant(self, connection: Connection, tables: Sequence[str]) -> None:
        """Do nothing: a file has no roles."""

    def forbid_changes(
        self, connection: Connection, tables: tuple[Table, ...], may_go: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Make the engine itself refuse to change, remove or replace a row of these tables, but for what may go."""
        forbid_changes(connection, tables, may_go)


def create_file(path: Path) -> None:
    """Make the database file for its owner only; WAL and shared memory take its mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


def make_writer(path: Path) -> Engine:
    """Return the engine of the one writing connection: every transaction holds the write lock."""
    engine = _make(path, size=1, overflow=0)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def make_readers(path: Path) -> Engine:
    """Return the engine of the readers: each statement sees one snapshot and blocks nobody."""
    engine = _make(path, size=8, overflow=-1)
    event.listen(engine, "connect", _read_only)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def forbid_changes(
    connection: Connection, tables: tuple[Table, ...], may_go: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Make the engine itself refuse to change, remove or replace a row of these tables.

    REPLACE removes a row without asking a trigger on DELETE, so a taken key is refused before it.
    """
    for table in tables:
        (key,) = table.primary_key.columns.keys()
        taken = f"WHEN EXISTS (SELECT 1 FROM {table.name} WHERE {key} = NEW.{key})"  # noqa: S608 - names of our own
        stays = f"WHEN NOT ({may_go[table.name]})" if table.name in may_go else ""
        for verb, when in (("UPDATE", ""), ("DELETE", stays), ("INSERT", taken)):
            connection.exec_driver_sql(
                f"CREATE TRIGGER IF NOT EXISTS {table.name}_refuses_{verb.lower()} BEFORE {verb} ON {table.name} "
                f"{when} BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
            )


def state_statistics(connection: Connection) -> None:
    """Tell the planner how selective each index is, as ANALYZE would in a full database.

    Without it an identifier's few studies are looked for by walking all studies in date order.
    Said once and not measured, so that plans are the same on the first day and years later.
    """
    connection.exec_driver_sql("ANALYZE")
    for index, numbers in _STATISTICS.items():
        connection.exec_driver_sql(
            "INSERT INTO sqlite_stat1 (tbl, idx, stat) SELECT tbl_name, name, ? FROM sqlite_master WHERE name = ?",
            (numbers, index),
        )


def _make(path: Path, *, size: int, overflow: int) -> Engine:
    # A database that has gone must not come back empty: mode=rw creates nothing.
    address = f"file:{quote(str(path.absolute()))}?mode=rw"

    def connect() -> DriverConnection:
        return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=overflow,
        # An error may be logged with its cause; what was asked for stays out of it (LOG-02).
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    driver = _driver(connection)
    # The driver's own idea of when to begin is switched off: transactions begin in `_begin_immediate`.
    driver.isolation_level = None
    _use_wal(driver)
    for pragma in _PRAGMAS:
        driver.execute(pragma).close()


def _use_wal(driver: DriverConnection) -> None:
    """Switch to WAL; two processes doing so at once may find the file locked without being made to wait."""
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = driver.execute("PRAGMA journal_mode=WAL").fetchone()
        except OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            time.sleep(0.01)
        else:
            if mode != "wal":
                raise OperationalError("the file system cannot hold a write-ahead log")
            return


def _read_only(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    _driver(connection).execute("PRAGMA query_only=ON").close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _driver(connection: DBAPIConnection) -> DriverConnection:
    if not isinstance(connection, DriverConnection):
        raise TypeError("the standard library's SQLite driver is needed")
    return connection
