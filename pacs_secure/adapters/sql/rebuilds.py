"""Filling an empty index and ledger from outside, in SQL."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import exists, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.bulk import insert_many
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger_keys import note_key_in
from pacs_secure.adapters.sql.outbox_tables import audit_outbox
from pacs_secure.adapters.sql.placing import take_in
from pacs_secure.adapters.sql.rebuild_tables import rebuilds
from pacs_secure.adapters.sql.retention_tables import retained_tiles, retention_certificates
from pacs_secure.adapters.sql.tables import instances, ledger, patients, studies
from pacs_secure.adapters.sql.traits import traits_of
from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.errors import Conflict
from pacs_secure.core.rebuilding import RebuildState
from pacs_secure.crypto.tlog import read_draft

_newest = select(rebuilds).order_by(rebuilds.c.number.desc()).limit(1)
_EMPTY = (patients, studies, instances, ledger, audit_outbox, retention_certificates)


class SqlRebuilds:
    """`pacs_secure.ports.Rebuilds` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> RebuildState | None:
        """Return the newest rebuild, None when there never was one."""
        with self._database.read() as connection:
            return _state(connection)

    def begin(self, at: datetime) -> RebuildState:
        """Begin a rebuild, or return the one that is under way.

        Raises:
            Conflict: something is in the index or the ledger already, and no rebuild of it is under way.
        """

        def begin(connection: Connection) -> RebuildState:
            state = _state(connection)
            if state is not None and state.finished_at is None:
                return state
            if any(connection.execute(select(exists().select_from(table))).scalar() for table in _EMPTY):
                raise Conflict("the index is not empty: a rebuild begins with an empty database")
            connection.execute(insert(rebuilds), {"begun_at": at, "finished_at": None})
            return RebuildState(at)

        return self._database.write(begin)

    def finish(self, at: datetime) -> None:
        """Note that the rebuild came to its end."""
        ended = update(rebuilds).where(rebuilds.c.finished_at.is_(None)).values(finished_at=at)
        self._database.write(lambda connection: connection.execute(ended))

    def take_back(self, entries: Sequence[LedgerEntry]) -> None:
        """Put entries that were published back into the ledger as they were, behind the last; durable on return.

        Raises:
            Conflict: they do not follow the last, or no rebuild is under way.
        """

        def take(connection: Connection) -> None:
            drafts = [read_draft(entry.content) for entry in entries]
            take_in(connection, [(entry, traits_of(draft)) for entry, draft in zip(entries, drafts, strict=True)])
            for draft in drafts:
                note_key_in(connection, draft)

        self._under_way(take)

    def take_back_expired(self, certificates: Mapping[int, tuple[int, bytes]], tiles: Mapping[int, bytes]) -> None:
        """Put back what stands for entries that expired; raises as `take_back`."""
        notes = [{"horizon": end, "start": start, "note": note} for end, (start, note) in certificates.items()]
        hashes = [{"number": number, "hashes": leaves} for number, leaves in tiles.items()]

        def take(connection: Connection) -> None:
            if not connection.execute(select(exists().select_from(retention_certificates))).scalar():
                insert_many(connection, retention_certificates, notes)
                insert_many(connection, retained_tiles, hashes)

        self._under_way(take)

    def _under_way(self, take: Callable[[Connection], None]) -> None:
        def demand(connection: Connection) -> None:
            state = _state(connection)
            if state is None or state.finished_at is not None:
                raise Conflict("no rebuild is under way")
            take(connection)

        self._database.write(demand)


def note_restore_in(connection: Connection, at: datetime) -> None:
    """Note that the whole index came from a backup, unless a rebuild is under way in it, which ends later."""
    state = _state(connection)
    if state is None or state.finished_at is not None:
        connection.execute(insert(rebuilds), {"begun_at": at, "finished_at": at})


def _state(connection: Connection) -> RebuildState | None:
    row = connection.execute(_newest).first()
    return None if row is None else RebuildState(row.begun_at, row.finished_at)
