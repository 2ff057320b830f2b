"""The table of what is being forgotten: random ids, and the UIDs of studies that are no longer in the index."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from pacs_secure.adapters.sql.tables import Moment, RandomId, metadata

forgettings = Table(
    "forgettings",
    metadata,
    Column("forgetting_id", RandomId, primary_key=True),
    Column("institution", String(63), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("study_alias", RandomId, nullable=False, unique=True),
    Column("patient_alias", RandomId, nullable=False),
    Column("department", String, nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("stage", String(16), nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    Column("fenced_at", Moment),
    Column("proof", LargeBinary(32), nullable=False),
    # Ids of 16 bytes each, one behind the other.
    Column("key_ids", LargeBinary, nullable=False),
    Column("object_ids", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_forgettings_study", forgettings.c.institution, forgettings.c.study_instance_uid)
