"""Boards: whoever convenes one says who sits on it and until when; whoever may pass a study on may bring it.

Everybody on a board is invited to every study on it that others brought, while it is open. Each change writes
the board, the ties that it makes or ends, and the entry that records it in one commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from pacs_secure.archive.invitations import MOST_LISTED, Invitations, identifier_of, named
from pacs_secure.archive.locating import located
from pacs_secure.archive.opened_boards import BoardPages, BoardReading, OpenedBoard
from pacs_secure.core.access import AccessRequest, Action, Permit, Purpose, Role, StudyFacts, Subject, Tie
from pacs_secure.core.audit import Outcome
from pacs_secure.core.boards import MOST_CASES, MOST_EVER, MOST_SEATS, Board, BoardStanding, Ending
from pacs_secure.core.errors import Conflict, Denied, Malformed, OverLimit
from pacs_secure.core.reasons import reason
from pacs_secure.core.sharing import Person
from pacs_secure.ports import Boards, Ledger

LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody wants to convene, with whom, and until when."""

    title: str
    meets_on: date
    until: datetime
    """UTC."""
    members: tuple[Person, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Convening:
    """The verb: convene a board, bring studies to it, change who sits on it, and close it."""

    invitations: Invitations
    pages: BoardPages
    boards: Boards
    ledger: Ledger

    def convene(self, subject: Subject, purpose: Purpose | None, asked: Proposal) -> OpenedBoard:
        """Convene a board on which nothing is yet.

        Raises:
            Malformed: title, day, end, reason or a member is none.
            OverLimit: too many members.
        """
        rules, board_id = self.invitations, uuid4()
        private = {"title": asked.title, "reason": asked.reason}
        details = {"board": str(board_id), "until": asked.until.isoformat()}
        request = AccessRequest(subject, Action.BOARD_CONVENE, purpose, details=details, private=private)
        permit = rules.guard.decide(request)
        of, now = subject.institution, rules.now()
        with rules.refusing(request):
            why = reason(asked.reason)
            rules.demand_end(asked.until)
            _demand_occasion(asked, now)
            seats = {rules.invited(subject, member): member for member in asked.members}
            _demand_room(len(seats), MOST_SEATS)
        cover = self.pages.cover(of, board_id, asked.title.strip(), why, Person(of, subject.identifier))
        board = Board(
            board_id,
            of,
            rules.actor(subject),
            asked.meets_on,
            now,
            asked.until,
            cover,
            tuple(self.pages.seat(of, board_id, actor, member, now) for actor, member in seats.items()),
        )
        board = self.pages.proven(board)
        self.boards.convene(permit, board, rules.guard.draft(permit, Outcome.COMPLETED, {"members": len(seats)}))
        return self.pages.opened(board, closely=True)

    def admit(self, subject: Subject, purpose: Purpose | None, board_id: str, study_instance_uid: str) -> OpenedBoard:
        """Bring a study that one may pass on to a board that one convened or sits on.

        Raises:
            Malformed: the UID is none.
            NotFound: there is no such study or board, as far as the subject may know.
            Denied: the subject may see the study but not pass it on, or it is another institution's than the board.
            Conflict: it is on the board already, or the board is not open.
        """
        rules, name = self.invitations, identifier_of(board_id)
        request = AccessRequest(subject, Action.BOARD_ADMIT, purpose, details={"board": str(name or "")})
        request, study = located(rules.facts, request, study_instance_uid)
        permit = rules.guard.decide(request)
        board = self._concerning(subject, request, name)
        actor, now = rules.actor(subject), rules.now()
        with rules.refusing(request):
            self._demand_open(board)
            if any(case.study_alias == study.alias for case in board.studies):
                raise Conflict("the study is on the board already")
            _demand_room(len(board.studies) + 1, MOST_CASES)
            _demand_room(len(board.cases) + 1, MOST_EVER)
        case = self.pages.case(board.board_id, study, actor, Person(subject.institution, subject.identifier), now)
        people = self.pages.people(board)
        ties = [self._tie(board, study, whom, person) for whom, person in people.items() if whom != actor]
        return self._settle(request, permit, replace(board, cases=(*board.cases, case)), ties)

    def withdraw(
        self, subject: Subject, purpose: Purpose | None, board_id: str, study_instance_uid: str
    ) -> OpenedBoard:
        """Take a study from a board: whoever brought it may, and the convener.

        Raises:
            NotFound: there is no such board for the subject, or no such study on it.
            Denied: the subject neither convened the board nor brought the study.
            Conflict: the board is not open.
        """
        rules = self.invitations
        private = {"study": study_instance_uid[:64]}
        request, permit, board = self._changing(subject, purpose, board_id, private, own=False)
        case = self.pages.case_of(board, study_instance_uid)
        if case is None:
            raise rules.guard.not_found(request)
        actor, now = rules.actor(subject), rules.now()
        with rules.refusing(request):
            if actor not in {board.convener, case.brought_by}:
                raise Denied("this is for whoever brought the study, and for the convener")
        cases = tuple(replace(one, until=now) if one is case else one for one in board.cases)
        ending, study = Ending(now, alias=case.study_alias), self.pages.study(board, case)
        return self._settle(request, permit, replace(board, cases=cases), (), ending, study)

    def add(self, subject: Subject, purpose: Purpose | None, board_id: str, member: Person) -> OpenedBoard:
        """Let somebody sit on a board that one convened: from now on they see what is on it.

        Raises:
            NotFound: there is no such board for the subject.
            Denied: the subject did not convene it.
            Malformed: the person is nobody who can be invited.
            Conflict: they sit there already, or the board is not open.
        """
        rules = self.invitations
        request, permit, board = self._changing(subject, purpose, board_id, named(member), own=True)
        with rules.refusing(request):
            actor = rules.invited(subject, member)
            if board.sits(actor):
                raise Conflict("this person sits on the board already")
            _demand_room(len(board.members) + 1, MOST_SEATS)
            _demand_room(len(board.seats) + 1, MOST_EVER)
        seat = self.pages.seat(board.institution, board.board_id, actor, member, rules.now())
        brought = [case for case in board.studies if case.brought_by != actor]
        ties = [self._tie(board, self.pages.study(board, case), actor, member) for case in brought]
        return self._settle(request, permit, replace(board, seats=(*board.seats, seat)), ties)

    def remove(self, subject: Subject, purpose: Purpose | None, board_id: str, member: Person) -> OpenedBoard:
        """Let somebody sit on a board no longer: at once they see nothing that was on it.

        Raises:
            NotFound: there is no such board for the subject, or the person does not sit on it.
            Denied: the subject did not convene it.
            Conflict: the board is not open.
        """
        rules = self.invitations
        request, permit, board = self._changing(subject, purpose, board_id, named(member), own=True)
        now, gone = rules.now(), [seat for seat in board.members if self.pages.member(board, seat) == member]
        if not gone:
            raise rules.guard.not_found(request)
        seats = tuple(replace(seat, until=now) if seat in gone else seat for seat in board.seats)
        return self._settle(request, permit, replace(board, seats=seats), (), Ending(now, actor=gone[0].actor))

    def close(self, subject: Subject, purpose: Purpose | None, board_id: str) -> OpenedBoard:
        """Close a board that one convened: at once nobody sees anything by it.

        Raises:
            NotFound: there is no such board for the subject.
            Denied: the subject did not convene it.
            Conflict: it is not open.
        """
        request, permit, board = self._changing(subject, purpose, board_id, {}, own=True)
        now = self.invitations.now()
        return self._settle(request, permit, replace(board, closed_at=now), (), Ending(now))

    def listed(self, subject: Subject, purpose: Purpose | None) -> Sequence[OpenedBoard]:
        """Return the boards that one convened or sits on; as data-protection officer, all of one's institution."""
        rules = self.invitations
        grant = rules.guard.admit(AccessRequest(subject, Action.BOARD_LIST, purpose))
        if subject.role is Role.DPO:
            found = self.boards.of(subject.institution, MOST_LISTED)
        else:
            actor = rules.actor(subject)
            found = [board for board in self.boards.among(actor, MOST_LISTED) if board.sits(actor)]
        return rules.told(grant, lambda: [self._opened(subject, board) for board in found])

    def get(self, subject: Subject, purpose: Purpose | None, board_id: str) -> OpenedBoard:
        """Return one board.

        Raises:
            NotFound: there is none of that name, as far as it concerns the subject.
        """
        rules = self.invitations
        _, permit, board = self._found(subject, Action.BOARD_LIST, purpose, board_id, {})
        (told,) = rules.told(rules.guard.grant(permit, 0), lambda: [self._opened(subject, board)])
        return told

    def reads(self, subject: Subject, purpose: Purpose | None, board_id: str) -> Sequence[BoardReading]:
        """Return every read of a study on the board by those whom it invited, oldest first.

        Raises:
            NotFound: there is no such board, as far as it concerns the subject.
            Denied: the subject is a member who answers for nothing.
        """
        rules = self.invitations
        request, permit, board = self._found(subject, Action.BOARD_LIST, purpose, board_id, {})
        with rules.refusing(request):
            if not self._answers(subject, board):
                raise Denied("this is for the convener, and for the data-protection officer")
        return rules.told(rules.guard.grant(permit, 0), lambda: self.pages.reads(board, self.ledger))

    def _found(
        self, subject: Subject, action: Action, purpose: Purpose | None, board_id: str, private: dict[str, str]
    ) -> tuple[AccessRequest, Permit, Board]:
        """Decide an act on a board, and only then look for it; to those whom it does not concern it is missing."""
        name = identifier_of(board_id)
        request = AccessRequest(subject, action, purpose, details={"board": str(name or "")}, private=private)
        permit = self.invitations.guard.decide(request)
        return request, permit, self._concerning(subject, request, name)

    def _concerning(self, subject: Subject, request: AccessRequest, name: UUID | None) -> Board:
        board = self.boards.by_id(name) if name else None
        actor = self.invitations.actor(subject)
        if board is None or not (board.sits(actor) or self._answers(subject, board)):
            raise self.invitations.guard.not_found(request)
        return self.pages.demand(board)

    def _changing(
        self, subject: Subject, purpose: Purpose | None, board_id: str, private: dict[str, str], *, own: bool
    ) -> tuple[AccessRequest, Permit, Board]:
        """Find an open board to change: one's own, or any on which one sits."""
        request, permit, board = self._found(subject, Action.BOARD_CHANGE, purpose, board_id, private)
        with self.invitations.refusing(request):
            if own and board.convener != self.invitations.actor(subject):
                raise Denied("this is for the convener")
            self._demand_open(board)
        return request, permit, board

    def _answers(self, subject: Subject, board: Board) -> bool:
        """Say whether a subject convened the board, or oversees those whose studies are on it."""
        oversees = subject.role is Role.DPO and subject.institution == board.institution
        return oversees or board.convener == self.invitations.actor(subject)

    def _demand_open(self, board: Board) -> None:
        if board.standing(self.invitations.now()) is not BoardStanding.OPEN:
            raise Conflict("the board is no longer open")

    def _settle(
        self,
        request: AccessRequest,
        permit: Permit,
        after: Board,
        ties: Sequence[Tie] = (),
        ending: Ending | None = None,
        study: StudyFacts | None = None,
    ) -> OpenedBoard:
        """Keep the next version of a board, with the ties that it makes and ends and the entry that records it."""
        rules = self.invitations
        after = self.pages.proven(replace(after, version=after.version + 1))
        facts = {"members": len(after.members), "studies": len(after.studies), "invitations": len(ties)}
        with rules.refusing(request):
            draft = rules.guard.draft(permit, Outcome.COMPLETED, facts, study)
            self.boards.change(permit, after, ties, ending, draft)
        return self._opened(request.subject, after)

    def _opened(self, subject: Subject, board: Board) -> OpenedBoard:
        return self.pages.opened(board, closely=self._answers(subject, board))

    def _tie(self, board: Board, study: StudyFacts, actor: str, person: Person) -> Tie:
        return self.invitations.tie(study, actor, person, Purpose.TREATMENT, board.ends_at, board.board_id)


def _demand_occasion(asked: Proposal, now: datetime) -> None:
    title = asked.title.strip()
    if not 1 <= len(title) <= LONGEST_TITLE or not title.isprintable():
        raise Malformed(f"a board has a title of 1 to {LONGEST_TITLE} printable characters")
    if not now.date() <= asked.meets_on <= asked.until.astimezone(UTC).date():
        raise Malformed("a board meets between today and its end")


def _demand_room(wanted: int, most: int) -> None:
    if wanted > most:
        raise OverLimit(f"a board has room for {most}")
