"""How a board is written and opened: pseudonyms and aliases in clear, names and reasons in boxes alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from pacs_secure.archive.invitations import Invitations, named
from pacs_secure.archive.proofs import demand_board, of_board
from pacs_secure.archive.readings import Reading, readings
from pacs_secure.core.access import StudyFacts
from pacs_secure.core.boards import Board, BoardStanding, Case, Seat
from pacs_secure.core.identifiers import Institution, Uid, uid
from pacs_secure.core.sharing import Person
from pacs_secure.ports import Ledger


@dataclass(frozen=True, slots=True)
class OpenedSeat:
    """One member by name."""

    member: Person
    since: datetime


@dataclass(frozen=True, slots=True)
class OpenedCase:
    """One study on a board, and who brought it."""

    study_instance_uid: Uid
    brought_by: Person
    since: datetime


@dataclass(frozen=True, slots=True)
class OpenedBoard:
    """A board with the names in it, for those whom it concerns."""

    board: Board
    standing: BoardStanding
    title: str
    reason: str
    convener: Person
    members: Sequence[OpenedSeat]
    cases: Sequence[OpenedCase]
    """Empty for a member of a board that is no longer open."""


@dataclass(frozen=True, slots=True)
class BoardReading:
    """One read of a study on a board by somebody who was invited to it there."""

    study_instance_uid: Uid
    reader: Person
    reading: Reading


@dataclass(frozen=True, slots=True)
class BoardPages:
    """Writes and opens the pages of boards."""

    invitations: Invitations

    def proven(self, board: Board) -> Board:
        """Return a board with its proof, ready to be kept."""
        return replace(board, proof=of_board(self.invitations.seals.index(board.institution), board))

    def demand(self, board: Board) -> Board:
        """Return a board that the archive wrote; raises `Tampered` for any other."""
        return demand_board(self.invitations.seals.index(board.institution), board)

    def cover(self, of: Institution, board_id: UUID, title: str, reason: str, convener: Person) -> bytes:
        """Seal what a board is called and why it was convened."""
        words = {"title": title, "reason": reason, **named(convener)}
        return self.invitations.seal("board", of, board_id, board_id, words)

    def seat(self, of: Institution, board_id: UUID, actor: str, member: Person, since: datetime) -> Seat:
        """Write a member down."""
        return Seat(actor, since, self.invitations.seal("seat", of, board_id, actor, named(member)))

    def case(self, board_id: UUID, study: StudyFacts, actor: str, by: Person, since: datetime) -> Case:
        """Write a study down."""
        words = {"study": study.study_instance_uid, **named(by)}
        box = self.invitations.seal("case", study.institution, board_id, study.alias, words)
        return Case(study.alias, study.patient_alias, actor, since, box)

    def opened(self, board: Board, *, closely: bool) -> OpenedBoard:
        """Open a board; its studies only while it is open, or for those who look at it closely: who answers for it.

        Raises:
            Tampered: the archive did not write it so.
        """
        self.demand(board)
        words = self.invitations.open("board", board.institution, board.board_id, board.board_id, board.box)
        standing = board.standing(self.invitations.now())
        shown = board.studies if closely or standing is BoardStanding.OPEN else ()
        return OpenedBoard(
            board,
            standing,
            words["title"],
            words["reason"],
            _person(words),
            [OpenedSeat(self.member(board, seat), seat.since) for seat in board.members],
            [self.told(board, case) for case in shown],
        )

    def people(self, board: Board) -> dict[str, Person]:
        """Return everybody who sits on a board now, the convener too, by their pseudonyms."""
        words = self.invitations.open("board", board.institution, board.board_id, board.board_id, board.box)
        return {board.convener: _person(words)} | {seat.actor: self.member(board, seat) for seat in board.members}

    def case_of(self, board: Board, study_instance_uid: str) -> Case | None:
        """Return what is on a board under this UID."""
        found = (case for case in board.studies if self.told(board, case).study_instance_uid == study_instance_uid)
        return next(found, None)

    def study(self, board: Board, case: Case) -> StudyFacts:
        """Name a study on a board for the ledger and for ties."""
        study = self.told(board, case).study_instance_uid
        return StudyFacts(board.institution, study, case.study_alias, case.patient_alias, department="")

    def reads(self, board: Board, ledger: Ledger) -> Sequence[BoardReading]:
        """Return every read of a study on a board by those whom it invited to it, while it did, oldest first."""
        convener = next(iter(self.people(board).items()))
        invited = [(*convener, board.begins_at, board.ends_at)]
        invited += [
            (seat.actor, self.member(board, seat), seat.since, seat.until or board.ends_at) for seat in board.seats
        ]
        found = []
        for case in board.cases:
            study = self.told(board, case).study_instance_uid
            for actor, person, since, until in invited:
                if actor != case.brought_by:
                    ends = min(until, case.until or board.ends_at, board.closed_at or board.ends_at)
                    about = ledger.about(case.study_alias, actor)
                    read = readings(about, _between(max(since, case.since), ends))
                    found += [BoardReading(study, person, reading) for reading in read]
        return sorted(found, key=lambda one: one.reading.at)

    def member(self, board: Board, seat: Seat) -> Person:
        """Say who sits there."""
        return _person(self.invitations.open("seat", board.institution, board.board_id, seat.actor, seat.box))

    def told(self, board: Board, case: Case) -> OpenedCase:
        """Say which study it is and who brought it."""
        words = self.invitations.open("case", board.institution, board.board_id, case.study_alias, case.box)
        return OpenedCase(uid(words["study"]), _person(words), case.since)


def _between(begins: datetime, ends: datetime) -> Callable[[datetime], bool]:
    return lambda at: begins <= at < ends


def _person(words: dict[str, str]) -> Person:
    return Person(Institution(words["institution"]), words["person"])
