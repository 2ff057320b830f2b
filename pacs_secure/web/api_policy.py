"""The policy over HTTP: which is in force, how it is changed by two persons, and why a decision comes out so."""

from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from pacs_secure.archive import Archive
from pacs_secure.archive.care import LONGEST_NAME
from pacs_secure.core.access import Action, Purpose, Relation, Role, Safeguard
from pacs_secure.core.classification import LONGEST_DEPARTMENT
from pacs_secure.core.explanation import Change, ChangeKind, Explanation, Question
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.policies import MODEL, ROLES, RULES, TRUTHS, InForce, Proposed
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.api_facts import Reason
from pacs_secure.web.identity import Caller, Identification

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


class Rules(Body):
    """The policy in force."""

    # Whoever digests what is told must come to the version that is named.
    model_config = ConfigDict(str_strip_whitespace=False)

    version: str
    approved_at: AwareDatetime | None
    """None: the policy that ships."""
    files: dict[str, str]
    """Its rules, roles and model as text; the truth table is too long to be told."""
    truth_table_sha256: str


Truth = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:,*/ -]{1,200}$")]


class NewPolicy(Body):
    """A policy to propose; files that are not named stay as they are in force."""

    reason: Reason
    rules: str | None = None
    roles: str | None = None
    model: str | None = None
    truths: Annotated[tuple[Truth, ...], Field(max_length=2000)] = ()
    """Rows of the truth table that come out otherwise, each as the table writes it."""


class ProposedPolicy(Body):
    """A policy that somebody proposed."""

    version: str
    replaces: str
    state: Literal["pending", "approved", "outdated"]
    proposed_by: str
    proposed_at: AwareDatetime
    reason: str
    approved_by: str | None
    approved_at: AwareDatetime | None
    removed: list[str]
    added: list[str]
    truths_changed: int


class Waiting(Body):
    """A proposal that was made."""

    version: str
    replaces: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is asked about the policy, and about its decisions."""

    archive: Archive

    def show(self, asked: Asked[None, None]) -> Rules:
        """Show the policy that is in force."""
        return _rules(self.archive.policies.in_force(asked.caller.subject, asked.caller.purpose))

    def listed(self, asked: Asked[None, None]) -> list[ProposedPolicy]:
        """List the newest proposals, and what those that wait would change."""
        found = self.archive.policies.listed(asked.caller.subject, asked.caller.purpose)
        return [_proposed(one) for one in found]

    def propose(self, asked: Asked[NewPolicy, None]) -> Waiting:
        """Propose a policy, with a reason."""
        caller, body = asked.caller, asked.body
        named = {RULES: body.rules, ROLES: body.roles, MODEL: body.model}
        texts = {name: text + "\n" for name, text in named.items() if text is not None}
        made = self.archive.policies.propose(caller.subject, caller.purpose, texts, body.reason, body.truths)
        return Waiting(version=made.version, replaces=made.replaces)

    def approve(self, asked: Asked[None, None]) -> Rules:
        """Approve a proposed policy: another person than who proposed it."""
        caller = asked.caller
        return _rules(self.archive.policies.approve(caller.subject, caller.purpose, asked.path["version"]))

    def explain(self, asked: Asked[None, About]) -> Explained:
        """Explain a decision about anybody of a role."""
        return self._explained(asked.caller, _question(asked.query))

    def explain_person(self, asked: Asked[AboutPerson, None]) -> Explained:
        """Explain a decision about one person."""
        return self._explained(asked.caller, _question(asked.body, asked.body.person, asked.body.institution))

    def _explained(self, caller: Caller, question: Question) -> Explained:
        return _told(self.archive.explain.explain(caller.subject, caller.purpose, question))


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints."""
    api, at = Api(archive, identification, "Policy"), Endpoints(archive)
    path, proposals = "/policy/explain", "/policy/proposals"
    seen, new, made = Action.POLICY_EXPLAIN, Action.POLICY_PROPOSE, HTTPStatus.CREATED
    api.add("GET", "/policy", at.show, action=seen, answer=Rules)
    api.add("GET", proposals, at.listed, action=seen, answer=list[ProposedPolicy])
    api.add("POST", proposals, at.propose, action=new, body=NewPolicy, answer=Waiting, status=made)
    api.add("POST", f"{proposals}/{{version}}/approve", at.approve, action=Action.POLICY_APPROVE, answer=Rules)
    api.add("GET", path, at.explain, action=seen, query=About, answer=Explained)
    api.add("POST", path, at.explain_person, action=seen, body=AboutPerson, answer=Explained)
    return api.router


def _rules(policy: InForce) -> Rules:
    texts = dict(policy.texts)
    truths = texts.pop(TRUTHS, "")
    return Rules(
        version=policy.version,
        approved_at=policy.since,
        files=texts,
        truth_table_sha256=sha256(truths.encode()).hexdigest(),
    )


def _proposed(one: Proposed) -> ProposedPolicy:
    proposal = one.proposal
    approval = proposal.approval
    return ProposedPolicy(
        version=proposal.version,
        replaces=proposal.replaces,
        state="approved" if approval else "outdated" if one.outdated else "pending",
        proposed_by=one.person,
        proposed_at=proposal.at,
        reason=one.reason,
        approved_by=one.approved_by or None,
        approved_at=approval.at if approval else None,
        removed=list(one.removed),
        added=list(one.added),
        truths_changed=one.truths_changed,
    )


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
