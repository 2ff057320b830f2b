"""The table of ledger keys: which shelf key the details about whom, in which year, are sealed under."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from pacs_secure.adapters.sql.tables import RandomId, metadata

ledger_keys = Table(
    "ledger_keys",
    metadata,
    # A key stays of the year it was made for, whichever entry names it later.
    Column("key_id", RandomId, primary_key=True),
    Column("institution", String(63), nullable=False),
    # Sixteen zero bytes where an entry is about no patient: NULL would be in no order.
    Column("patient_alias", RandomId, nullable=False),
    Column("year", Integer, nullable=False),
    # Under the institution's key: without it nobody forgets or uses what a row names.
    Column("proof", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_ledger_keys_place", *(ledger_keys.c[name] for name in ("institution", "patient_alias", "year")))
Index("ix_ledger_keys_year", ledger_keys.c.year)
