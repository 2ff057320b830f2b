"""What one employee did: one person asks with a reason, another approves, and then the first reads it, for a week.

Whoever asks never approves, nor does whoever is asked about. Each step is an entry, the name is
sealed in rows and ledger alike, and a database's owner can approve nothing (LOG-07).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import orjson

from pacs_secure.archive.declarations import remark
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.ledger_reading import LedgerReading, ReadPage, demand_page
from pacs_secure.archive.question_proofs import demand_question, of_question, of_ruling
from pacs_secure.core.access import AccessRequest, Action, Permit, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Denied, Malformed, NotFound
from pacs_secure.core.questions import (
    LONGEST_PERIOD,
    EmployeeQuestion,
    OpenedQuestion,
    QuestionState,
    Ruling,
)
from pacs_secure.core.reasons import reason
from pacs_secure.core.seeking import Sought
from pacs_secure.ports import EmployeeQuestions

LONGEST_NAME = 256
MOST_LISTED = 500
_ASKED, _RULED = "employee question", "employee question ruling"


@dataclass(frozen=True, slots=True)
class Asking:
    """What somebody wants to know of whom, and why."""

    person: str = field(repr=False)
    """As they log in."""
    since: datetime
    until: datetime
    """UTC; from the beginning until before the end."""
    reason: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Questioning:
    """The verb: ask, rule, and read the answer."""

    guard: Guard
    questions: EmployeeQuestions
    reading: LedgerReading
    seals: InstitutionSeals
    now: Callable[[], datetime]

    def ask(
        self, subject: Subject, purpose: Purpose | None, asking: Asking, *, details: dict[str, str]
    ) -> OpenedQuestion:
        """Ask what an employee of one's institution did in a time; it waits for a second person.

        Raises:
            Denied: the subject may not ask.
            Malformed: name, reason or period are none, or the period is longer than a year.
        """
        private = {"about": asking.person, "reason": asking.reason}
        request = AccessRequest(subject, Action.LEDGER_ASK, purpose, details=details, private=private)
        permit = self.guard.decide(request)
        with self._refusing(request):
            sentence, about = reason(asking.reason), asking.person.strip()
            if not 0 < len(about) <= LONGEST_NAME:
                raise Malformed(f"an employee is named by 1 to {LONGEST_NAME} characters")
            if not timedelta() < asking.until - asking.since <= LONGEST_PERIOD:
                raise Malformed("a question is about a time that ends after it begins, of a year at most")
        question_id, of = uuid4(), subject.institution
        said = {"person": subject.identifier, "about": about, "reason": sentence}
        made = EmployeeQuestion(
            question_id,
            of,
            self._actor(subject),
            asking.since,
            asking.until,
            self.now(),
            self.seals.index(of).seal(_ASKED, str(question_id), str(question_id), orjson.dumps(said)),
        )
        made = replace(made, proof=of_question(self.seals.index(of), made))
        facts: dict[str, str | int] = {"question": str(question_id), "step": "asked"}
        self.questions.ask(permit, made, self.guard.draft(permit, Outcome.COMPLETED, facts))
        return self._opened(made)

    def rule(
        self,
        subject: Subject,
        purpose: Purpose | None,
        question_id: str,
        *,
        approved: bool,
        said: str,
        details: dict[str, str],
    ) -> OpenedQuestion:
        """Approve or refuse somebody else's question, once; a refusal needs a reason.

        Raises:
            Denied: the subject may not rule, asked it themselves, or is whom it is about.
            Malformed: the reason is none.
            NotFound: there is no such question.
            Conflict: somebody has ruled on it before.
        """
        named = _named(question_id)
        told = {**details, "question": str(named or ""), "step": "approved" if approved else "refused"}
        request = AccessRequest(subject, Action.LEDGER_APPROVE, purpose, details=told, private={"reason": said})
        permit = self.guard.decide(request)
        with self._refusing(request):
            words = remark(said) if approved else reason(said)
            opened = self._of(subject, named)
            made = self._ruling(permit, opened, words, approved=approved)
            draft = self.guard.draft(permit, Outcome.COMPLETED, {})
            self.questions.rule(permit, opened.question.question_id, made, draft)
        return self._opened(replace(opened.question, ruling=made))

    def listed(self, subject: Subject, purpose: Purpose | None, *, details: dict[str, str]) -> Sequence[OpenedQuestion]:
        """List the questions of one's institution, newest first; names are told to whoever may rule, to others none."""
        told = {**details, "questions": "listed"}
        grant = self.guard.admit(AccessRequest(subject, Action.LEDGER_REPORT, purpose, details=told))
        named = self.guard.judge(AccessRequest(subject, Action.LEDGER_APPROVE, purpose)).allowed
        with self.reading.failing(grant):
            kept = self.questions.listed(subject.institution, MOST_LISTED)
            found = [self._opened(one) if named else self._shut(one) for one in kept]
        self.guard.finish(grant, Outcome.COMPLETED, {"results": len(found)})
        return found

    def entries(
        self,
        subject: Subject,
        purpose: Purpose | None,
        question_id: str,
        after: int | None,
        limit: int,
        *,
        thorough: bool = False,
        details: dict[str, str],
    ) -> ReadPage:
        """Return one page of what the employee did, oldest first: to whoever asked, once approved, for a week.

        A ``thorough`` answer is read from the whole ledger: the employee may own its database.

        Raises:
            NotFound: the subject has asked no such question.
            Denied: nobody has approved it, it was refused, or the time for its answer is over.
        """
        named = _named(question_id)
        told = {**details, "question": str(named or ""), "step": "read"}
        request = AccessRequest(subject, Action.LEDGER_READ, purpose, details=told)
        permit = self.guard.decide(request)
        with self._refusing(request):
            demand_page(limit)
            opened = self._of(subject, named)
            question = opened.question
            if question.actor != self._actor(subject):
                raise NotFound("no such object")
            if (state := question.state(self.now())) is not QuestionState.APPROVED:
                raise Denied(_NOT_ANSWERED[state])
        grant = self.guard.grant(permit, 0)
        actor = self.guard.pseudonym(question.institution, opened.about)
        sought = Sought(question.institution, question.since, question.until, actor=actor, newest_first=False)
        with self.reading.failing(grant):
            page = self.reading.page(grant, sought, after, limit, thorough=thorough)
        self.guard.finish(grant, Outcome.COMPLETED, {"results": len(page.entries)})
        return page

    def _ruling(self, permit: Permit, opened: OpenedQuestion, words: str, *, approved: bool) -> Ruling:
        subject, question = permit.request.subject, opened.question
        seal, key, actor = self.seals.index(question.institution), str(question.question_id), self._actor(subject)
        if actor == question.actor:
            raise Denied("whoever asks about an employee never approves it")
        if actor == self.guard.pseudonym(question.institution, opened.about):
            raise Denied("whoever is asked about does not rule on it")
        told = orjson.dumps({"person": subject.identifier, "remark": words})
        made = Ruling(approved, actor, self.now(), seal.seal(_RULED, key, key, told))
        return replace(made, proof=of_ruling(seal, question, made))

    def _of(self, subject: Subject, named: UUID | None) -> OpenedQuestion:
        found = None if named is None else self.questions.get(subject.institution, named)
        if found is None:
            raise NotFound("no such object")
        return self._opened(found)

    def _shut(self, question: EmployeeQuestion) -> OpenedQuestion:
        demand_question(self.seals.index(question.institution), question)
        return OpenedQuestion(question, question.state(self.now()))

    def _opened(self, question: EmployeeQuestion) -> OpenedQuestion:
        seal, key = self.seals.index(question.institution), str(question.question_id)
        shut = self._shut(question)
        said = orjson.loads(seal.open(_ASKED, key, key, question.box))
        opened = replace(shut, person=said["person"], about=said["about"], reason=said["reason"])
        if question.ruling is None:
            return opened
        ruled = orjson.loads(seal.open(_RULED, key, key, question.ruling.box))
        return replace(opened, ruled_by=ruled["person"], remark=ruled["remark"])

    def _actor(self, subject: Subject) -> str:
        return self.guard.pseudonym(subject.institution, subject.identifier)

    @contextmanager
    def _refusing(self, request: AccessRequest) -> Iterator[None]:
        """Record what is refused after the policy has allowed it."""
        try:
            yield
        except ArchiveError as error:
            self.guard.refuse(request, {"error": type(error).__name__})
            raise


def _named(question_id: str) -> UUID | None:
    """Read a name as far as it is one: what else somebody writes there is nothing for a record."""
    try:
        return UUID(question_id)
    except ValueError:
        return None


_NOT_ANSWERED = {
    QuestionState.WAITING: "a second person has not approved this yet",
    QuestionState.REFUSED: "a second person has refused this",
    QuestionState.ENDED: "the time for this answer is over",
}
