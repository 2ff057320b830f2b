"""Explaining: why somebody may do something or not, what that rests on, and what would turn it.

An explanation about a study says something of it, so it is on record like every other look at one;
and it is for those who watch over the rules, who never see a picture.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.locating import refusing_malformed
from pacs_secure.archive.turning import turned_by
from pacs_secure.core.access import (
    AccessRequest,
    Action,
    Assurance,
    Door,
    Purpose,
    StudyFacts,
    Subject,
    relations_of,
)
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import NotFound
from pacs_secure.core.explanation import Explanation, Question
from pacs_secure.core.identifiers import uid
from pacs_secure.ports import Policy


@dataclass(frozen=True, slots=True)
class Explain:
    """The verb: explain one decision."""

    guard: Guard
    facts: Facts
    policy: Policy
    now: Callable[[], datetime]

    def explain(self, subject: Subject, purpose: Purpose | None, question: Question) -> Explanation:
        """Explain what would be decided for somebody, as things stand; the explanation itself is on record.

        Raises:
            Malformed: the study's UID is none.
            Denied: the caller may not have decisions explained, whether or not there is such a study.
            NotFound: there is no such study in the caller's house.
        """
        asked = _record(subject, purpose, question)
        with refusing_malformed(self.guard, asked):
            named = None if question.study_instance_uid is None else uid(question.study_instance_uid)
        permit = self.guard.decide(asked)
        about = _somebody(subject, question, self.now())
        study = None if named is None else self.facts.of(subject, purpose, named)
        if named is not None and (study is None or study.institution != subject.institution):
            self.guard.finish(permit, Outcome.FAILED, {"error": NotFound.__name__})
            raise NotFound("no such object")
        explanation = self._explain(about, question, study)
        told = {"decided": explanation.outcome, "decided_by": explanation.decision.rule}
        self.guard.finish(permit, Outcome.COMPLETED, told, study)
        return explanation

    def _explain(self, about: Subject, question: Question, study: StudyFacts | None) -> Explanation:
        purpose = question.purpose or self.policy.default_purpose(about)
        if study is not None:
            tied = about.identifier != "" and self._knows(about)
            study = study.seen_by(self.guard.viewer(about, purpose)) if tied else replace(study, relations=frozenset())
        request = AccessRequest(about, question.action, purpose, study)
        return Explanation(
            subject=about,
            action=question.action,
            purpose=purpose,
            decision=self.guard.judge(request),
            relations=None if study is None else relations_of(about, study, tied=True),
            safeguards=frozenset() if study is None else study.safeguards,
            held=study is not None and study.held,
            needs_second_factor=purpose is not None
            and self.policy.needs_second_factor(about, question.action, purpose),
            turned_by=turned_by(self.guard.judge, request, self.now()),
        )

    def _knows(self, about: Subject) -> bool:
        """Say whether anybody of that house was ever here: no keys are made for a name that was only asked about."""
        return self.facts.records.institution_keys(about.institution, None) is not None


def _somebody(asking: Subject, question: Question, at: datetime) -> Subject:
    """Return the subject that is asked about."""
    proven = Assurance(second_factor=True, logged_in_at=at) if question.second_factor else Assurance()
    house = question.institution or asking.institution
    return Subject(question.person, question.role, house, question.department, Door.JOB, "", proven)


def _record(subject: Subject, purpose: Purpose | None, question: Question) -> AccessRequest:
    """Return the request to explain, which says in clear what names no person."""
    details = {
        "about_role": question.role.value,
        "about_department": question.department,
        "about_action": question.action.value,
        "about_purpose": question.purpose or "",
    }
    private = {"person": question.person, "study": question.study_instance_uid or ""}
    named = {name: value for name, value in private.items() if value}
    return AccessRequest(subject, Action.POLICY_EXPLAIN, purpose, details=details, private=named)
