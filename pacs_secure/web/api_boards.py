"""Boards at the web door: several people look at several studies until a day, as a tumour board does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from pacs_secure.archive import Archive
from pacs_secure.archive.boards import LONGEST_TITLE, Convening, Proposal
from pacs_secure.archive.opened_boards import BoardReading, OpenedBoard
from pacs_secure.core.access import Action
from pacs_secure.core.boards import MOST_SEATS, BoardStanding
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.api_shares import Named, Read, Reason, Until, read_of
from pacs_secure.web.identity import Identification

Study = Annotated[str, Field(min_length=1, max_length=64)]


class NewBoard(Body):
    """What is convened, with whom, why and until when."""

    title: Annotated[str, Field(min_length=1, max_length=LONGEST_TITLE)]
    meets_on: date
    until: Until
    members: Annotated[tuple[Named, ...], Field(max_length=MOST_SEATS)] = ()
    reason: Reason


class Admission(Body):
    """Which study is brought to a board."""

    study_instance_uid: Study


class MemberTold(Body):
    """One member of a board."""

    member: Named
    since: datetime


class CaseTold(Body):
    """One study on a board."""

    study_instance_uid: str
    brought_by: Named
    since: datetime


class BoardTold(Body):
    """A board, to those whom it concerns."""

    board: UUID
    standing: BoardStanding
    title: str
    meets_on: date
    begins_at: datetime
    ends_at: datetime
    closed_at: datetime | None
    reason: str
    convener: Named
    members: list[MemberTold]
    studies: list[CaseTold]
    """Empty for a member of a board that is no longer open."""


class BoardRead(Read):
    """One read of a study on a board by somebody whom the board invited to it."""

    study_instance_uid: str
    reader: Named


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is asked about boards."""

    convening: Convening

    def convene(self, asked: Asked[NewBoard, None]) -> BoardTold:
        """Convene a board on which nothing is yet."""
        wanted, caller = asked.body, asked.caller
        members = tuple(member.beside(caller.subject) for member in wanted.members)
        proposal = Proposal(wanted.title, wanted.meets_on, wanted.until, members, wanted.reason)
        return _told(self.convening.convene(caller.subject, caller.purpose, proposal))

    def listed(self, asked: Asked[None, None]) -> Sequence[BoardTold]:
        """List the boards that one convened or is a member of."""
        return [_told(opened) for opened in self.convening.listed(asked.caller.subject, asked.caller.purpose)]

    def get(self, asked: Asked[None, None]) -> BoardTold:
        """Return one board."""
        return _told(self.convening.get(asked.caller.subject, asked.caller.purpose, asked.path["board"]))

    def reads(self, asked: Asked[None, None]) -> Sequence[BoardRead]:
        """List what was read by those whom the board invited, and when."""
        found = self.convening.reads(asked.caller.subject, asked.caller.purpose, asked.path["board"])
        return [_read(reading) for reading in found]

    def admit(self, asked: Asked[Admission, None]) -> BoardTold:
        """Bring a study to a board."""
        caller, study = asked.caller, asked.body.study_instance_uid
        return _told(self.convening.admit(caller.subject, caller.purpose, asked.path["board"], study))

    def withdraw(self, asked: Asked[None, None]) -> None:
        """Take a study from a board, in effect at once."""
        caller, path = asked.caller, asked.path
        self.convening.withdraw(caller.subject, caller.purpose, path["board"], path["study"])

    def add(self, asked: Asked[Named, None]) -> BoardTold:
        """Let somebody sit on a board."""
        caller, member = asked.caller, asked.body.beside(asked.caller.subject)
        return _told(self.convening.add(caller.subject, caller.purpose, asked.path["board"], member))

    def remove(self, asked: Asked[Named, None]) -> BoardTold:
        """Let somebody sit on a board no longer, in effect at once."""
        caller, member = asked.caller, asked.body.beside(asked.caller.subject)
        return _told(self.convening.remove(caller.subject, caller.purpose, asked.path["board"], member))

    def close(self, asked: Asked[None, None]) -> BoardTold:
        """Close a board, in effect at once."""
        return _told(self.convening.close(asked.caller.subject, asked.caller.purpose, asked.path["board"]))


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints of boards."""
    api, at = Api(archive, identification, "Boards"), Endpoints(archive.convening)
    one = "/boards/{board}"
    seen, changed, made = Action.BOARD_LIST, Action.BOARD_CHANGE, HTTPStatus.CREATED
    api.add("POST", "/boards", at.convene, action=Action.BOARD_CONVENE, body=NewBoard, answer=BoardTold, status=made)
    api.add("GET", "/boards", at.listed, action=seen, answer=list[BoardTold])
    api.add("GET", one, at.get, action=seen, answer=BoardTold)
    api.add("GET", f"{one}/reads", at.reads, action=seen, answer=list[BoardRead])
    api.add("POST", f"{one}/studies", at.admit, action=Action.BOARD_ADMIT, body=Admission, answer=BoardTold)
    api.add("DELETE", f"{one}/studies/{{study}}", at.withdraw, action=changed)
    api.add("POST", f"{one}/members", at.add, action=changed, body=Named, answer=BoardTold)
    api.add("POST", f"{one}/members/remove", at.remove, action=changed, body=Named, answer=BoardTold)
    api.add("POST", f"{one}/close", at.close, action=changed, answer=BoardTold)
    return api.router


def _told(opened: OpenedBoard) -> BoardTold:
    board = opened.board
    return BoardTold(
        board=board.board_id,
        standing=opened.standing,
        title=opened.title,
        meets_on=board.meets_on,
        begins_at=board.begins_at,
        ends_at=board.ends_at,
        closed_at=board.closed_at,
        reason=opened.reason,
        convener=Named.of(opened.convener),
        members=[MemberTold(member=Named.of(seat.member), since=seat.since) for seat in opened.members],
        studies=[
            CaseTold(study_instance_uid=case.study_instance_uid, brought_by=Named.of(case.brought_by), since=case.since)
            for case in opened.cases
        ],
    )


def _read(read: BoardReading) -> BoardRead:
    told = read_of(read.reading).model_dump()
    return BoardRead(**told, study_instance_uid=read.study_instance_uid, reader=Named.of(read.reader))
