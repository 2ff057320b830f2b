"""The policy over HTTP: why a decision comes out as it does."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from pacs_secure.archive import Archive
from pacs_secure.archive.care import LONGEST_NAME
from pacs_secure.core.access import Action, Purpose, Relation, Role, Safeguard
from pacs_secure.core.classification import LONGEST_DEPARTMENT
from pacs_secure.core.explanation import Change, ChangeKind, Explanation, Question
from pacs_secure.core.identifiers import Institution
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification

House = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class About(Body):
    """Whose decision is asked about: anybody's of a role and department."""

    role: Role
    department: Annotated[str, Field(max_length=LONGEST_DEPARTMENT)] = ""
    action: Action
    purpose: Purpose | None = None
    study: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    second_factor: bool = False


class AboutPerson(About):
    """The same for one person, whom no address may name."""

    person: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    institution: House | None = None


class Turn(Body):
    """One thing that could be otherwise."""

    kind: ChangeKind
    value: str
    given: bool
    said: str


class Explained(Body):
    """The decision, what it rests on, and what would turn it."""

    decision: Literal["allowed", "refused", "hidden"]
    rule: str
    policy_version: str
    purpose: Purpose | None
    relations: list[Relation] | None
    safeguards: list[Safeguard]
    held: bool
    needs_second_factor: bool
    turned_by: list[list[Turn]]
    """Each of them turns the decision; pairs only when nothing does alone."""


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints."""
    api = Api(archive, identification, "Policy")

    def explain(asked: Asked[None, About]) -> Explained:
        """Explain a decision about anybody of a role."""
        caller = asked.caller
        return _told(archive.explain.explain(caller.subject, caller.purpose, _question(asked.query)))

    def explain_person(asked: Asked[AboutPerson, None]) -> Explained:
        """Explain a decision about one person."""
        caller, body = asked.caller, asked.body
        question = _question(body, body.person, body.institution)
        return _told(archive.explain.explain(caller.subject, caller.purpose, question))

    path, action = "/policy/explain", Action.POLICY_EXPLAIN
    api.add("GET", path, explain, action=action, query=About, answer=Explained)
    api.add("POST", path, explain_person, action=action, body=AboutPerson, answer=Explained)
    return api.router


def _question(about: About, person: str = "", institution: str | None = None) -> Question:
    return Question(
        role=about.role,
        action=about.action,
        purpose=about.purpose,
        department=about.department,
        person=person,
        institution=None if institution is None else Institution(institution),
        study_instance_uid=about.study,
        second_factor=about.second_factor,
    )


def _told(explanation: Explanation) -> Explained:
    decision, relations = explanation.decision, explanation.relations
    return Explained(
        decision=explanation.outcome,
        rule=decision.rule,
        policy_version=decision.policy_version,
        purpose=explanation.purpose,
        relations=None if relations is None else sorted(relations),
        safeguards=sorted(explanation.safeguards),
        held=explanation.held,
        needs_second_factor=explanation.needs_second_factor,
        turned_by=[[_turn(change) for change in together] for together in explanation.turned_by],
    )


def _turn(change: Change) -> Turn:
    return Turn(kind=change.kind, value=change.value, given=change.given, said=change.said)
