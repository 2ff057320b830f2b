"""Removing from the ledger in SQL: bundle by bundle, each in one commit with the leaf hashes that stay."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Delete, Select, bindparam, delete, func, insert, select
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.emergency_tables import notices
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.ledger_index_tables import ledger_subjects, ledger_times
from pacs_secure.adapters.sql.retention_tables import retained_tiles, retention_certificates
from pacs_secure.adapters.sql.tables import ledger, open_acts
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Tampered
from pacs_secure.crypto.tlog import WIDTH, read_draft

_notes = select(retention_certificates.c.note).order_by(retention_certificates.c.horizon)
_note = select(retention_certificates.c.note).where(retention_certificates.c.horizon == bindparam("a_horizon"))
_certified = select(func.coalesce(func.max(retention_certificates.c.horizon), 0))
_first = select(func.min(ledger.c.entry_index))
_oldest_open = select(func.min(open_acts.c.begun))
_bundle = (
    select(ledger.c.entry_index, ledger.c.content, ledger.c.leaf_hash)
    .where(ledger.c.entry_index >= bindparam("start"), ledger.c.entry_index < bindparam("stop"))
    .order_by(ledger.c.entry_index)
)
_kept_tile = select(retained_tiles.c.hashes).where(retained_tiles.c.number == bindparam("a_number"))


def _within(column: Any) -> tuple[Any, Any]:
    return column >= bindparam("start"), column < bindparam("stop")


_remove_notices = delete(notices).where(*_within(notices.c.number))
_remove_entries = delete(ledger).where(*_within(ledger.c.entry_index))
_remove_time = delete(ledger_times).where(
    ledger_times.c.institution == bindparam("an_institution"),
    ledger_times.c.at == bindparam("a_time"),
    ledger_times.c.entry_index == bindparam("an_index"),
)
_remove_subject = delete(ledger_subjects).where(
    ledger_subjects.c.alias == bindparam("an_alias"),
    ledger_subjects.c.at == bindparam("a_time"),
    ledger_subjects.c.entry_index == bindparam("an_index"),
)


class SqlRetention:
    """`pacs_secure.ports.Retention` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def certificates(self) -> Sequence[bytes]:
        """Return every certificate as stored, oldest first; whoever acts by one verifies it first."""
        with self._database.read() as connection:
            return list(connection.execute(_notes).scalars())

    def first(self) -> int:
        """Return the index of the first entry that is still kept whole; the size of the ledger when none is."""
        return self._number(_first) or 0

    def oldest_open(self) -> int | None:
        """Return the index of the oldest entry whose act has no outcome yet, or None: it must stay."""
        return self._number(_oldest_open)

    def certify(self, permit: Permit, start: int, horizon: int, note: bytes, draft: Draft) -> None:  # noqa: ARG002 - the proof
        """Keep a certificate and record it, in one commit; the same one twice is kept and recorded once.

        Raises:
            Conflict: it does not begin at the newest horizon: somebody else has certified meanwhile.
        """

        def keep(connection: Connection) -> None:
            if connection.execute(_note, {"a_horizon": horizon}).scalar() == note:
                return
            if connection.execute(_certified).scalar_one() != start:
                raise Conflict("another certificate was made meanwhile")
            row = {"horizon": horizon, "start": start, "note": note}
            connection.execute(insert(retention_certificates), row)
            append_in(connection, draft)

        self._database.write(keep)

    def expire(self, permit: Permit, stop: int) -> int:  # noqa: ARG002 - the Permit is the proof
        """Remove the oldest bundle of entries below ``stop`` and keep its leaf hashes; return how many went.

        Raises:
            Conflict: no certificate reaches so far.
            Tampered: an entry is missing, or is none of this build's.
        """
        start = self.first() // WIDTH * WIDTH
        if start + WIDTH > stop:
            return 0
        return self._database.write(lambda connection: _expire(connection, start, stop))

    def _number(self, asked: Select[Any]) -> int | None:
        with self._database.read() as connection:
            found: int | None = connection.execute(asked).scalar()
            return found


def _expire(connection: Connection, start: int, stop: int) -> int:
    if connection.execute(_certified).scalar_one() < stop:
        raise Conflict("no certificate reaches so far")
    span = {"start": start, "stop": start + WIDTH}
    rows = connection.execute(_bundle, span).all()
    if [row.entry_index for row in rows] != list(range(start, start + WIDTH)):
        raise Tampered("an entry that was to go is missing")
    number, hashes = start // WIDTH, b"".join(row.leaf_hash for row in rows)
    kept = connection.execute(_kept_tile, {"a_number": number}).scalar()
    if kept is None:
        connection.execute(insert(retained_tiles), {"number": number, "hashes": hashes})
    elif kept != hashes:
        raise Tampered("other leaf hashes are kept than the entries have")
    for statement, named in _finding_aids([(row.entry_index, read_draft(row.content)) for row in rows]):
        connection.execute(statement, named)
    connection.execute(_remove_notices, span)
    return connection.execute(_remove_entries, span).rowcount


def _finding_aids(drafts: Sequence[tuple[int, Draft]]) -> list[tuple[Delete, list[dict[str, object]]]]:
    """Return what removes the rows by which entries are found, each by its whole key."""
    times, subjects = [], []
    for index, draft in drafts:
        times.append({"an_institution": draft.institution, "a_time": draft.at, "an_index": index})
        aliases = {alias for alias in (draft.study_alias, draft.patient_alias) if alias is not None}
        subjects += [{"an_alias": alias, "a_time": draft.at, "an_index": index} for alias in aliases]
    removed = ((_remove_time, times), (_remove_subject, subjects))
    return [(statement, named) for statement, named in removed if named]
