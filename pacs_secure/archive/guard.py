"""The Guard: nothing is read before it is decided and recorded, nothing changes without a Permit.

Doors authenticate and translate; only the Guard decides. A refusal is in the ledger before the
caller hears of it, and a ledger that cannot be written refuses everything.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from pacs_secure.archive.drafts import Drafts, Facts, ground
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.ledger_keys import LedgerKeys
from pacs_secure.archive.noticing import alarmed, is_reported_singly, protected_access
from pacs_secure.archive.viewers import Viewers, nothing
from pacs_secure.core.access import (
    FROZEN_BY_HOLD,
    AccessRequest,
    Action,
    Assurance,
    Decision,
    Door,
    Grant,
    Permit,
    Purpose,
    Relation,
    Role,
    StudyFacts,
    Subject,
    Viewer,
    relations_of,
)
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import Denied, Held, Hidden, NotFound, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.warrant import WARRANT
from pacs_secure.ports import Ledger, Policy, Ties

log = logging.getLogger(__name__)

_UNPROVEN = frozenset({Action.SESSION_AUTHENTICATE, Action.SESSION_END, Action.SESSION_OPEN})
"""What needs no second factor: coming in and going out."""

_SKEW = timedelta(minutes=1)
"""How far the clock of whoever vouches for a login may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The times that an institution sets for access."""

    after_treatment: timedelta = timedelta(days=90)
    """After the end of a treatment, until its studies count as `Safeguard.ENDED` (ACC-07)."""
    fresh_login: timedelta = timedelta(minutes=5)
    """How old a login may be to break the glass (ACC-06)."""
    longest_emergency: timedelta = timedelta(hours=4)
    """How long a broken glass stays broken at most (ACC-06)."""
    longest_invitation: timedelta = timedelta(days=90)
    """For how long a share or a board may reach at most."""


class Guard:
    """Decides by the policy, records in the ledger, and alone makes Permits and Grants."""

    def __init__(
        self,
        policy: Policy,
        ledger: Ledger,
        ties: Ties,
        seals: InstitutionSeals,
        keys: LedgerKeys,
        now: Callable[[], datetime],
        new_act: Callable[[], UUID],
        terms: Terms | None = None,
    ) -> None:
        self.terms = terms or Terms()
        self.lags = False
        """Whether the ledger gives what was said no place: then nothing is delivered (LOG-04)."""
        self._policy = policy
        self._ledger = ledger
        self._seals = seals
        self._now = now
        self._drafts = Drafts(seals, keys, now)
        self._viewers = Viewers(policy, ties, seals, now, self.terms.after_treatment)
        self._new_act = new_act

    def admit(self, request: AccessRequest) -> Grant:
        """Decide a read and record it durably; only then may anything be opened.

        Raises:
            Denied: the caller may know of the study but not read it, named no purpose, or lacks a second factor.
            Hidden: the caller may not know that the study exists; a door answers as for `NotFound`.
            Unavailable: the ledger cannot be written, so nothing is delivered (LOG-04).
        """
        return self.grant(self.decide(request), request.objects)

    def grant(self, permit: Permit, objects: int, *, patient: UUID | None = None) -> Grant:
        """Record a decided read of so many instances, durably, and report that of a labelled study (ACC-08).

        ``patient`` is whom a read concerns that is about no single study.

        Raises:
            Unavailable: that cannot be done.
        """
        if self.lags:
            raise Unavailable("the ledger lags behind")
        facts: dict[str, str | int] = {"objects": objects, **ground(permit.request)}
        if is_reported_singly(permit.request):
            notice_id = self._new_act()
            begun = self.draft(permit, Outcome.BEGUN, {**facts, "reported": str(notice_id)})
            self._ledger.append(begun, protected_access(self._seals, permit.request, begun, notice_id))
        else:
            begun = self.draft(permit, Outcome.BEGUN, facts, patient=patient)
            self._ledger.append(begun)
        searching = permit.request.action is Action.STUDY_SEARCH and permit.request.purpose
        scope = (
            self._viewers.scope(permit.request, searching, begun.actor) if searching else nothing(permit.request, begun)
        )
        return Grant(permit.request, permit.decision, permit.act, scope, self._now(), WARRANT)

    def viewer(self, subject: Subject, purpose: Purpose | None) -> Viewer:
        """Say through whose eyes the facts of a study are to be gathered for a subject.

        Raises:
            Tampered: the index holds a tie of theirs that the archive did not write.
            Unavailable: the keys that pseudonyms and proofs are made with are out of reach.
        """
        return self._viewers.of(subject, purpose, self.pseudonym(subject.institution, subject.identifier))

    def pseudonym(self, of: Institution, identifier: str) -> str:
        """Return what stands for a person of an institution, in ledger and ties alike."""
        return self._drafts.pseudonym(of, identifier)

    def decide(self, request: AccessRequest) -> Permit:
        """Decide an act whose record will share the commit of its change; raises as `admit` does.

        Raises:
            Held: a legal hold forbids what the policy would allow.
        """
        purpose = request.purpose or self._policy.default_purpose(request.subject)
        if purpose is None:
            decision = Decision(
                allowed=False, may_know=True, rule="no purpose of use", policy_version=self._policy.version
            )
            self._record_refusal(request, decision, {})
            raise Denied("a purpose of use is required")
        settled = replace(request, purpose=purpose)
        decision = self._decide(settled, purpose)
        if not decision.allowed:
            self._record_refusal(settled, decision, {})
            raise Denied("the policy does not allow this") if decision.may_know else Hidden("no such object")
        if (objection := self._objection(settled, purpose)) is not None:
            rule, error = objection
            self._record_refusal(settled, replace(decision, allowed=False, rule=rule), {})
            raise error
        if settled.study is not None:
            self.prepare(settled.study.institution, settled.study.patient_alias)
        return Permit(settled, decision, self._new_act(), WARRANT)

    def judge(self, request: AccessRequest) -> Decision:
        """Say what would be decided, and record nothing: for explanations, whose own act is on record."""
        purpose = request.purpose or self._policy.default_purpose(request.subject)
        if purpose is None:
            return Decision(allowed=False, may_know=True, rule="no purpose of use", policy_version=self._policy.version)
        settled = replace(request, purpose=purpose)
        decision = self._decide(settled, purpose)
        objection = self._objection(settled, purpose) if decision.allowed else None
        return decision if objection is None else replace(decision, allowed=False, rule=objection[0])

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

    def finish(
        self,
        proof: Permit | Grant,
        outcome: Outcome,
        facts: Facts,
        study: StudyFacts | None = None,
        *,
        patient: UUID | None = None,
    ) -> None:
        """Record how an act came out, and for whom when it is about no single study; durable on return."""
        self._ledger.append(self.draft(proof, outcome, facts, study, patient=patient))

    def finish_later(self, proof: Grant, outcome: Outcome, facts: Facts) -> None:
        """Record how a read came out with the next commit: its beginning is durable already.

        The delivery is over, so a ledger out of reach fails nobody here; the act stays open in it
        and is closed when the archive next starts.
        """
        try:
            self._ledger.follow(self.draft(proof, outcome, facts))
        except Unavailable as error:
            log.warning("the outcome of a read could not be recorded: %s", error)

    def announce(self, of: Institution, action: Action, facts: Facts) -> None:
        """Record what the archive itself does: that it starts, that it stops."""
        self._ledger.append(self._own(of, action, Outcome.COMPLETED, facts))

    def alarm(self, of: Institution, kind: str, facts: Facts) -> None:
        """Record that something found the archive wanting and tell the officer, in one commit (LOG-08).

        The fact ``recovered`` says that it is over. ``kind`` and ``facts`` stand in the ledger
        in clear: nothing in them names a person.

        Raises:
            Unavailable: that cannot be done now; try again.
        """
        outcome = Outcome.COMPLETED if "recovered" in facts else Outcome.FAILED
        draft = self._own(of, Action.SYSTEM_ALARM, outcome, {"alarm": kind, **facts})
        self._ledger.append(draft, alarmed(self._seals, draft, self._new_act()))

    def prepare(self, of: Institution, patient: UUID | None) -> None:
        """Have at hand what an entry about a patient needs, for commits in which nobody may wait for the vault.

        None stands for a patient who is not known yet. Raises `Unavailable` when that cannot be had.
        """
        self._drafts.prepare(of, patient)

    def draft(
        self,
        proof: Permit | Grant,
        outcome: Outcome,
        facts: Facts,
        study: StudyFacts | None = None,
        *,
        patient: UUID | None = None,
    ) -> Draft:
        """Write down an allowed act, for the commit that carries it out.

        ``patient`` is whom an act concerns that is about no single study.
        """
        of_study = study or proof.request.study
        return self._drafts.of(proof.request, proof.decision, proof.act, outcome, facts, of_study, patient)

    def closing(self, begun: Draft, outcome: Outcome) -> Draft:
        """Write down the end of an act whose process did not live to record it."""
        return replace(begun, at=self._now(), outcome=outcome, facts={**begun.facts, "closed": "after a crash"})

    def _decide(self, request: AccessRequest, purpose: Purpose) -> Decision:
        """Decide for the person and for the device they act through: both must be allowed (DESIGN 9)."""
        decision = self._decide_for(request.subject, request, purpose, tied=True)
        if request.device is None or not decision.allowed:
            return decision
        # A device acts for the purpose of its role, whatever brings the person behind it.
        its_own = self._policy.default_purpose(request.device) or purpose
        device = self._decide_for(request.device, request, its_own, tied=False)
        return replace(decision, rule=f"{decision.rule}; {device.rule}") if device.allowed else device

    def _decide_for(self, subject: Subject, request: AccessRequest, purpose: Purpose, *, tied: bool) -> Decision:
        study = request.study
        if study is None:
            # To no study yet (a search, a first instance) nobody stands apart: the scope narrows a
            # search, and a new study begins in the department of whoever sends it.
            return self._policy.decide(subject, request.action, purpose, frozenset(Relation))
        relations = relations_of(subject, study, tied=tied)
        if not relations:
            rule, version = "institutions are strictly apart", self._policy.version
            return Decision(allowed=False, may_know=False, rule=rule, policy_version=version)
        return self._policy.decide(subject, request.action, purpose, relations, study.safeguards)

    def _objection(self, request: AccessRequest, purpose: Purpose) -> tuple[str, Denied | Held] | None:
        """Return what stands against an act that the policy allows, and the error that says so."""
        subject, study = request.subject, request.study
        once = not subject.assurance.second_factor and request.action not in _UNPROVEN
        if once and self._policy.needs_second_factor(subject, request.action, purpose):  # ACC-09
            return "no second factor", Denied("a second factor is required")
        if request.action is Action.BREAK_GLASS_OPEN and not self._is_fresh(subject.assurance):  # ACC-06
            return "no fresh login", Denied("a fresh login is required")
        if study is not None and study.held and request.action in FROZEN_BY_HOLD:  # GDPR 17(3)(e)
            return "legal hold", Held("a legal hold forbids this")
        return None

    def _is_fresh(self, assurance: Assurance) -> bool:
        """Say whether somebody has just proved who they are."""
        at = assurance.logged_in_at
        return at is not None and -_SKEW <= self._now() - at <= self.terms.fresh_login

    def _own(self, of: Institution, action: Action, outcome: Outcome, facts: Facts) -> Draft:
        """Write down an act of the archive itself: nobody asked for it, so nobody was allowed it."""
        request = AccessRequest(Subject("archive", Role.STRANGER, of, "", Door.JOB, ""), action, None)
        decision = Decision(allowed=True, may_know=True, rule="the archive itself", policy_version=self._policy.version)
        return self._drafts.of(request, decision, self._new_act(), outcome, facts, None)

    def _record_refusal(self, request: AccessRequest, decision: Decision, facts: Facts) -> None:
        act = self._new_act()
        self._ledger.append(self._drafts.of(request, decision, act, Outcome.REFUSED, facts, request.study))
