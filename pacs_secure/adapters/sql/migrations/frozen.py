"""Columns as revisions write them down: types of their own, which do not change when the archive's do."""

from sqlalchemy import BigInteger, Integer, LargeBinary, String
from sqlalchemy.types import TypeEngine

MOMENT = BigInteger()
RANDOM_ID = LargeBinary(16)
COUNTER = BigInteger().with_variant(Integer(), "sqlite")


def text(length: int | None = None) -> TypeEngine[str]:
    """Return a text that sorts by its bytes whatever the server's language is."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")
