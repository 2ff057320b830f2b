"""The ledger in SQL: a dense chain, and what follows from it.

On SQLite the commit itself sequences: the write lock is held from before the head is read until the entry
is durable, so index and ``prev_hash`` cannot race. On PostgreSQL `append_in` writes to the outbox, and the
one sequencer gives each statement its place (`sequencer.py`); readers of these tables do not notice.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, insert, select
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.authorship import Mint, sign
from pacs_secure.adapters.sql.dialect import TAKES_TURNS
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger_index_tables import ledger_subjects
from pacs_secure.adapters.sql.ledger_keys import note_key_in
from pacs_secure.adapters.sql.ledger_search import found
from pacs_secure.adapters.sql.outbox import put_in
from pacs_secure.adapters.sql.outbox_tables import audit_outbox
from pacs_secure.adapters.sql.placing import Waiting, place_in
from pacs_secure.adapters.sql.retention_tables import retained_tiles
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.adapters.sql.tables import checkpoints, ledger
from pacs_secure.adapters.sql.traits import traits_of
from pacs_secure.core.audit import Draft, LedgerEntry
from pacs_secure.core.errors import Conflict, Denied
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.notices import Notice
from pacs_secure.core.seeking import Sought
from pacs_secure.crypto.tlog import WIDTH

_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
_AT_ONCE = 500
_LEAVES_AT_ONCE, _TILES_AT_ONCE = 4096, 16
_HASH = 32

_about = (
    select(ledger)
    .join(ledger_subjects, ledger_subjects.c.entry_index == ledger.c.entry_index)
    .where(ledger_subjects.c.alias == bindparam("an_alias"), ledger_subjects.c.entry_index >= bindparam("start"))
    .order_by(ledger_subjects.c.entry_index)
    .limit(_AT_ONCE)
)
_about_actor = _about.where(ledger_subjects.c.actor == bindparam("an_actor"))
_lagging = select(audit_outbox.c.id).where(audit_outbox.c.at < bindparam("before")).limit(1)
_size = select(func.coalesce(func.max(ledger.c.entry_index) + 1, 0))
_range = (
    select(ledger)
    .where(ledger.c.entry_index >= bindparam("start"), ledger.c.entry_index < bindparam("stop"))
    .order_by(ledger.c.entry_index)
    .limit(_AT_ONCE)
)
_leaves = (
    select(ledger.c.entry_index, ledger.c.leaf_hash)
    .where(ledger.c.entry_index >= bindparam("start"), ledger.c.entry_index < bindparam("stop"))
    .order_by(ledger.c.entry_index)
    .limit(_LEAVES_AT_ONCE)
)
_tiles = (
    select(retained_tiles)
    .where(retained_tiles.c.number >= bindparam("start"))
    .order_by(retained_tiles.c.number)
    .limit(_TILES_AT_ONCE)
)
_notes = select(checkpoints).where(checkpoints.c.size > bindparam("after")).order_by(checkpoints.c.size).limit(_AT_ONCE)
_note = select(checkpoints.c.note).where(checkpoints.c.size == bindparam("of_size"))


def append_in(connection: Connection, draft: Draft, notice: Notice | None = None) -> None:
    """Append inside a write that is under way, so that change, record and notice share the commit.

    An entry that begins an act leaves the act open; any other outcome closes it.

    Raises:
        Denied: the notice is another institution's.
        Tampered: the database does not keep what it is given.
        Unavailable: the entry cannot be signed.
    """
    if notice is not None and notice.institution != draft.institution:
        raise Denied("institutions are strictly apart")
    note_key_in(connection, draft)
    waiting = Waiting(sign(connection, draft), traits_of(draft), notice)
    if connection.get_execution_options().get(TAKES_TURNS, True):
        place_in(connection, [waiting])
    else:
        put_in(connection, waiting)


class SqlLedger:
    """`pacs_secure.ports.Ledger` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def author(self, mint: Mint) -> None:
        """Sign every entry from now on, whichever adapter of this database appends it."""
        self._database.author(mint)

    def said(self) -> tuple[KeyId, int] | None:
        """Return as which writer this process writes, and how many of its entries are kept; None before the first."""
        return self._database.authorship.kept

    def trust(self, *, held: bool) -> None:
        """Append only while what was kept is there, through whichever adapter of this database."""
        self._database.authorship.trust(held=held)

    def append(self, draft: Draft, notice: Notice | None = None) -> None:
        """Give the draft its place, and the notice of it with it when there is one; durable on return."""
        self._database.write(lambda connection: append_in(connection, draft, notice))

    def follow(self, draft: Draft) -> None:
        """Append with the next commit, without waiting: only for outcomes of acts already recorded.

        When that commit fails, the act stays open and `SqlRecords.open_acts` tells of it.
        """
        self._database.write_later(lambda connection: append_in(connection, draft))

    def size(self) -> int:
        """Return the number of entries."""
        with self._database.read() as connection:
            size: int = connection.execute(_size).scalar_one()
            return size

    def lags(self, before: datetime) -> bool:
        """Say whether something that was said before a time still waits for its place."""
        with self._database.read() as connection:
            return (
                connection.execute(_lagging, {"before": before.astimezone(UTC).strftime(_INSTANT)}).first() is not None
            )

    def entries(self, start: int, stop: int) -> Iterator[LedgerEntry]:
        """Yield entries ``start <= index < stop`` as stored, in order."""
        # Page by page: a reader that takes hours must not keep the write-ahead log from being folded in.
        while rows := self._page(_range, {"start": start, "stop": stop}):
            for index, content, leaf_hash, prev_hash in rows:
                yield LedgerEntry(index, content, leaf_hash, prev_hash)
            start = rows[-1].entry_index + 1

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the leaf hashes ``start <= index < stop`` up to the first that is missing, of expired entries too."""
        while start < stop:
            # An entry may expire between the two looks; then its hash has come to the other place.
            found = self._retained(start) or self._leaves(start, stop) or self._retained(start)
            yield from found[: stop - start]
            if not found:
                return
            start += len(found)

    def about(self, study_alias: UUID, actor: str = "") -> Iterator[LedgerEntry]:
        """Yield the entries about a study, those of one actor when named, oldest first."""
        start = 0
        named = {"an_alias": study_alias} | ({"an_actor": actor} if actor else {})
        while rows := self._page(_about_actor if actor else _about, {**named, "start": start}):
            for row in rows:
                yield LedgerEntry(row.entry_index, row.content, row.leaf_hash, row.prev_hash)
            start = rows[-1].entry_index + 1

    def find(self, sought: Sought, after: int | None = None) -> Iterator[LedgerEntry]:
        """Yield candidates in the order of their time, behind the entry ``after`` when given."""
        return found(self._database, sought, after)

    def checkpoints(self, start: int = 0) -> Iterator[bytes]:
        """Yield every signed checkpoint note of at least a size as stored, oldest first."""
        after = start - 1
        while rows := self._page(_notes, {"after": after}):
            yield from (row.note for row in rows)
            after = rows[-1].size

    def add_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a signed checkpoint; the same one twice is kept once.

        Raises:
            Conflict: another note of this size is kept already.
        """

        def keep(connection: Connection) -> None:
            kept = connection.execute(_note, {"of_size": size}).scalar()
            if kept is None:
                connection.execute(insert(checkpoints), {"size": size, "note": note})
            elif kept != note:
                raise Conflict("another checkpoint of this size is kept")

        self._database.write(keep)

    def _leaves(self, start: int, stop: int) -> list[bytes]:
        rows = self._page(_leaves, {"start": start, "stop": stop})
        return [row.leaf_hash for place, row in enumerate(rows, start) if row.entry_index == place]

    def _retained(self, start: int) -> list[bytes]:
        number, within = divmod(start, WIDTH)
        rows = self._page(_tiles, {"start": number})
        hashes = b"".join(row.hashes for place, row in enumerate(rows, number) if row.number == place)
        return [hashes[place : place + _HASH] for place in range(within * _HASH, len(hashes), _HASH)]

    def _page(self, wanted: Select[*tuple[Any, ...]], asked: Mapping[str, object]) -> Sequence[AnyRow]:
        with self._database.read() as connection:
            return connection.execute(wanted, asked).all()
