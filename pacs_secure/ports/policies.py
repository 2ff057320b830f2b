"""How the policy changes: the rules that can be replaced whole, and the history of what was proposed and approved."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.policies import Approval, Proposal
from pacs_secure.ports.people import Policy


class ChangingPolicy(Policy, Protocol):
    """A policy that can be replaced while it decides."""

    @property
    def texts(self) -> Mapping[str, str]:
        """Return the texts of its files, as they are in force."""

    def version_of(self, texts: Mapping[str, str]) -> str:
        """Return the version that these texts would be; raise `Malformed` when they are no policy."""

    def replace(self, source: Mapping[str, str]) -> str:
        """Replace the rules whole and return their version; raises `Malformed`, and then the old ones stay."""


class PolicyHistory(Protocol):
    """What was proposed and approved; nothing of it is believed without its proof."""

    def propose(self, permit: Permit, proposal: Proposal, texts: Mapping[str, str], draft: Draft) -> None:
        """Keep a proposal with its texts and record it, in one commit.

        Raises:
            Conflict: the same version waits for an approval against the same version.
            Denied: the Permit is another institution's.
        """

    def approve(self, permit: Permit, proposal_id: UUID, approval: Approval, draft: Draft) -> None:
        """Keep the approval of a proposal and record it, in one commit.

        Raises:
            Conflict: it is approved already, or another was approved meanwhile and has its sequence.
            NotFound: there is no such proposal.
        """

    def proposals(self, limit: int) -> Sequence[Proposal]:
        """Return the newest proposals, the newest first."""

    def pending(self, version: str) -> Sequence[Proposal]:
        """Return the proposals of a version that nobody has approved, the newest first."""

    def texts(self, proposal_id: UUID) -> Mapping[str, str]:
        """Return the texts of a proposal.

        Raises:
            NotFound: there is no such proposal.
            Tampered: what is kept are no texts.
        """

    def newest(self) -> int:
        """Return the sequence of the newest approval, 0 when there is none."""

    def approved(self, sequence: int) -> Proposal | None:
        """Return the proposal of an approval, or None."""
