"""The table of the scrub's rounds: places, counts and times."""

from sqlalchemy import BigInteger, Column, Integer, Table

from pacs_secure.adapters.sql.tables import Moment, metadata

scrub_rounds = Table(
    "scrub_rounds",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("begun_at", Moment, nullable=False),
    Column("looked_at", Moment, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("objects", BigInteger, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("wanting", BigInteger, nullable=False),
    Column("finished_at", Moment),
)
