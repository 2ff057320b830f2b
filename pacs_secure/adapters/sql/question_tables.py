"""The table of questions about employees: times and pseudonyms of those who asked and ruled; every name is sealed."""

from sqlalchemy import Boolean, Column, LargeBinary, String, Table

from pacs_secure.adapters.sql.tables import Counter, Moment, RandomId, metadata

employee_questions = Table(
    "employee_questions",
    metadata,
    Column("number", Counter, primary_key=True),
    Column("question_id", RandomId, nullable=False, unique=True),
    Column("institution", String(63), nullable=False, index=True),
    Column("actor", String(32), nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("asked_at", Moment, nullable=False),
    # All of these or none: who ruled on it, when and how.
    Column("approved", Boolean),
    Column("ruled_by", String(32)),
    Column("ruled_at", Moment),
    Column("ruling_box", LargeBinary),
    Column("ruling_proof", LargeBinary),
    Column("proof", LargeBinary, nullable=False),
    Column("box", LargeBinary, nullable=False),
)
