"""Derived rows that find entries of the ledger by time and by whom they are about; the entries stay the proof."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, String, Table
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.bulk import insert_many
from pacs_secure.adapters.sql.tables import Moment, RandomId, metadata
from pacs_secure.adapters.sql.traits import Traits

ledger_times = Table(
    "ledger_times",
    metadata,
    Column("institution", String(63), primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("entry_index", BigInteger, primary_key=True, autoincrement=False),
    # Repeated here, so that what is rare is found without reading what is common.
    Column("action", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("role", String(16), nullable=False),
    Column("department", String, nullable=False),
    Column("actor", String(32), nullable=False),
    sqlite_with_rowid=False,
)

ledger_subjects = Table(
    "ledger_subjects",
    metadata,
    # Of a study or of a patient: random names, which never meet.
    Column("alias", RandomId, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("entry_index", BigInteger, primary_key=True, autoincrement=False),
    Column("actor", String(32), nullable=False),
    sqlite_with_rowid=False,
)


def index_in(connection: Connection, placed: Sequence[tuple[int, Traits]]) -> None:
    """Note by what entries are found, inside the write that gives them their places."""
    times = [
        {
            "institution": of.institution,
            "at": of.at,
            "entry_index": number,
            "action": of.action,
            "outcome": of.outcome,
            "role": of.role,
            "department": of.department,
            "actor": of.actor,
        }
        for number, of in placed
    ]
    subjects = [
        {"alias": alias, "at": of.at, "entry_index": number, "actor": of.actor}
        for number, of in placed
        for alias in {of.study_alias, of.patient_alias}
        if alias is not None
    ]
    insert_many(connection, ledger_times, times)
    insert_many(connection, ledger_subjects, subjects)
