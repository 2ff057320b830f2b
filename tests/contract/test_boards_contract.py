"""Boards: each version is kept together with the ties it makes and ends and its entry, in memory and in SQL alike."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pacs_secure.adapters.sql import SqlLedger, SqlTies
from pacs_secure.adapters.sql.boards import SqlBoards
from pacs_secure.core.access import Tie
from pacs_secure.core.boards import Board, Ending
from pacs_secure.core.errors import Conflict, Denied, Tampered
from pacs_secure.ports import Boards, Ledger, Ties
from tests.builders import ELSEWHERE, HERE, NOW, board, case, draft, permit, seat, tie
from tests.fakes import MemoryTies
from tests.fakes_sharing import MemoryBoards
from tests.postgres_fixture import ENGINES, Settled, place_of, tamper

MOST = 10
FIRST, SECOND = uuid4(), uuid4()


@dataclass
class Kept:
    """One adapter of the port beside its ties and its ledger."""

    boards: Boards
    ties: Ties
    ledger: Ledger

    def convene(self, made: Board) -> Board:
        self.boards.convene(permit(), made, draft())
        return made

    def change(self, after: Board, *ties: Tie, ending: Ending | None = None) -> Board:
        self.boards.change(permit(), after, ties, ending, draft())
        return after

    def bound(self, alias: UUID) -> list[str]:
        return sorted(tie.actor for tie in self.ties.of(HERE, alias, NOW))


@pytest.fixture(params=["memory", *ENGINES])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        ties = MemoryTies()
        yield Kept(MemoryBoards(ties), ties, ties.ledger)
        return
    database = Settled(place_of(request, tmp_path))
    yield Kept(SqlBoards(database), SqlTies(database), SqlLedger(database))
    database.close()


def tie_of(made: Board, alias: UUID, actor: str) -> Tie:
    return tie(alias=alias, origin=made.board_id, actor=actor)


def full(made: Board) -> tuple[Board, list[Tie]]:
    """Return the next version of a board, with two members, two studies and all their ties."""
    after = replace(made, version=2, seats=(seat("one"), seat("two")), cases=(case(FIRST), case(SECOND)))
    return after, [tie_of(made, alias, actor) for alias in (FIRST, SECOND) for actor in ("one", "two")]


def test_a_board_is_kept_as_it_was_convened_with_its_entry(kept: Kept) -> None:
    made = kept.convene(board(seats=(seat(),)))

    assert kept.boards.by_id(made.board_id) == made
    assert kept.boards.by_id(uuid4()) is None
    assert kept.ledger.size() == 1


def test_the_next_version_is_kept_with_its_ties_and_its_past(kept: Kept) -> None:
    made = kept.convene(board())
    after, ties = full(made)
    after = replace(after, seats=(*after.seats, replace(seat("past"), until=NOW)), closed_at=NOW)
    kept.change(after, *ties)

    assert kept.boards.by_id(made.board_id) == after
    assert kept.bound(FIRST) == kept.bound(SECOND) == ["one", "two"]
    assert kept.ledger.size() == 2


@pytest.mark.parametrize(
    ("ending", "first", "second"),
    [
        (Ending(NOW, actor="one"), ["two"], ["two"]),
        (Ending(NOW, alias=FIRST), [], ["one", "two"]),
        (Ending(NOW), [], []),
    ],
)
def test_a_change_ends_exactly_the_ties_that_it_names(
    kept: Kept, ending: Ending, first: list[str], second: list[str]
) -> None:
    made, other = kept.convene(board()), kept.convene(board())
    for one in (made, other):
        after, ties = full(one)
        kept.change(after, *ties)
    kept.change(replace(after, board_id=made.board_id, version=3), ending=ending)

    assert kept.bound(FIRST) == sorted([*first, "one", "two"])
    assert kept.bound(SECOND) == sorted([*second, "one", "two"])


def test_of_two_changes_to_one_version_one_wins(kept: Kept) -> None:
    made = kept.convene(board())
    after, ties = full(made)
    kept.change(replace(made, version=2))

    for late in (after, replace(after, version=4), replace(after, board_id=uuid4())):
        with pytest.raises(Conflict):
            kept.change(late, *ties)
    assert (kept.bound(FIRST), kept.ledger.size()) == ([], 2)


def test_whatever_is_of_another_institution_than_the_entry_is_refused_whole(kept: Kept) -> None:
    made = kept.convene(board())
    after, ties = full(made)
    with pytest.raises(Denied):
        kept.convene(board(of=ELSEWHERE))
    with pytest.raises(Denied):
        kept.change(replace(after, institution=ELSEWHERE))
    with pytest.raises(Denied):
        kept.change(after, *ties, replace(ties[0], institution=ELSEWHERE))

    assert kept.boards.by_id(made.board_id) == made
    assert (kept.bound(FIRST), kept.ledger.size()) == ([], 1)


def test_the_newest_of_an_institution_or_a_person_come_first(kept: Kept) -> None:
    mine, other, later = (
        kept.convene(board(convener=who, begins_at=NOW + timedelta(hours=hour), seats=(seat(member),)))
        for hour, (who, member) in enumerate([("me", "x"), ("x", "y"), ("y", "me")])
    )

    assert list(kept.boards.of(HERE, 2)) == [later, other]
    assert list(kept.boards.of(ELSEWHERE, MOST)) == []
    assert list(kept.boards.among("me", MOST)) == [later, mine]
    assert list(kept.boards.among("me", 1)) == [later]
    kept.change(replace(later, version=2, seats=(replace(later.seats[0], until=NOW),)))
    assert list(kept.boards.among("me", MOST)) == [mine]


@pytest.mark.parametrize(
    ("column", "value"), [("seats", b"no JSON"), ("seats", b"[[1]]"), ("cases", b"[[]]"), ("meets_on", "someday")]
)
def test_a_stored_board_that_is_none_is_told(place: str | Path, column: str, value: object) -> None:
    database = Settled(place)
    made = board()
    SqlBoards(database).convene(permit(), made, draft())
    tamper(place, f"UPDATE boards SET {column} = ?", value)

    with pytest.raises(Tampered):
        SqlBoards(database).by_id(made.board_id)
    database.close()
