"""The table of policies: texts of rules, which name nobody, and sealed names of who proposed and approved them."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from pacs_secure.adapters.sql.tables import Counter, Moment, RandomId, metadata

policies = Table(
    "policies",
    metadata,
    Column("number", Counter, primary_key=True),
    Column("proposal_id", RandomId, nullable=False, unique=True),
    Column("version", String(16), nullable=False, index=True),
    Column("replaces", String(16), nullable=False),
    Column("texts_sha256", LargeBinary(32), nullable=False),
    Column("institution", String(63), nullable=False),
    Column("actor", String(32), nullable=False),
    Column("proposed_at", Moment, nullable=False),
    # All of these or none: who approved it, when, and as the how manyeth.
    Column("sequence", Integer, unique=True),
    Column("approved_by", String(32)),
    Column("approved_at", Moment),
    Column("approval_box", LargeBinary),
    Column("approval_proof", LargeBinary),
    Column("proof", LargeBinary, nullable=False),
    Column("box", LargeBinary, nullable=False),
    Column("texts", LargeBinary, nullable=False),
)
# One proposal of a policy waits at a time, also where two come at once.
_waiting = policies.c.sequence.is_(None)
Index(
    "uq_policies_waiting",
    policies.c.version,
    policies.c.replaces,
    unique=True,
    sqlite_where=_waiting,
    postgresql_where=_waiting,
)
