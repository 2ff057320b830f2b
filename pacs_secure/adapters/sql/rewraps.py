"""How far a rewrapping has come, in SQL."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.rewrap_tables import rewraps
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Tampered
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import RewrapRow, Shelf

_ours = rewraps.c.institution == bindparam("an_institution")
_of = select(rewraps).where(_ours).order_by(rewraps.c.shelf)
_remove = delete(rewraps).where(_ours)
_advance = (
    update(rewraps)
    .where(
        _ours,
        rewraps.c.shelf == bindparam("a_shelf"),
        rewraps.c.version == bindparam("a_version"),
        rewraps.c.begun == bindparam("at_begin"),
    )
    .values(
        last_key_id=bindparam("to_last"),
        done=bindparam("to_done"),
        failed=bindparam("to_failed"),
        finished=bindparam("to_finished"),
    )
)


class SqlRewraps:
    """`pacs_secure.ports.Rewraps` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, institution: Institution) -> Sequence[RewrapRow]:
        """Return the newest rewrapping of an institution, one row a shelf, in order of the shelves."""
        with self._database.read() as connection:
            return [_row(institution, one) for one in connection.execute(_of, {"an_institution": institution})]

    def begin(self, permit: Permit, rows: Sequence[RewrapRow], draft: Draft) -> None:  # noqa: ARG002 - the Permit is the proof
        """Begin with these rows in the place of older ones, and record it, in one commit."""
        written = [
            {"last_key_id" if name == "last" else name: told for name, told in asdict(row).items()} for row in rows
        ]

        def begin(connection: Connection) -> None:
            for of in {row.institution for row in rows}:
                connection.execute(_remove, {"an_institution": of})
            connection.execute(insert(rewraps), written)
            append_in(connection, draft)

        self._database.write(begin)

    def advance(self, permit: Permit, row: RewrapRow) -> None:  # noqa: ARG002 - the Permit is the proof
        """Note how far a shelf has come; durable on return.

        Raises:
            Conflict: the row is of another rewrapping than the one that is under way.
        """
        asked = {
            "an_institution": row.institution,
            "a_shelf": row.shelf,
            "a_version": row.version,
            "at_begin": row.begun,
            "to_last": row.last,
            "to_done": row.done,
            "to_failed": row.failed,
            "to_finished": row.finished,
        }
        if self._database.write(lambda connection: connection.execute(_advance, asked).rowcount) != 1:
            raise Conflict("another rewrapping is under way")


def _row(institution: Institution, row: AnyRow) -> RewrapRow:
    try:
        shelf = Shelf(row.shelf)
    except ValueError:
        raise Tampered("the rows of a rewrapping are not what was written") from None
    last = None if row.last_key_id is None else KeyId(row.last_key_id)
    return RewrapRow(institution, shelf, row.version, row.begun, last, row.done, row.failed, row.finished)
