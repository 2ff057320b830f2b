"""Finds entries of the ledger by derived rows, page by page in the order of their time."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, literal, select, tuple_

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger_index_tables import ledger_subjects, ledger_times
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.adapters.sql.tables import Moment, ledger
from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.errors import NotFound
from pacs_secure.core.seeking import Sought
from pacs_secure.crypto.tlog import read_draft

_AT_ONCE = 500


def found(database: Database, sought: Sought, after: int | None) -> Iterator[LedgerEntry]:
    """Yield the entries that the derived rows name, behind the entry ``after`` when given.

    Raises:
        NotFound: there is no entry ``after``.
    """
    place = None if after is None else _place(database, after)
    while rows := _page(database, sought, place):
        for row in rows:
            yield LedgerEntry(row.entry_index, row.content, row.leaf_hash, row.prev_hash)
        place = rows[-1].at, rows[-1].entry_index


def _place(database: Database, index: int) -> tuple[datetime, int]:
    with database.read() as connection:
        content = connection.execute(select(ledger.c.content).where(ledger.c.entry_index == index)).scalar()
    if content is None:
        raise NotFound("no such object")
    return read_draft(content).at, index


def _page(database: Database, sought: Sought, place: tuple[datetime, int] | None) -> Sequence[AnyRow]:
    with database.read() as connection:
        return connection.execute(statement(sought, place)).all()


def statement(sought: Sought, place: tuple[datetime, int] | None) -> Select[*tuple[Any, ...]]:
    """Return what finds one page of candidates behind a place: the time and index of an entry."""
    rows, conditions = _by_time(sought) if sought.aliases is None else _by_alias(sought.aliases)
    order = tuple_(rows.c.at, rows.c.entry_index)
    if place is not None:
        behind = tuple_(literal(place[0], Moment()), literal(place[1]))
        conditions.append(order < behind if sought.newest_first else order > behind)
    if sought.since is not None:
        conditions.append(rows.c.at >= sought.since)
    if sought.until is not None:
        conditions.append(rows.c.at < sought.until)
    columns = (rows.c.at, rows.c.entry_index)
    return (
        select(rows.c.at, *ledger.c)
        .join_from(rows, ledger, ledger.c.entry_index == rows.c.entry_index)
        .where(*conditions)
        .order_by(*(column.desc() if sought.newest_first else column for column in columns))
        .limit(_AT_ONCE)
    )


def _by_alias(aliases: Collection[UUID]) -> tuple[Table, list[ColumnElement[bool]]]:
    return ledger_subjects, [ledger_subjects.c.alias.in_(sorted(aliases))]


def _by_time(sought: Sought) -> tuple[Table, list[ColumnElement[bool]]]:
    asked = {
        "institution": sought.institution,
        "action": sought.action,
        "outcome": sought.outcome,
        "role": sought.role,
        "department": sought.department,
        "actor": sought.actor or None,
    }
    return ledger_times, [ledger_times.c[name] == str(value) for name, value in asked.items() if value is not None]
