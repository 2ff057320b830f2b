"""The tables of shares and boards: pseudonyms and aliases in clear, whoever and whatever is named in boxes."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from pacs_secure.adapters.sql.tables import Moment, RandomId, metadata

shares = Table(
    "shares",
    metadata,
    Column("share_id", RandomId, primary_key=True),
    Column("institution", String(63), nullable=False),
    Column("study_alias", RandomId, nullable=False),
    Column("patient_alias", RandomId, nullable=False),
    Column("inviter", String(32), nullable=False),
    Column("invitee", String(32), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("begins_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("redeemed_at", Moment),
    Column("revoked_at", Moment),
    Column("code", LargeBinary, nullable=False),
    Column("proof", LargeBinary, nullable=False),
    Column("box", LargeBinary, nullable=False),
)
Index("ix_shares_institution", shares.c.institution, shares.c.begins_at)
Index("ix_shares_inviter", shares.c.inviter, shares.c.begins_at)
Index("ix_shares_invitee", shares.c.invitee, shares.c.begins_at)
