"""Derived rows that find entries of the ledger by time and by whom they are about; the entries stay the proof."""

from sqlalchemy import BigInteger, Column, String, Table
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.tables import Moment, RandomId, metadata
from pacs_secure.core.audit import Draft

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
    sqlite_with_rowid=False,
)

_note_time = ledger_times.insert()
_note_subjects = ledger_subjects.insert()


def index_in(connection: Connection, entry_index: int, draft: Draft) -> None:
    """Note by what an entry is found, inside the write that gives it its place."""
    connection.execute(
        _note_time,
        {
            "institution": draft.institution,
            "at": draft.at,
            "entry_index": entry_index,
            "action": draft.action.value,
            "outcome": draft.outcome.value,
            "role": draft.role.value,
            "department": draft.department,
            "actor": draft.actor,
        },
    )
    aliases = {alias for alias in (draft.study_alias, draft.patient_alias) if alias is not None}
    if aliases:
        connection.execute(
            _note_subjects, [{"alias": alias, "at": draft.at, "entry_index": entry_index} for alias in aliases]
        )
