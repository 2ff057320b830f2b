"""The tables of what has gone from the ledger: certificates, and the leaf hashes of the entries, bundle by bundle."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from pacs_secure.adapters.sql.tables import ledger, metadata

retention_certificates = Table(
    "retention_certificates",
    metadata,
    Column("horizon", BigInteger, primary_key=True, autoincrement=False),
    # Each begins where the one before ended: of two that are made at once only one is kept.
    Column("start", BigInteger, nullable=False, unique=True),
    Column("note", LargeBinary, nullable=False),
)

retained_tiles = Table(
    "retained_tiles",
    metadata,
    # The same 256 hashes that the published tile of level 0 holds.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

APPEND_ONLY = (retention_certificates, retained_tiles)

MAY_GO = {
    ledger.name: (
        "EXISTS (SELECT 1 FROM retention_certificates WHERE horizon > OLD.entry_index) AND EXISTS ("
        "SELECT 1 FROM retained_tiles WHERE number = OLD.entry_index / 256 "
        "AND substr(hashes, CAST(OLD.entry_index % 256 AS INTEGER) * 32 + 1, 32) = OLD.leaf_hash)"
    )
}
"""When a row of an append-only table may go all the same: below a horizon, and once its leaf hash is kept.

Both engines read it alike. Whoever writes a horizon without the log's key opens the trigger and no verifier's eyes.
"""
