"""Proposed and approved policies in memory beside a `MemoryLedger`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied, NotFound
from pacs_secure.core.policies import Approval, Proposal
from tests.fakes import MemoryLedger


class MemoryPolicies:
    """The history of a policy; damage ``kept`` to see whether anybody notices."""

    def __init__(self, ledger: MemoryLedger | None = None) -> None:
        self.ledger = ledger or MemoryLedger()
        self.kept: list[Proposal] = []
        self.written: dict[UUID, dict[str, str]] = {}

    def propose(self, permit: Permit, proposal: Proposal, texts: Mapping[str, str], draft: Draft) -> None:
        if permit.request.subject.institution != proposal.institution:
            raise Denied("institutions are strictly apart")
        if any(one.replaces == proposal.replaces for one in self.pending(proposal.version)):
            raise Conflict("this policy is proposed already")
        self.ledger.append(draft)
        self.kept.append(proposal)
        self.written[proposal.proposal_id] = dict(texts)

    def approve(self, permit: Permit, proposal_id: UUID, approval: Approval, draft: Draft) -> None:
        found = [place for place, one in enumerate(self.kept) if one.proposal_id == proposal_id]
        if not found:
            raise NotFound("no such object")
        if self.kept[found[0]].approval is not None or self.newest() != approval.sequence - 1:
            raise Conflict("a policy has been approved meanwhile")
        self.ledger.append(draft)
        self.kept[found[0]] = replace(self.kept[found[0]], approval=approval)

    def proposals(self, limit: int) -> Sequence[Proposal]:
        return self.kept[::-1][:limit]

    def pending(self, version: str) -> Sequence[Proposal]:
        return [one for one in self.kept[::-1] if one.version == version and one.approval is None]

    def texts(self, proposal_id: UUID) -> Mapping[str, str]:
        if proposal_id not in self.written:
            raise NotFound("no such object")
        return self.written[proposal_id]

    def newest(self) -> int:
        return max((one.approval.sequence for one in self.kept if one.approval), default=0)

    def approved(self, sequence: int) -> Proposal | None:
        return next((one for one in self.kept if one.approval and one.approval.sequence == sequence), None)
