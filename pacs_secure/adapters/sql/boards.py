"""Boards in SQL: each change, the ties that it makes and ends, and its ledger entry are one commit."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, bindparam, delete, insert, or_, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.adapters.sql.sharing_tables import board_members, boards
from pacs_secure.adapters.sql.ties import add_in, demand_of, release_in
from pacs_secure.core.access import Permit, Tie
from pacs_secure.core.audit import Draft
from pacs_secure.core.boards import Board, Case, Ending, Seat
from pacs_secure.core.errors import Conflict, Denied, Tampered
from pacs_secure.core.identifiers import Institution

_named = select(boards).where(boards.c.board_id == bindparam("an_id"))
_change = update(boards).where(boards.c.board_id == bindparam("an_id"), boards.c.version == bindparam("so_far"))
_forget_members = delete(board_members).where(board_members.c.board_id == bindparam("an_id"))


class SqlBoards:
    """`pacs_secure.ports.Boards` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def convene(self, permit: Permit, board: Board, draft: Draft) -> None:  # noqa: ARG002 - the Permit is the proof
        """Add a board on which nothing is yet, and the entry that records it, in one commit.

        Raises:
            Denied: it is of another institution than the entry.
        """
        _demand(board, (), draft)

        def convene(connection: Connection) -> None:
            connection.execute(insert(boards).values(_values(board)))
            _note_members(connection, board)
            append_in(connection, draft)

        self._database.write(convene)

    def change(
        self,
        permit: Permit,  # noqa: ARG002 - the same
        after: Board,
        ties: Sequence[Tie],
        ending: Ending | None,
        draft: Draft,
    ) -> None:
        """Replace the version before this one, add and end ties of the board, and record it, in one commit.

        Raises:
            Conflict: the board is no longer in the version before this one.
            Denied: board or ties are of another institution than the entry.
        """
        _demand(after, ties, draft)
        values = _values(after)

        def change(connection: Connection) -> None:
            named = {"an_id": after.board_id, "so_far": after.version - 1}
            if not connection.execute(_change.values(values), named).rowcount:
                raise Conflict("the board has been changed meanwhile; try again")
            _note_members(connection, after)
            if ending is not None:
                release_in(connection, after.board_id, ending.at, actor=ending.actor, alias=ending.alias)
            add_in(connection, ties)
            append_in(connection, draft)

        self._database.write(change)

    def by_id(self, board_id: UUID) -> Board | None:
        """Return the board of that name."""
        with self._database.read() as connection:
            row = connection.execute(_named, {"an_id": board_id}).first()
            return None if row is None else _board(row)

    def of(self, institution: Institution, most: int) -> Sequence[Board]:
        """Return the newest boards of an institution, newest first."""
        return self._newest(boards.c.institution == institution, most)

    def among(self, actor: str, most: int) -> Sequence[Board]:
        """Return the newest boards that a person convened or is a member of, newest first."""
        member = select(board_members.c.board_id).where(board_members.c.actor == actor)
        return self._newest(or_(boards.c.convener == actor, boards.c.board_id.in_(member)), most)

    def _newest(self, condition: ColumnElement[bool], most: int) -> Sequence[Board]:
        newest = select(boards).where(condition).order_by(boards.c.begins_at.desc(), boards.c.board_id).limit(most)
        with self._database.read() as connection:
            return [_board(row) for row in connection.execute(newest)]


def _demand(board: Board, ties: Sequence[Tie], draft: Draft) -> None:
    if board.institution != draft.institution:
        raise Denied("institutions are strictly apart")
    demand_of(draft.institution, ties)


def _note_members(connection: Connection, board: Board) -> None:
    connection.execute(_forget_members, {"an_id": board.board_id})
    members = [{"actor": seat.actor, "board_id": board.board_id} for seat in board.members]
    if members:
        connection.execute(insert(board_members), members)


def _values(board: Board) -> dict[str, Any]:
    return {
        "board_id": board.board_id,
        "institution": board.institution,
        "convener": board.convener,
        "meets_on": board.meets_on.isoformat(),
        "begins_at": board.begins_at,
        "ends_at": board.ends_at,
        "version": board.version,
        "closed_at": board.closed_at,
        "proof": board.proof,
        "box": board.box,
        "seats": orjson.dumps([_packed_seat(seat) for seat in board.seats]),
        "cases": orjson.dumps([_packed_case(case) for case in board.cases]),
    }


def _board(row: AnyRow) -> Board:
    try:
        return Board(
            board_id=row.board_id,
            institution=Institution(row.institution),
            convener=row.convener,
            meets_on=date.fromisoformat(row.meets_on),
            begins_at=row.begins_at,
            ends_at=row.ends_at,
            box=row.box,
            seats=tuple(_seat(packed) for packed in orjson.loads(row.seats)),
            cases=tuple(_case(packed) for packed in orjson.loads(row.cases)),
            version=row.version,
            closed_at=row.closed_at,
            proof=row.proof,
        )
    except (ValueError, TypeError, AttributeError):
        raise Tampered("a stored board is none") from None


def _packed_seat(seat: Seat) -> list[str]:
    return [seat.actor, *_times(seat), b64encode(seat.box).decode()]


def _packed_case(case: Case) -> list[str]:
    aliases = (str(case.study_alias), str(case.patient_alias))
    return [*aliases, case.brought_by, *_times(case), b64encode(case.box).decode()]


def _times(one: Seat | Case) -> tuple[str, str]:
    return one.since.isoformat(), one.until.isoformat() if one.until is not None else ""


def _seat(packed: Sequence[str]) -> Seat:
    actor, since, until, box = packed
    return Seat(actor, datetime.fromisoformat(since), b64decode(box), _until(until))


def _case(packed: Sequence[str]) -> Case:
    study, patient, brought_by, since, until, box = packed
    return Case(UUID(study), UUID(patient), brought_by, datetime.fromisoformat(since), b64decode(box), _until(until))


def _until(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
