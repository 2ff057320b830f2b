"""Many rows into one table at once, by the way that the engine has for it."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, insert
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

FEW = 20
"""Rows up to which a statement is quicker than COPY."""

_TYPES: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (BigInteger, "int8"),
    (Integer, "int4"),
    (LargeBinary, "bytea"),
    (String, "text"),
)

Processor = Callable[[Any], Any]


def insert_many(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns; none is fine."""
    if len(rows) > FEW and connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    elif rows:
        connection.execute(insert(table), rows)


def _copy(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    columns = [table.c[name] for name in rows[0]]
    types, processors = zip(*(_known(column, connection.dialect) for column in columns), strict=True)
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("psycopg's connection is needed")
    names = psycopg.sql.SQL(", ").join(psycopg.sql.Identifier(column.name) for column in columns)
    statement = psycopg.sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)")
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(statement.format(psycopg.sql.Identifier(table.name), names)) as copy,
        ):
            copy.set_types(types)
            for row in rows:
                copy.write_row([process(value) for process, value in zip(processors, row.values(), strict=True)])
    except psycopg.Error as error:
        error.args = (error.diag.message_primary or type(error).__name__,)
        raise DBAPIError("COPY", None, error, hide_parameters=True) from None


@lru_cache(maxsize=256)
def _known(column: Column[Any], dialect: Dialect) -> tuple[str, Processor]:
    """Return the engine's name of a column's type, and what makes a value fit for it."""
    implementation = column.type.dialect_impl(dialect)
    held = getattr(implementation, "impl_instance", implementation)
    name = next((name for kind, name in _TYPES if isinstance(held, kind)), None)
    if name is None:
        raise TypeError("a column of a type that is copied by nobody yet")
    processor: Processor | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    return name, processor or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value
