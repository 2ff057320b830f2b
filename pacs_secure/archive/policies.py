"""Policy changes: one person proposes, another approves, and from then on it is in force in every process.

What is in force is the newest approved policy, believed only with its proof, or the one that ships.
A process that cannot prove a policy keeps the rules it has, and says so.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import orjson

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.locating import refusing_malformed
from pacs_secure.archive.policy_proofs import demand_proposal, of_approval, of_proposal
from pacs_secure.core.access import AccessRequest, Action, Permit, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, Denied, Malformed, NotFound, OverLimit, Tampered
from pacs_secure.core.policies import (
    FILES,
    LONGEST_TEXTS,
    TRUTHS,
    Approval,
    InForce,
    Proposal,
    Proposed,
    differences,
    digest,
    with_truths,
)
from pacs_secure.core.reasons import reason
from pacs_secure.ports import ChangingPolicy, PolicyHistory

Check = Callable[[Mapping[str, str]], list[str]]

MOST_LISTED = 100
MOST_PROBLEMS = 5
"""Problems of a bad policy that are told at once."""

_PROPOSED, _APPROVED = "policy proposal", "policy approval"


class Policies:
    """The verb: propose a policy, approve one, and keep the newest in force."""

    def __init__(
        self,
        guard: Guard,
        policy: ChangingPolicy,
        history: PolicyHistory,
        seals: InstitutionSeals,
        check: Check,
        now: Callable[[], datetime],
    ) -> None:
        self._guard = guard
        self._policy = policy
        self._history = history
        self._seals = seals
        self._check = check
        self._now = now
        self._lock = threading.Lock()
        self._sequence = 0
        self._since: datetime | None = None

    def follow(self) -> bool:
        """Put the newest approved policy in force when it is not yet; say whether it was not.

        Raises:
            Tampered: what is stored is not what was approved; the rules in force stay.
            Malformed: it is no policy to this build; the rules in force stay.
            Unavailable: index or keys are out of reach; the rules in force stay.
        """
        newest = self._history.newest()
        if newest == self._sequence:
            return False
        with self._lock:
            newest = self._history.newest()
            if newest < self._sequence:
                raise Tampered("an approved policy is gone")
            proposal = self._history.approved(newest)
            if proposal is None or proposal.approval is None:
                raise Tampered("an approved policy is gone")
            texts = self._texts_of(proposal)
            if self._policy.version_of(texts) != proposal.version:
                raise Tampered("a stored policy has another version")
            self._policy.replace(texts)
            self._sequence, self._since = newest, proposal.approval.at
        return True

    def propose(
        self,
        subject: Subject,
        purpose: Purpose | None,
        texts: Mapping[str, str],
        why: str,
        truths: Sequence[str] = (),
    ) -> Proposal:
        """Propose a policy: the files and rows of its truth table that are named, the others as they are in force.

        Raises:
            Malformed: there is no reason, a file is unknown, or the policy has problems; some are named.
            OverLimit: the texts are too long.
            Conflict: it is in force already, or proposed already.
            Denied: the caller may not propose.
        """
        request = AccessRequest(subject, Action.POLICY_PROPOSE, purpose)
        with refusing_malformed(self._guard, request):
            because = reason(why)
        request = replace(request, private={"reason": because})
        permit = self._guard.decide(request)
        with self._refusing(permit):
            self.follow()
            whole, replaces = self._sound(self._whole(texts, truths)), self._policy.version
            version = self._policy.version_of(whole)
            if version == replaces:
                raise Conflict("this policy is in force")
            proposal = self._proposal(subject, version, replaces, digest(whole), because)
            facts = {"proposed": version, "replaces": replaces, "sha256": proposal.texts_sha256.hex()}
            self._history.propose(permit, proposal, whole, self._guard.draft(permit, Outcome.COMPLETED, facts))
        return proposal

    def approve(self, subject: Subject, purpose: Purpose | None, version: str) -> InForce:
        """Approve a proposed policy, which is in force when this returns.

        Raises:
            Denied: the caller may not approve, or has proposed it.
            NotFound: no policy of this version waits for an approval.
            Conflict: the policy has changed since it was proposed.
            Malformed: it is no sound policy, or no longer to this build.
            Tampered: what is stored is not what was proposed.
        """
        permit = self._guard.decide(AccessRequest(subject, Action.POLICY_APPROVE, purpose))
        with self._refusing(permit):
            self.follow()
            proposal = self._to_approve(subject, version)
            self._sound(self._texts_of(proposal))
            approval = self._approval(subject, proposal)
            facts = {"old": proposal.replaces, "new": proposal.version, "sha256": proposal.texts_sha256.hex()}
            draft = self._guard.draft(permit, Outcome.COMPLETED, facts)
            self._history.approve(permit, proposal.proposal_id, approval, draft)
        self.follow()
        return self._in_force()

    def in_force(self, subject: Subject, purpose: Purpose | None) -> InForce:
        """Return the policy that decides now; that it was looked at is recorded first."""
        with self._looking(subject, purpose, "shown"):
            return self._in_force()

    def listed(self, subject: Subject, purpose: Purpose | None) -> Sequence[Proposed]:
        """Return the newest proposals, the newest first; that they were looked at is recorded first.

        Raises:
            Denied: the caller may not see them.
            Tampered: one of them is not what was proposed or approved.
        """
        with self._looking(subject, purpose, "listed"):
            return [self._shown(proposal) for proposal in self._history.proposals(MOST_LISTED)]

    def _in_force(self) -> InForce:
        return InForce(self._policy.version, self._since, self._policy.texts)

    def _whole(self, texts: Mapping[str, str], truths: Sequence[str]) -> Mapping[str, str]:
        whole = {**self._policy.texts, **texts}
        return {**whole, TRUTHS: with_truths(whole[TRUTHS], truths)} if truths else whole

    def _sound(self, texts: Mapping[str, str]) -> Mapping[str, str]:
        """Return texts that form a policy without a problem."""
        if not texts.keys() <= FILES:
            raise Malformed(f"a policy consists of {', '.join(sorted(FILES))}")
        if sum(len(text.encode()) for text in texts.values()) > LONGEST_TEXTS:
            raise OverLimit("the policy is too long")
        if problems := self._check(texts):
            more = f" (and {len(problems) - MOST_PROBLEMS} more)" if len(problems) > MOST_PROBLEMS else ""
            raise Malformed("; ".join(problems[:MOST_PROBLEMS]) + more)
        return texts

    def _proposal(self, subject: Subject, version: str, replaces: str, texts_sha256: bytes, because: str) -> Proposal:
        house, proposal_id = subject.institution, uuid4()
        seal = self._seals.index(house)
        told = orjson.dumps({"person": subject.identifier, "reason": because})
        proposal = Proposal(
            proposal_id=proposal_id,
            version=version,
            replaces=replaces,
            texts_sha256=texts_sha256,
            institution=house,
            actor=self._guard.pseudonym(house, subject.identifier),
            at=self._now(),
            box=seal.seal(_PROPOSED, str(proposal_id), str(proposal_id), told),
        )
        return replace(proposal, proof=of_proposal(seal, proposal))

    def _to_approve(self, subject: Subject, version: str) -> Proposal:
        """Return the proposal of a version that a person may approve."""
        pending = self._history.pending(version)
        if not pending:
            raise NotFound("no such object")
        current = [one for one in pending if one.replaces == self._policy.version]
        if not current:
            raise Conflict("the policy has changed since this was proposed")
        proposal = demand_proposal(self._seals.index(current[0].institution), current[0])
        if self._guard.pseudonym(subject.institution, subject.identifier) == proposal.actor:
            raise Denied("whoever proposes a policy never approves it")
        return proposal

    def _approval(self, subject: Subject, proposal: Proposal) -> Approval:
        seal, key = self._seals.index(proposal.institution), str(proposal.proposal_id)
        approval = Approval(
            sequence=self._history.newest() + 1,
            actor=self._guard.pseudonym(subject.institution, subject.identifier),
            at=self._now(),
            box=seal.seal(_APPROVED, key, key, orjson.dumps({"person": subject.identifier})),
        )
        return replace(approval, proof=of_approval(seal, proposal, approval))

    def _texts_of(self, proposal: Proposal) -> Mapping[str, str]:
        """Return the texts of a proposal that is proven; raise `Tampered` when it or they are not what was written."""
        demand_proposal(self._seals.index(proposal.institution), proposal)
        texts = self._history.texts(proposal.proposal_id)
        if digest(texts) != proposal.texts_sha256:
            raise Tampered("the texts of a stored policy are not what was proposed")
        return texts

    def _shown(self, proposal: Proposal) -> Proposed:
        seal, key = self._seals.index(proposal.institution), str(proposal.proposal_id)
        told = orjson.loads(seal.open(_PROPOSED, key, key, demand_proposal(seal, proposal).box))
        if proposal.approval is not None:
            by = orjson.loads(seal.open(_APPROVED, key, key, proposal.approval.box))
            return Proposed(proposal, told["person"], told["reason"], by["person"], outdated=False)
        if proposal.replaces != self._policy.version:
            return Proposed(proposal, told["person"], told["reason"], "", outdated=True)
        removed, added, truths = differences(self._policy.texts, self._texts_of(proposal))
        return Proposed(
            proposal,
            told["person"],
            told["reason"],
            "",
            outdated=False,
            removed=tuple(removed),
            added=tuple(added),
            truths_changed=truths,
        )

    @contextmanager
    def _looking(self, subject: Subject, purpose: Purpose | None, how: str) -> Iterator[None]:
        """Record a look at the policy before, and how it came out after."""
        grant = self._guard.admit(AccessRequest(subject, Action.POLICY_EXPLAIN, purpose, details={"policy": how}))
        try:
            yield
        except ArchiveError as error:
            self._guard.finish(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self._guard.finish_later(grant, Outcome.COMPLETED, {})

    @contextmanager
    def _refusing(self, permit: Permit) -> Iterator[None]:
        """Record what is refused after the policy has allowed it."""
        try:
            yield
        except ArchiveError as error:
            self._guard.refuse(permit.request, {"error": type(error).__name__})
            raise
