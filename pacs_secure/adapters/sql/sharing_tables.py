"""The tables of shares and boards: pseudonyms and aliases in clear, whoever and whatever is named in boxes."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

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

boards = Table(
    "boards",
    metadata,
    Column("board_id", RandomId, primary_key=True),
    Column("institution", String(63), nullable=False),
    Column("convener", String(32), nullable=False),
    Column("meets_on", String(10), nullable=False),
    Column("begins_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("version", Integer, nullable=False),
    Column("closed_at", Moment),
    Column("proof", LargeBinary, nullable=False),
    Column("box", LargeBinary, nullable=False),
    # Members and studies, packed: a board is read whole or not at all, by one statement.
    Column("seats", LargeBinary, nullable=False),
    Column("cases", LargeBinary, nullable=False),
)
Index("ix_boards_institution", boards.c.institution, boards.c.begins_at)
Index("ix_boards_convener", boards.c.convener, boards.c.begins_at)

board_members = Table(
    "board_members",
    metadata,
    # Finds the boards of a person without reading them all; the board itself says who is a member.
    Column("actor", String(32), primary_key=True),
    Column("board_id", ForeignKey("boards.board_id"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)
