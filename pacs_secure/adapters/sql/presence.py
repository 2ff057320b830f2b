"""Which writers are alive, where several archives share one database: what they have under way is not to be closed.

Each archive's writing session holds an advisory lock in the name of every writer that it has been. The engine
takes the locks back when the session ends, however it ends.
"""

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.engine import Connection

from pacs_secure.core.identifiers import KeyId

_CLAIMED = "claimed"
_claim = text("SELECT pg_advisory_lock_shared(:key)")
_held = text(
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def claim(connection: Connection, writers: Iterable[KeyId]) -> None:
    """Say, for as long as this session lasts, that these writers are alive."""
    claimed: set[KeyId] = connection.info.setdefault(_CLAIMED, set())
    for writer in writers:
        if writer not in claimed:
            connection.execute(_claim, {"key": _key(writer)})
            claimed.add(writer)


def alive(connection: Connection, writers: Iterable[KeyId]) -> frozenset[KeyId]:
    """Return those of the writers that some session says are alive; on one machine's file nobody says so."""
    if connection.dialect.name != "postgresql":
        return frozenset()
    held = set(connection.scalars(_held))
    return frozenset(writer for writer in writers if _key(writer) in held)


def _key(writer: KeyId) -> int:
    return int.from_bytes(writer.bytes[:8], signed=True)
