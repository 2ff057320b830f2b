"""The tables of broken glasses and of what officers are told; like all others they name nobody in clear."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table

from pacs_secure.adapters.sql.tables import Moment, RandomId, metadata

emergencies = Table(
    "emergencies",
    metadata,
    Column("emergency_id", RandomId, primary_key=True),
    Column("institution", String(63), nullable=False),
    Column("patient_alias", RandomId, nullable=False),
    Column("actor", String(32), nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    # Whoever judged it, when and how; NULL as long as nobody has.
    Column("judgement", String(16)),
    Column("reviewed_by", String(32)),
    Column("reviewed_at", Moment),
    Column("box", LargeBinary, nullable=False),
    Column("review_box", LargeBinary),
)
Index("ix_emergencies_newest", *(emergencies.c[name] for name in ("institution", "reviewed_at", "opened_at")))
Index("ix_emergencies_actor", *(emergencies.c[name] for name in ("institution", "actor", "opened_at")))

notices = Table(
    "notices",
    metadata,
    # The entry whose commit it shared: at most one notice an entry, in the order of the ledger.
    Column("number", ForeignKey("ledger.entry_index"), primary_key=True, autoincrement=False),
    Column("notice_id", RandomId, nullable=False, unique=True),
    Column("institution", String(63), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("about", RandomId, nullable=False, index=True),
    Column("act", RandomId, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Column("acknowledged_at", Moment),
    Column("acknowledged_by", String(32), nullable=False),
    Column("box", LargeBinary, nullable=False),
)
Index("ix_notices_newest", *(notices.c[name] for name in ("institution", "acknowledged_at", "number")))

notice_channels = Table(
    "notice_channels",
    metadata,
    # How far each way out has come; what lies behind that waits.
    Column("institution", String(63), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("through", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
