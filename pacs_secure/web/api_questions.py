"""Questions about named employees over HTTP: asked by one, ruled on by another, read by the first (LOG-07)."""

from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from pacs_secure.archive import Archive
from pacs_secure.archive.declarations import LONGEST_REMARK
from pacs_secure.archive.employee_questions import LONGEST_NAME, Asking
from pacs_secure.archive.ledger_reading import MOST_AT_ONCE
from pacs_secure.core.access import Action
from pacs_secure.core.questions import OpenedQuestion, QuestionState
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.api_facts import Reason
from pacs_secure.web.api_ledger_reading import Index, LedgerPage
from pacs_secure.web.identity import Identification

NOTE = {"protocol": "API"}


class NewQuestion(Body):
    """What an employee of one's institution is asked about, and why; it waits for a second person."""

    person: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    since: AwareDatetime
    until: AwareDatetime
    """From the beginning until before the end, a year at most."""
    reason: Reason


class Remark(Body):
    """What the second person has to say when they approve."""

    reason: Annotated[str, Field(max_length=LONGEST_REMARK)] = ""


class Refusal(Body):
    """Why the second person refuses."""

    reason: Reason


class AskedQuestion(Body):
    """A question about an employee; names are null to whoever may not rule on it."""

    id: UUID
    state: QuestionState
    asked_at: AwareDatetime
    since: AwareDatetime
    until: AwareDatetime
    asked_by: str | None
    person: str | None
    reason: str | None
    ruled_at: AwareDatetime | None
    ruled_by: str | None
    ruling_reason: str | None
    answered_until: AwareDatetime | None
    """Until before when whoever asked may read the answer."""

    @classmethod
    def of(cls, opened: OpenedQuestion) -> Self:
        """Write a question down."""
        question = opened.question
        return cls(
            id=question.question_id,
            state=opened.state,
            asked_at=question.at,
            since=question.since,
            until=question.until,
            asked_by=opened.person or None,
            person=opened.about or None,
            reason=opened.reason or None,
            ruled_at=None if question.ruling is None else question.ruling.at,
            ruled_by=opened.ruled_by or None,
            ruling_reason=opened.remark or None,
            answered_until=question.answered_until,
        )


class Place(Body):
    """Which page of the answer."""

    after: Index | None = None
    """Go on behind this entry."""
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 100
    thorough: bool = False
    """Whether to read the whole ledger instead of trusting its index to leave nothing out."""


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints."""
    api, verb = Api(archive, identification, "Ledger"), archive.questioning

    def ask_about_employee(asked: Asked[NewQuestion, None]) -> AskedQuestion:
        """Ask what an employee did; a second person has to approve."""
        caller, body = asked.caller, asked.body
        asking = Asking(body.person, body.since, body.until, body.reason)
        return AskedQuestion.of(verb.ask(caller.subject, caller.purpose, asking, details=NOTE))

    def list_questions(asked: Asked[None, None]) -> list[AskedQuestion]:
        """List the questions about employees, newest first."""
        caller = asked.caller
        return [AskedQuestion.of(one) for one in verb.listed(caller.subject, caller.purpose, details=NOTE)]

    def approve_question(asked: Asked[Remark, None]) -> AskedQuestion:
        """Approve somebody else's question; from then on they may read the answer for seven days."""
        return ruled(asked, approved=True)

    def refuse_question(asked: Asked[Refusal, None]) -> AskedQuestion:
        """Refuse somebody else's question."""
        return ruled(asked, approved=False)

    def ruled(asked: Asked[Remark, None] | Asked[Refusal, None], *, approved: bool) -> AskedQuestion:
        caller, said = asked.caller, asked.body.reason
        made = verb.rule(caller.subject, caller.purpose, asked.path["id"], approved=approved, said=said, details=NOTE)
        return AskedQuestion.of(made)

    def read_answer(asked: Asked[None, Place]) -> LedgerPage:
        """Read what the employee did: whoever asked, once it is approved, oldest first."""
        caller, place = asked.caller, asked.query
        page = verb.entries(
            caller.subject,
            caller.purpose,
            asked.path["id"],
            place.after,
            place.limit,
            thorough=place.thorough,
            details=NOTE,
        )
        return LedgerPage.of(page, asked=False)

    path, one, told = "/ledger/questions", "/ledger/questions/{id}", AskedQuestion
    asks, rules, made = Action.LEDGER_ASK, Action.LEDGER_APPROVE, HTTPStatus.CREATED
    api.add("POST", path, ask_about_employee, action=asks, body=NewQuestion, answer=told, status=made)
    api.add("GET", path, list_questions, action=Action.LEDGER_REPORT, answer=list[AskedQuestion])
    api.add("POST", f"{one}/approve", approve_question, action=rules, body=Remark, answer=told)
    api.add("POST", f"{one}/refuse", refuse_question, action=rules, body=Refusal, answer=told)
    api.add("GET", f"{one}/entries", read_answer, action=Action.LEDGER_READ, query=Place, answer=LedgerPage)
    return api.router
