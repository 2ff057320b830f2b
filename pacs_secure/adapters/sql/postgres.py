"""Everything that is true of PostgreSQL only: how it is reached, how long it is waited for, how it refuses changes.

A commit is answered when it is durable there (synchronous_commit), on a standby too where one is
configured. Nobody waits for ever: for a lock, a statement, a machine that fell silent, or a server that stands still.
A lost connection is `Unavailable` once; the next statement finds the primary again.
"""

import ipaddress
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, MetaData, QueuePool, String, Table, create_engine, event, text
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import SQLAlchemyError

from pacs_secure.adapters.sql.dialect import TAKES_TURNS
from pacs_secure.adapters.sql.outbox_tables import audit_outbox
from pacs_secure.adapters.sql.sequencer import Sequencer, settle
from pacs_secure.adapters.sql.tables import metadata, schema_version
from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import Leader

log = logging.getLogger(__name__)

T = TypeVar("T")

SCHEME = "postgresql://"

_ALLOWED = frozenset({"host", "port", "user", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey"})
"""What an address may say; whatever else libpq knows could switch off what is promised here."""

_REACHING: dict[str, str | int] = {
    "application_name": "pacs-secure",
    "connect_timeout": 5,
    "gssencmode": "disable",
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # Of several machines the one that takes changes: a standby may not know yet what was acknowledged.
    "target_session_attrs": "primary",
}
_SESSION = {
    "synchronous_commit": "on",
    "default_transaction_isolation": "read\\ committed",
    "lock_timeout": "10s",
    "client_encoding": "UTF8",
    # The server too must notice a machine that fell silent, and free what it held.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}
_WRITING = {"statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s"}
_SEQUENCING = {
    "statement_timeout": "15s",
    # A process that stands still must not keep the place: whoever leads looks forty times a second.
    "idle_in_transaction_session_timeout": "5s",
    "idle_session_timeout": "5s",
}
_READING = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    # Candidates of a search are opened while they come; whoever leaves them lying must not hold a snapshot for hours.
    "idle_in_transaction_session_timeout": "600s",
}
MARGIN = 5.0
"""Seconds that a server may be late with saying that it was too slow; then it is held for dead."""
ROLE = "pacs_secure"
"""What the archive runs as (deploy/postgres/roles.sql)."""
_SCHEMA_LOCK = int.from_bytes(b"pacs-sch")
"""Of the 64-bit names of advisory locks, the one for whoever creates tables."""

_REFUSE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'restrict_violation';
END $$
"""
_KEEP = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {condition} THEN RETURN OLD; END IF;
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'restrict_violation';
END $$
"""
_guarded = text(
    "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(:name) AND tgname = :is AND tgenabled = 'A'"
)
_owns = text("SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass(:name)")
_has_role = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")
_may_change = text("SELECT has_table_privilege(:name, 'UPDATE, TRUNCATE, TRIGGER')")


class Postgres:
    """One PostgreSQL database, by its address; the password is read from its file at every connect."""

    # Rows come in parts only inside a transaction; its one snapshot is that of the first.
    long_reading: Mapping[str, object] = MappingProxyType({"isolation_level": "REPEATABLE READ"})

    def __init__(self, url: str, password_file: Path | None) -> None:
        """Check the address.

        Raises:
            Unavailable: it is none, holds a password, or leads to another machine without verified TLS.
        """
        self._address = _address(url)
        self._password_file = password_file

    def make_writer(self) -> Engine:
        """Return the engine of the one writing connection."""
        return self._make(_WRITING, size=1, overflow=0).execution_options(**{TAKES_TURNS: False})

    def make_readers(self) -> Engine:
        """Return the engine of the readers, which cannot write."""
        return self._make(_READING, size=8, overflow=24).execution_options(isolation_level="AUTOCOMMIT")

    def make_leader(self) -> Leader:
        """Return the sequencer, which leads by the lock of its session."""
        return Sequencer(lambda: self._make(_SEQUENCING, size=1, overflow=0))

    def settle(self) -> None:
        """Wait until everything that was committed by now has its place; give it one where nobody leads.

        Raises:
            Unavailable: the ledger did not come so far.
        """
        engine = self._make(_WRITING, size=1, overflow=0)
        try:
            settle(engine)
        except SQLAlchemyError as error:
            raise Unavailable("the database cannot be reached") from error
        finally:
            engine.dispose()

    def hold_schema(self, connection: Connection) -> None:
        """Let nobody else create or look at the schema until this transaction ends."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})

    def create_schema(self, connection: Connection) -> None:
        """Create every table, with texts that sort by their bytes whatever the server's language is."""
        plain = MetaData(naming_convention=metadata.naming_convention)
        for table in metadata.sorted_tables:
            table.to_metadata(plain)
        for table in plain.tables.values():
            for column in table.columns:
                if isinstance(column.type, String):
                    column.type = String(column.type.length, collation="C")
        plain.create_all(connection)
        # Rows come and go there all day; what is dead is cleared away while it is little.
        connection.exec_driver_sql(
            f"ALTER TABLE {audit_outbox.name} SET (autovacuum_vacuum_scale_factor = 0, "
            "autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0)"
        )

    def may_migrate(self, connection: Connection) -> bool:
        """Say whether this role owns the tables, and let a change of many rows take as long as it takes."""
        owner: bool = connection.execute(_owns, {"name": schema_version.name}).scalar_one()
        if owner:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        return owner

    def grant(self, connection: Connection, tables: Sequence[str]) -> None:
        """Give the archive's role, where there is one, what deploy/postgres/roles.sql gives it of ordinary tables.

        What only grows is narrowed by that file alone, which is run again after a new version.
        """
        if tables and connection.execute(_has_role, {"role": ROLE}).scalar_one():
            named = ", ".join(tables)
            connection.exec_driver_sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {named} TO {ROLE}")
            connection.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")

    def forbid_changes(
        self, connection: Connection, tables: tuple[Table, ...], may_go: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Make the engine refuse UPDATE, DELETE and TRUNCATE of these tables, but for what may go, replicating or not.

        Whoever does not own the tables finds the triggers there, or is not let in.
        """
        for table in tables:
            if table.name in may_go:
                keep = f"{table.name}_keeps_row"
                made = _KEEP.format(name=keep, condition=may_go[table.name])
                _guard(connection, table.name, "removal", made, f"DELETE ON {table.name} FOR EACH ROW", keep)
                verbs = "UPDATE OR TRUNCATE"
            else:
                verbs = "UPDATE OR DELETE OR TRUNCATE"
            when = f"{verbs} ON {table.name} FOR EACH STATEMENT"
            _guard(connection, table.name, "change", _REFUSE, when, "refuse_change")
        if any(connection.execute(_may_change, {"name": table.name}).scalar_one() for table in tables):
            log.warning("the archive's role in the database owns the ledger: give it less (deploy/postgres/roles.sql)")

    def _make(self, session: dict[str, str], *, size: int, overflow: int) -> Engine:
        options = " ".join(f"-c {name}={value}" for name, value in (_SESSION | session).items())

        def connect() -> psycopg.Connection[Any]:
            known: dict[str, Any] = {**self._address, **_REACHING, **self._password()}
            connected = _Impatient.connect(**known, options=options)
            connected.patience = float(session["statement_timeout"].removesuffix("s")) + MARGIN
            return connected

        engine = create_engine(
            "postgresql+psycopg://",
            creator=connect,
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=overflow,
            pool_timeout=15,
            hide_parameters=True,
            use_native_hstore=False,
        )
        event.listen(engine, "handle_error", _keep_values_out)
        return engine

    def _password(self) -> dict[str, str]:
        if self._password_file is None:
            return {}
        try:
            if self._password_file.stat().st_mode & 0o077:
                raise psycopg.OperationalError("the file of the database's password is for its owner only")
            return {"password": self._password_file.read_text(encoding="utf-8").strip()}
        except (OSError, UnicodeDecodeError):
            raise psycopg.OperationalError("the database's password cannot be read") from None


class _Impatient(psycopg.Connection[Any]):
    """A connection that gives up an answer that does not come: no server that stands still keeps its own timeouts."""

    patience: float | None = None
    """Seconds."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait as the driver does, and close what did not answer in time."""
        patience, began = self.patience if timeout is None else timeout, time.monotonic()
        try:
            return super().wait(gen, interval, patience)
        except psycopg.OperationalError:
            if patience is not None and time.monotonic() - began >= patience:
                self.close()
            raise


def _guard(connection: Connection, table: str, what: str, function: str, when: str, name: str) -> None:
    """Put a trigger on a table unless it is there and always fires."""
    trigger = f"{table}_refuses_{what}"
    if not connection.execute(_guarded, {"name": table, "is": trigger}).scalar_one():
        # A percent sign would be the driver's own.
        connection.exec_driver_sql(function.replace("%", "%%"))
        connection.exec_driver_sql(f"CREATE OR REPLACE TRIGGER {trigger} BEFORE {when} EXECUTE FUNCTION {name}()")
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


def _address(url: str) -> dict[str, Any]:
    try:
        address = conninfo_to_dict(url)
    except psycopg.Error:
        raise Unavailable("the database's address is none") from None
    if address.pop("password", ""):
        raise Unavailable("a password does not stand in an address: name its file")
    if not address.keys() <= _ALLOWED or not address.get("host"):
        raise Unavailable("the database's address says too much, or not where it is")
    if not all(_on_this_machine(host) for host in str(address["host"]).split(",")):
        if address.setdefault("sslmode", "verify-full") != "verify-full":
            raise Unavailable("a database on another machine is reached by verified TLS only")
        address.setdefault("sslrootcert", "system")
    return address


def _on_this_machine(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _keep_values_out(context: ExceptionContext) -> None:
    """Cut an error to its first line: the details name the values that met (LOG-02)."""
    error = context.original_exception
    if not isinstance(error, psycopg.Error):
        return
    told = str(error)
    short = error.diag.message_primary or told.partition("\n")[0]
    error.args = (short,)
    if context.sqlalchemy_exception is not None:
        words = context.sqlalchemy_exception.args
        context.sqlalchemy_exception.args = tuple(str(word).replace(told, short) for word in words)
