"""The Guard: nothing is read before it is decided and recorded, nothing changes without a Permit.

Doors authenticate and translate; only the Guard decides. A refusal is in the ledger before the
caller hears of it, and a ledger that cannot be written refuses everything.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import orjson

from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.core.access import (
    AccessRequest,
    Action,
    Decision,
    Grant,
    Permit,
    Purpose,
    Relation,
    Scope,
    StudyFacts,
    Subject,
)
from pacs_secure.core.audit import Draft, Outcome, SealedDetails
from pacs_secure.core.errors import Denied, Hidden, NotFound, Unavailable
from pacs_secure.core.warrant import WARRANT
from pacs_secure.ports import Ledger, Policy

Facts = Mapping[str, str | int]

log = logging.getLogger(__name__)

LONGEST_PRIVATE = 16 * 1024
"""Bytes of what was asked for that an entry carries; of anything longer only the digest, so that it always fits."""


class Guard:
    """Decides by the policy, records in the ledger, and alone makes Permits and Grants."""

    def __init__(
        self,
        policy: Policy,
        ledger: Ledger,
        seals: InstitutionSeals,
        now: Callable[[], datetime],
        new_act: Callable[[], UUID],
    ) -> None:
        self._policy = policy
        self._ledger = ledger
        self._seals = seals
        self._now = now
        self._new_act = new_act

    def admit(self, request: AccessRequest) -> Grant:
        """Decide a read and record it durably; only then may anything be opened.

        Raises:
            Denied: the caller may know of the study but not read it, or named no purpose.
            Hidden: the caller may not know that the study exists; a door answers as for `NotFound`.
            Unavailable: the ledger cannot be written, so nothing is delivered (LOG-04).
        """
        return self.grant(self.decide(request), request.objects)

    def grant(self, permit: Permit, objects: int) -> Grant:
        """Record a decided read of so many instances, durably; raises `Unavailable` when that cannot be done."""
        self._ledger.append(self.draft(permit, Outcome.BEGUN, {"objects": objects}))
        request = permit.request
        relations, _ = self._policy.relations(request.subject, request.action, self._purpose(request))
        subject = request.subject
        scope = Scope(subject.institution, relations, subject.department, subject.identifier)
        return Grant(permit.request, permit.decision, permit.act, scope, self._now(), WARRANT)

    def decide(self, request: AccessRequest) -> Permit:
        """Decide an act whose record will share the commit of its change; raises as `admit` does."""
        purpose = request.purpose or self._policy.default_purpose(request.subject)
        if purpose is None:
            decision = Decision(
                allowed=False, may_know=True, rule="no purpose of use", policy_version=self._policy.version
            )
            self._record_refusal(request, decision, {})
            raise Denied("a purpose of use is required")
        settled = replace(request, purpose=purpose)
        decision = self._decide(settled, purpose)
        if decision.allowed:
            return Permit(settled, decision, self._new_act(), WARRANT)
        self._record_refusal(settled, decision, {})
        if decision.may_know:
            raise Denied("the policy does not allow this")
        raise Hidden("no such object")

    def refuse(self, request: AccessRequest, facts: Facts) -> None:
        """Record something refused before any decision: a bad credential, broken input, no such object."""
        decision = Decision(
            allowed=False, may_know=True, rule="refused at the door", policy_version=self._policy.version
        )
        settled = replace(request, purpose=request.purpose or self._policy.default_purpose(request.subject))
        self._record_refusal(settled, decision, facts)

    def not_found(self, request: AccessRequest) -> NotFound:
        """Record a probe for what does not exist and return the error to raise."""
        self.refuse(request, {"error": "NotFound"})
        return NotFound("no such object")

    def finish(self, proof: Permit | Grant, outcome: Outcome, facts: Facts, study: StudyFacts | None = None) -> None:
        """Record how an act came out; durable on return."""
        self._ledger.append(self.draft(proof, outcome, facts, study))

    def finish_later(self, proof: Grant, outcome: Outcome, facts: Facts) -> None:
        """Record how a read came out with the next commit: its beginning is durable already.

        The delivery is over, so a ledger out of reach fails nobody here; the act stays open in it
        and is closed when the archive next starts.
        """
        try:
            self._ledger.follow(self.draft(proof, outcome, facts))
        except Unavailable as error:
            log.warning("the outcome of a read could not be recorded: %s", error)

    def draft(self, proof: Permit | Grant, outcome: Outcome, facts: Facts, study: StudyFacts | None = None) -> Draft:
        """Write down an allowed act, for the commit that carries it out."""
        return self._draft(proof.request, proof.decision, proof.act, outcome, facts, study or proof.request.study)

    def closing(self, begun: Draft, outcome: Outcome) -> Draft:
        """Write down the end of an act whose process did not live to record it."""
        return replace(begun, at=self._now(), outcome=outcome, facts={**begun.facts, "closed": "after a crash"})

    def _decide(self, request: AccessRequest, purpose: Purpose) -> Decision:
        subject, study = request.subject, request.study
        if study is not None and study.institution != subject.institution:
            return Decision(
                allowed=False,
                may_know=False,
                rule="institutions are strictly apart",
                policy_version=self._policy.version,
            )
        return self._policy.decide(subject, request.action, purpose, relations_of(subject, study))

    def _purpose(self, request: AccessRequest) -> Purpose:
        if request.purpose is None:  # pragma: no cover - a Permit always names its purpose
            raise Denied("a purpose of use is required")
        return request.purpose

    def _record_refusal(self, request: AccessRequest, decision: Decision, facts: Facts) -> None:
        act = self._new_act()
        self._ledger.append(self._draft(request, decision, act, Outcome.REFUSED, facts, request.study))

    def _draft(
        self,
        request: AccessRequest,
        decision: Decision,
        act: UUID,
        outcome: Outcome,
        facts: Facts,
        study: StudyFacts | None,
    ) -> Draft:
        subject = request.subject
        actor, details = self._attribution(request, act, outcome)
        return Draft(
            at=self._now(),
            act=act,
            action=request.action,
            outcome=outcome,
            institution=subject.institution,
            actor=actor,
            role=subject.role,
            department=subject.department,
            door=subject.door,
            address=subject.address,
            purpose=request.purpose,
            rule=decision.rule,
            policy_version=decision.policy_version,
            study_alias=study.alias if study else None,
            patient_alias=study.patient_alias if study else None,
            facts={**request.details, **facts},
            details=details,
        )

    def _attribution(self, request: AccessRequest, act: UUID, outcome: Outcome) -> tuple[str, SealedDetails | None]:
        """Return the actor's pseudonym and the sealed details.

        While the vault is away and the ledger key was never fetched, only what opens nothing may
        go on: a refusal, or verifying the ledger, is then recorded without its actor.
        """
        subject = request.subject
        try:
            seal = self._seals.details(subject.institution)
        except Unavailable:
            if outcome is Outcome.REFUSED or request.action is Action.LEDGER_VERIFY:
                return "", None
            raise
        private = orjson.dumps(request.private)
        kept = request.private if len(private) <= LONGEST_PRIVATE else {"sha256": sha256(private).hexdigest()}
        box = seal.seal(act, orjson.dumps({"subject": subject.identifier, **kept}))
        key_id = self._seals.ledger_keys(subject.institution).ledger
        return seal.pseudonym(subject.institution, subject.identifier), SealedDetails(key_id, box)


def relations_of(subject: Subject, study: StudyFacts | None) -> frozenset[Relation]:
    """Return every relation of a subject to a study; `Relation.NONE` always holds.

    To no study yet (a search, a first instance) nobody stands apart: the scope narrows a search,
    and a new study begins in the department of whoever sends it.
    """
    if study is None:
        return frozenset(Relation)
    same = bool(subject.department) and subject.department == study.department
    return study.relations | {Relation.NONE} | ({Relation.DEPARTMENT} if same else frozenset())
