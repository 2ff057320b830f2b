"""How what was said gets its place in the ledger: one function for the commit that sequences and for the sequencer.

Index and ``prev_hash`` of each entry follow from the one before; the rows by which entries are found
are written beside them, many at once. Whoever calls this holds what keeps everybody else from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.bulk import insert_many
from pacs_secure.adapters.sql.emergency_tables import notices
from pacs_secure.adapters.sql.ledger_index_tables import index_in
from pacs_secure.adapters.sql.tables import ledger, open_acts
from pacs_secure.adapters.sql.traits import Traits
from pacs_secure.core.audit import LedgerEntry, Outcome, Statement
from pacs_secure.core.errors import Conflict, Tampered
from pacs_secure.core.notices import Notice
from pacs_secure.crypto.tlog import NO_ENTRY, compose_entry

_head = select(ledger.c.entry_index, ledger.c.leaf_hash).order_by(ledger.c.entry_index.desc()).limit(1)
_append = insert(ledger).execution_options(preserve_rowcount=True)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A statement without a place, what it will be found by, and the notice of it."""

    statement: Statement
    traits: Traits
    notice: Notice | None = None


def place_in(connection: Connection, waiting: Sequence[Waiting]) -> None:
    """Give each statement its place behind the last entry, in order.

    An entry that begins an act leaves the act open; any other outcome closes it.

    Raises:
        OverLimit: an entry would be too long.
        Tampered: the database does not keep what it is given.
    """
    head = connection.execute(_head).first()
    index, prev_hash = (0, NO_ENTRY) if head is None else (head.entry_index + 1, head.leaf_hash)
    entries = []
    for one in waiting:
        entry = compose_entry(one.statement, index, prev_hash)
        entries.append(entry)
        index, prev_hash = index + 1, entry.leaf_hash
    _keep(connection, entries)
    placed = [(entry.index, one) for entry, one in zip(entries, waiting, strict=True)]
    found = [(number, one.traits) for number, one in placed]
    index_in(connection, found)
    _note_acts(connection, found)
    told = [_notice_values(one.notice, number) for number, one in placed if one.notice is not None]
    insert_many(connection, notices, told)


def take_in(connection: Connection, placed: Sequence[tuple[LedgerEntry, Traits]]) -> None:
    """Put entries that have their place already behind the last one, as they were published.

    Raises:
        Conflict: they do not follow it.
        Tampered: the database does not keep what it is given.
    """
    head = connection.execute(_head).first()
    entries = [entry for entry, _ in placed]
    prev_hash = entries[0].prev_hash if head is None else head.leaf_hash
    index = entries[0].index if head is None else head.entry_index + 1
    for entry in entries:
        if (entry.index, entry.prev_hash) != (index, prev_hash):
            raise Conflict("the entries do not follow the last one")
        index, prev_hash = index + 1, entry.leaf_hash
    _keep(connection, entries)
    found = [(entry.index, of) for entry, of in placed]
    index_in(connection, found)
    _note_acts(connection, found)


def _keep(connection: Connection, entries: Sequence[LedgerEntry]) -> None:
    rows = [
        {
            "entry_index": entry.index,
            "content": entry.content,
            "leaf_hash": entry.leaf_hash,
            "prev_hash": entry.prev_hash,
        }
        for entry in entries
    ]
    if len(rows) == 1:
        kept = connection.execute(_append, rows).rowcount
    else:
        insert_many(connection, ledger, rows)
        new = ledger.c.entry_index >= entries[0].index
        kept = connection.execute(select(func.count()).select_from(ledger).where(new)).scalar_one()
    if kept != len(rows):
        raise Tampered("the database does not keep what it is given")


def _note_acts(connection: Connection, found: Sequence[tuple[int, Traits]]) -> None:
    """Leave begun acts open, and close those that have come to their outcome."""
    begun: dict[UUID, dict[str, object]] = {}
    ended: set[UUID] = set()
    for number, of in found:
        if of.outcome == Outcome.BEGUN:
            begun.setdefault(of.act, {"act": of.act, "begun": number, "begun_at": of.at})
        else:
            begun.pop(of.act, None)
            ended.add(of.act)
    if ended:
        connection.execute(delete(open_acts).where(open_acts.c.act.in_(sorted(ended))))
    if begun:
        known = set(connection.scalars(select(open_acts.c.act).where(open_acts.c.act.in_(sorted(begun)))))
        new = [row for act, row in begun.items() if act not in known]
        insert_many(connection, open_acts, new)


def _notice_values(notice: Notice, number: int) -> dict[str, object]:
    return {
        "number": number,
        "notice_id": notice.notice_id,
        "institution": notice.institution,
        "kind": notice.kind.value,
        "about": notice.about,
        "act": notice.act,
        "made_at": notice.made_at,
        "acknowledged_by": "",
        "box": notice.box,
    }
