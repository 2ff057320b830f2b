"""The outbox: what was said is written into the business transaction, and takes its turn after the commit.

Writers then wait for nobody: no chain head is locked in their transactions, and what one of them says
stands in the order in which it was said. What was acknowledged is durable here as it would be in the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, StatementError

from pacs_secure.adapters.sql.outbox_tables import audit_outbox, audit_set_aside, ledger_writers
from pacs_secure.adapters.sql.placing import Waiting, place_in
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.adapters.sql.traits import read_traits
from pacs_secure.core.audit import Authorship, Statement
from pacs_secure.core.errors import OverLimit, Tampered
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.core.notices import Notice, NoticeKind
from pacs_secure.crypto.tlog import NO_ENTRY, compose_entry

MOST_AT_ONCE = 2000
"""Statements that get their place in one commit."""

_LAST_INDEX = 10**18

_put = insert(audit_outbox).inline().execution_options(preserve_rowcount=True)
_next_of = select(ledger_writers).where(ledger_writers.c.writer.in_(bindparam("writers", expanding=True)))
_come_first = insert(ledger_writers)
_come_so_far = (
    update(ledger_writers).where(ledger_writers.c.writer == bindparam("who")).values(next_seq=bindparam("then"))
)


@dataclass(slots=True)
class Sequenced:
    """What one commit of the sequencer brought."""

    taken: int = 0
    missing: list[tuple[KeyId, int, int]] = field(default_factory=list)
    """Writers, the number that was due and the one that came."""
    unreadable: list[int] = field(default_factory=list)
    """Rows that are nothing the archive wrote, or that no table takes."""

    @property
    def placed(self) -> bool:
        """Whether the ledger took something."""
        return self.taken > 0 and not self.unreadable


def put_in(connection: Connection, waiting: Waiting) -> None:
    """Keep a statement until it gets its place.

    Raises:
        OverLimit: it would be too long for an entry.
        Tampered: the database does not keep what it is given.
    """
    statement, notice = waiting.statement, waiting.notice
    compose_entry(statement, _LAST_INDEX, NO_ENTRY)
    by = statement.authorship
    row = {
        "writer": by and by.writer,
        "writer_seq": by and by.number,
        "mac": by and by.mac,
        "at": statement.at,
        "said": statement.said,
        "notice_id": notice and notice.notice_id,
        "notice_kind": notice and notice.kind.value,
        "notice_about": notice and notice.about,
        "notice_act": notice and notice.act,
        "notice_made_at": notice and notice.made_at,
        "notice_box": notice and notice.box,
    }
    if connection.execute(_put, row).rowcount != 1:
        raise Tampered("the database does not keep what it is given")


def sequence_in(connection: Connection, leave: Sequence[int] = (), only: int | None = None) -> Sequenced:
    """Give the oldest statements their places, inside a transaction of whoever leads.

    ``leave`` names rows that are known to get none; ``only`` one that is tried by itself. Where the answer names
    unreadable rows, the transaction must be rolled back.
    """
    oldest = select(audit_outbox.c.id).order_by(audit_outbox.c.id).limit(MOST_AT_ONCE)
    oldest = oldest.where(audit_outbox.c.id.not_in(leave) if only is None else audit_outbox.c.id == only)
    taken = delete(audit_outbox).where(audit_outbox.c.id.in_(oldest)).returning(*audit_outbox.c)
    rows = sorted(connection.execute(taken).all(), key=lambda row: row.id)
    answer = Sequenced(len(rows))
    waiting = []
    for row in rows:
        try:
            waiting.append((row.id, _waiting(row)))
        except Tampered:
            answer.unreadable.append(row.id)
    if answer.unreadable or not waiting:
        return answer
    if not _placed(connection, [one for _, one in waiting]):
        answer.unreadable = [number for number, one in waiting if not _placed(connection, [one])]
        return answer
    answer.missing = _note_numbers(connection, [one.statement.authorship for _, one in waiting])
    return answer


def set_aside_in(connection: Connection, row: int) -> None:
    """Move a row that gets no place to where nothing waits: it is kept as it is, and its writer's gap shows."""
    taken = delete(audit_outbox).where(audit_outbox.c.id == row).returning(*audit_outbox.c)
    for found in connection.execute(taken).all():
        connection.execute(insert(audit_set_aside).inline(), found._asdict())


def _placed(connection: Connection, waiting: Sequence[Waiting]) -> bool:
    """Say whether all of them got their places; where one cannot, what they say is at fault, and nothing was kept."""
    try:
        with connection.begin_nested():
            place_in(connection, waiting)
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.DataError | psycopg.IntegrityError):
            raise
        return False
    except (StatementError, ValueError, TypeError, OverflowError, OverLimit):
        return False
    return True


def _waiting(row: AnyRow) -> Waiting:
    authorship = None
    if row.writer is not None and row.writer_seq is not None and row.mac is not None:
        if not 0 <= row.writer_seq <= _LAST_INDEX:
            raise Tampered("what waits has a number that nobody comes to")
        authorship = Authorship(KeyId(row.writer), row.writer_seq, row.mac)
    statement = Statement(row.at, row.said, authorship)
    traits = read_traits(statement)
    if row.notice_id is None:
        return Waiting(statement, traits)
    try:
        kind = NoticeKind(row.notice_kind)
    except ValueError:
        raise Tampered("a waiting notice is none") from None
    about, act, made_at, box = row.notice_about, row.notice_act, row.notice_made_at, row.notice_box
    of = Institution(traits.institution)
    return Waiting(statement, traits, Notice(row.notice_id, of, kind, about, act, made_at, box))


def _note_numbers(connection: Connection, said: Sequence[Authorship | None]) -> list[tuple[KeyId, int, int]]:
    """Keep how far each writer has come, and return where a number was left out or came again."""
    authors = [one for one in said if one is not None]
    if not authors:
        return []
    writers = sorted({one.writer for one in authors})
    due = {KeyId(row.writer): row.next_seq for row in connection.execute(_next_of, {"writers": writers})}
    known, missing = frozenset(due), []
    for one in authors:
        expected = due.get(one.writer, 0)
        if one.number != expected:
            missing.append((one.writer, expected, one.number))
        due[one.writer] = max(expected, one.number + 1)
    come = [{"who": writer, "then": due[writer]} for writer in writers if writer in known]
    new = [{"writer": writer, "next_seq": due[writer]} for writer in writers if writer not in known]
    if come:
        connection.execute(_come_so_far, come)
    if new:
        connection.execute(_come_first, new)
    return missing
