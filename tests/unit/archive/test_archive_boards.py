"""Boards: whoever sits on one sees its studies while it is open, and at once no longer when that ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from pacs_secure.archive import boards
from pacs_secure.archive.boards import Proposal
from pacs_secure.archive.opened_boards import OpenedBoard
from pacs_secure.core.access import Role, Subject
from pacs_secure.core.boards import Board, BoardStanding
from pacs_secure.core.errors import Conflict, Denied, Hidden, Malformed, NotFound, OverLimit, Tampered
from pacs_secure.core.sharing import Person
from tests.builders import HERE, subject
from tests.clock import Clock
from tests.fakes_sharing import MemoryBoards
from tests.unit.archive.instances import acts, data_set, store, study_uid
from tests.unit.archive.people import (
    COLLEAGUE,
    DPO,
    GUEST,
    INVITER,
    NEIGHBOUR,
    STRANGER,
    THE_COLLEAGUE,
    THE_GUEST,
    THE_NEIGHBOUR,
    THEIR_DPO,
    WHY,
    found,
    reads,
    settle,
)
from tests.world import World, memory_world

SECOND_CONVENER = subject(Role.RADIOLOGIST, identifier="l.berg")
MEMBERS = (THE_GUEST, THE_COLLEAGUE, THE_NEIGHBOUR)


@pytest.fixture
def world(clock: Clock) -> World:
    world = memory_world()
    store(world, data_set(1), data_set(2))
    store(world, data_set(3), by=subject(Role.TECHNOLOGIST, department="surgery"))
    settle(world)
    return world


def proposal(world: World, **changed: Any) -> Proposal:
    now = world.archive.convening.invitations.now()
    asked = Proposal("Liver board", now.date(), now + timedelta(days=7), MEMBERS, WHY)
    return replace(asked, **changed)


def convene(world: World, by: Subject = INVITER, **changed: Any) -> str:
    return name(world.archive.convening.convene(by, None, proposal(world, **changed)))


def name(opened: OpenedBoard) -> str:
    return str(opened.board.board_id)


def admit(world: World, board: str, study: int = 1, by: Subject = INVITER) -> OpenedBoard:
    return world.archive.convening.admit(by, None, board, study_uid(study))


@pytest.fixture
def board(world: World) -> str:
    """Convene a board with one study on it."""
    board = convene(world)
    admit(world, board)
    return board


def meddle(world: World, board: str, **changed: Any) -> None:
    kept = world.house.engines.boards
    assert isinstance(kept, MemoryBoards)
    (board_id,) = (one for one in kept.kept if str(one) == board)
    kept.kept[board_id] = replace(kept.kept[board_id], **changed)


class TestConvening:
    def test_nothing_is_on_a_new_board(self, world: World) -> None:
        opened = world.archive.convening.convene(INVITER, None, proposal(world))

        assert (opened.title, opened.reason, opened.standing) == ("Liver board", WHY, BoardStanding.OPEN)
        assert opened.convener == Person(HERE, INVITER.identifier)
        assert [seat.member for seat in opened.members] == list(MEMBERS)
        assert opened.cases == []
        assert acts(world)[-1] == ("board:convene", "completed")

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"title": "  "}, Malformed),
            ({"title": "x" * 201}, Malformed),
            ({"title": "line\nbreak"}, Malformed),
            ({"reason": "so"}, Malformed),
            ({"members": (Person(HERE, INVITER.identifier),)}, Malformed),
            ({"members": tuple(Person(HERE, f"member {n}") for n in range(51))}, OverLimit),
        ],
    )
    def test_what_is_no_board_is_refused_and_recorded(
        self, world: World, changed: dict[str, Any], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            convene(world, **changed)
        assert acts(world)[-1] == ("board:convene", "refused")

    def test_a_board_meets_between_today_and_its_end(self, world: World) -> None:
        now = world.archive.convening.invitations.now()
        for day in (now.date() - timedelta(days=1), now.date() + timedelta(days=8)):
            with pytest.raises(Malformed):
                convene(world, meets_on=day)

    def test_a_guest_convenes_nothing(self, world: World) -> None:
        with pytest.raises(Denied):
            convene(world, GUEST)


class TestAdmitting:
    @pytest.mark.parametrize("member", [GUEST, COLLEAGUE, NEIGHBOUR], ids=lambda one: one.identifier)
    def test_every_member_sees_that_study_and_nothing_else(self, world: World, board: str, member: Subject) -> None:
        assert found(world, member) == [study_uid(1)]
        assert reads(world, member)
        assert not reads(world, member, 2)

    def test_whoever_does_not_sit_there_sees_nothing(self, world: World, board: str) -> None:
        assert not reads(world, STRANGER)

    def test_a_study_one_may_not_see_looks_like_one_that_is_not_there(self, world: World, board: str) -> None:
        with pytest.raises(Hidden) as hidden:
            admit(world, board, 3)
        with pytest.raises(NotFound) as missing:
            admit(world, board, 9)
        assert str(hidden.value) == str(missing.value)

    def test_a_member_brings_what_they_may_pass_on_and_is_not_tied_to_it_by_that(self, world: World) -> None:
        surgeon = subject(Role.CLINICIAN, identifier="s.kurz", department="surgery")
        board = convene(world, members=(Person(HERE, surgeon.identifier), THE_GUEST))
        admit(world, board, 3, surgeon)

        assert reads(world, INVITER, 3)
        assert reads(world, GUEST, 3)
        assert not reads(world, replace(surgeon, department="elsewhere"), 3)

    def test_a_member_passes_nothing_on_that_the_board_shows_them(self, world: World, board: str) -> None:
        with pytest.raises(Denied):
            admit(world, board, 1, COLLEAGUE)
        own = convene(world, COLLEAGUE, members=())
        with pytest.raises(Denied):
            admit(world, own, 1, COLLEAGUE)

    def test_the_same_study_is_admitted_once(self, world: World, board: str) -> None:
        with pytest.raises(Conflict):
            admit(world, board)

    def test_there_is_room_for_so_many(self, world: World, board: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(boards, "MOST_CASES", 1)
        with pytest.raises(OverLimit):
            admit(world, board, 2)

    @pytest.mark.parametrize("nonsense", ["", "nonsense", "0b9f2c1e-5a6d-4c7b-8e9f-0a1b2c3d4e5f"])
    def test_to_a_board_that_is_not_there_nothing_is_admitted(self, world: World, nonsense: str) -> None:
        with pytest.raises(NotFound):
            admit(world, nonsense)


class TestWithdrawing:
    def test_a_withdrawn_study_is_seen_no_longer(self, world: World, board: str) -> None:
        opened = world.archive.convening.withdraw(INVITER, None, board, study_uid())

        assert opened.cases == []
        assert not reads(world, GUEST)
        with pytest.raises(NotFound):
            world.archive.convening.withdraw(INVITER, None, board, study_uid())

    def test_only_whoever_brought_it_or_convened_the_board_withdraws(self, world: World, board: str) -> None:
        with pytest.raises(Denied):
            world.archive.convening.withdraw(COLLEAGUE, None, board, study_uid())
        assert reads(world, GUEST)


class TestMembers:
    def test_a_new_member_sees_what_is_there(self, world: World) -> None:
        board = convene(world, members=())
        admit(world, board)
        assert not reads(world, GUEST)

        world.archive.convening.add(INVITER, None, board, THE_GUEST)
        assert reads(world, GUEST)
        with pytest.raises(Conflict):
            world.archive.convening.add(INVITER, None, board, THE_GUEST)

    def test_a_removed_member_sees_nothing_at_once_and_the_others_still_do(self, world: World, board: str) -> None:
        world.archive.convening.remove(INVITER, None, board, THE_GUEST)

        assert not reads(world, GUEST)
        assert reads(world, COLLEAGUE)
        with pytest.raises(NotFound):
            world.archive.convening.remove(INVITER, None, board, THE_GUEST)
        with pytest.raises(NotFound):
            world.archive.convening.get(GUEST, None, board)

    def test_only_the_convener_says_who_sits_there(self, world: World, board: str) -> None:
        for act in (world.archive.convening.add, world.archive.convening.remove):
            with pytest.raises(Denied):
                act(COLLEAGUE, None, board, THE_GUEST)

    @pytest.mark.parametrize(("limit", "most"), [("MOST_SEATS", 3), ("MOST_EVER", 3)])
    def test_there_are_so_many_seats(
        self, world: World, board: str, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
    ) -> None:
        monkeypatch.setattr(boards, limit, most)
        with pytest.raises(OverLimit):
            world.archive.convening.add(INVITER, None, board, Person(HERE, "one more"))


class TestOversight:
    def test_the_officer_changes_no_board(self, world: World, board: str) -> None:
        with pytest.raises(Denied):
            world.archive.convening.close(DPO, None, board)

    def test_in_a_board_s_room_for_ever_past_members_count(
        self, world: World, board: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.archive.convening.remove(INVITER, None, board, THE_GUEST)
        monkeypatch.setattr(boards, "MOST_EVER", 3)
        with pytest.raises(OverLimit):
            world.archive.convening.add(INVITER, None, board, THE_GUEST)


class TestEnding:
    def test_a_closed_board_shows_nothing_to_anybody(self, world: World, board: str) -> None:
        world.archive.convening.close(INVITER, None, board)

        assert not any(reads(world, member) for member in (GUEST, COLLEAGUE, NEIGHBOUR))
        assert world.archive.convening.get(GUEST, None, board).cases == []
        assert len(world.archive.convening.get(INVITER, None, board).cases) == 1
        with pytest.raises(Conflict):
            world.archive.convening.close(INVITER, None, board)
        with pytest.raises(Conflict):
            admit(world, board, 2)

    def test_its_end_ends_it(self, world: World, clock: Clock, board: str) -> None:
        clock.forward(days=7, seconds=1)

        assert not reads(world, GUEST)
        assert world.archive.convening.get(INVITER, None, board).standing is BoardStanding.OVER


class TestLooking:
    def test_convener_members_and_officer_see_the_board_and_nobody_else(self, world: World, board: str) -> None:
        for somebody in (INVITER, GUEST, COLLEAGUE, NEIGHBOUR, DPO):
            (listed,) = world.archive.convening.listed(somebody, None)
            assert name(listed) == board
            assert name(world.archive.convening.get(somebody, None, board)) == board
        for other in (STRANGER, THEIR_DPO):
            assert list(world.archive.convening.listed(other, None)) == []
            with pytest.raises(NotFound):
                world.archive.convening.get(other, None, board)

    def test_each_read_shows_up_for_the_convener_and_the_officer(self, world: World, board: str) -> None:
        reads(world, GUEST)
        reads(world, STRANGER)

        for somebody in (INVITER, DPO):
            (read,) = world.archive.convening.reads(somebody, None, board)
            assert (read.study_instance_uid, read.reader) == (study_uid(1), THE_GUEST)
        with pytest.raises(Denied):
            world.archive.convening.reads(GUEST, None, board)

    def test_a_board_that_somebody_else_changed_is_not_believed(self, world: World, board: str) -> None:
        meddle(world, board, convener=world.archive.guard.pseudonym(HERE, STRANGER.identifier))

        with pytest.raises(Tampered):
            world.archive.convening.close(STRANGER, None, board)
        with pytest.raises(Tampered):
            world.archive.convening.listed(STRANGER, None)

    def test_of_two_changes_at_once_one_wins(self, world: World, board: str) -> None:
        engines = world.house.engines.boards
        (stale,) = engines.of(HERE, 10)
        world.archive.convening.add(INVITER, None, board, Person(HERE, "one more"))

        class Late(MemoryBoards):
            def by_id(self, board_id: UUID) -> Board | None:
                return stale if board_id == stale.board_id else None

        engines.__class__ = Late
        with pytest.raises(Conflict):
            world.archive.convening.remove(INVITER, None, board, THE_GUEST)
        assert acts(world)[-1] == ("board:change", "refused")
