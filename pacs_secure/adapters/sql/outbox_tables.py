"""What was said and waits for its place in the ledger, where writers do not take turns; and how far each writer is."""

from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from pacs_secure.adapters.sql.tables import Counter, Moment, RandomId, metadata


def _said() -> list[Column[Any]]:
    return [
        # In this order it is given its place; what a writer says stands in the order in which it was said.
        Column("id", Counter, primary_key=True),
        Column("writer", RandomId),
        Column("writer_seq", BigInteger),
        Column("mac", LargeBinary(16)),
        Column("at", String(27), nullable=False),
        Column("said", LargeBinary, nullable=False),
        # The notice of it: all of these or none.
        Column("notice_id", RandomId),
        Column("notice_kind", String(32)),
        Column("notice_about", RandomId),
        Column("notice_act", RandomId),
        Column("notice_made_at", Moment),
        Column("notice_box", LargeBinary),
    ]


audit_outbox = Table("audit_outbox", metadata, *_said())

# What no place could be given to: it is in nobody's way here, and is kept to be looked at.
audit_set_aside = Table("audit_set_aside", metadata, *_said())

ledger_writers = Table(
    "ledger_writers",
    metadata,
    # Which number of each writer comes next, so that one that is left out is seen when it should get its place.
    Column("writer", RandomId, primary_key=True),
    Column("next_seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
