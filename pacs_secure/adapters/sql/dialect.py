"""What an engine is told or asked in its own way: one small object, chosen once when a database is opened."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from sqlalchemy import Engine, Table
from sqlalchemy.engine import Connection

from pacs_secure.ports import Leader

TAKES_TURNS = "writers_take_turns"
"""Execution option of writing connections: whether each holds the one lock, so that a commit may sequence."""


class EngineDialect(Protocol):
    """One engine and the place of one database; everything else is written once, for all of them."""

    long_reading: Mapping[str, object]
    """Execution options of a connection whose rows are taken while they are found, not all at once."""

    def make_writer(self) -> Engine:
        """Return the engine of the one writing connection, whose commits are durable when they are answered."""

    def make_readers(self) -> Engine:
        """Return the engine of the readers: each statement sees one snapshot and blocks nobody."""

    def make_leader(self) -> Leader:
        """Return what decides which of several processes does what one may do."""

    def settle(self) -> None:
        """Wait until everything that was committed by now has its place in the ledger.

        Raises:
            Unavailable: the ledger did not come so far.
        """

    def hold_schema(self, connection: Connection) -> None:
        """Let nobody else create or look at the schema until this transaction ends."""

    def create_schema(self, connection: Connection) -> None:
        """Create every table in an empty database."""

    def may_migrate(self, connection: Connection) -> bool:
        """Say whether this process may change the schema, and let it take as long as that takes."""

    def grant(self, connection: Connection, tables: Sequence[str]) -> None:
        """Give the archive's role what it needs of tables that a newer version has made."""

    def forbid_changes(
        self, connection: Connection, tables: tuple[Table, ...], may_go: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Make the engine itself refuse to change or remove a row of these tables.

        ``may_go`` says, for a table's name, when a row of it may be removed all the same: a
        condition on OLD, in words of every engine.
        """
