"""How a board stands, and who sits on it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from pacs_secure.core.boards import Board, BoardStanding
from tests.builders import NOW, board, case, seat


@pytest.mark.parametrize(
    ("kept", "at", "standing"),
    [
        (board(), NOW, BoardStanding.OPEN),
        (board(), NOW + timedelta(days=1), BoardStanding.OVER),
        (replace(board(), closed_at=NOW), NOW, BoardStanding.CLOSED),
        (replace(board(), closed_at=NOW), NOW + timedelta(days=1), BoardStanding.CLOSED),
    ],
)
def test_a_board_stands_as_its_times_say(kept: Board, at: datetime, standing: BoardStanding) -> None:
    assert kept.standing(at) is standing


def test_whoever_was_removed_and_whatever_was_withdrawn_is_past() -> None:
    now, past = (seat("now"), case()), (replace(seat("past"), until=NOW), replace(case(), until=NOW))
    kept = board(seats=(now[0], past[0]), cases=(now[1], past[1]))

    assert (kept.members, kept.studies) == ((now[0],), (now[1],))
    assert [kept.sits(actor) for actor in ("convener", "now", "past", "nobody")] == [True, True, False, False]
