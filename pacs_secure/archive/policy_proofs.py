"""Proofs that the archive itself wrote what was proposed and approved: a row alone puts no rules in force.

Whoever owns the database can write a policy there, but cannot prove it, for that takes the index
key of the house whose person proposed it.
"""

from hmac import compare_digest

from pacs_secure.core.errors import Tampered
from pacs_secure.core.policies import Approval, Proposal
from pacs_secure.crypto.index_seal import IndexSeal


def of_proposal(seal: IndexSeal, proposal: Proposal) -> bytes:
    """Return the proof of a proposal, its texts included by their digest."""
    return seal.prove(
        "policy proposal",
        proposal.proposal_id.bytes,
        proposal.version.encode(),
        proposal.replaces.encode(),
        proposal.texts_sha256,
        proposal.institution.encode(),
        proposal.actor.encode(),
        proposal.at.isoformat().encode(),
    )


def of_approval(seal: IndexSeal, proposal: Proposal, approval: Approval) -> bytes:
    """Return the proof of an approval of one proposal and no other."""
    return seal.prove(
        "policy approval",
        of_proposal(seal, proposal),
        str(approval.sequence).encode(),
        approval.actor.encode(),
        approval.at.isoformat().encode(),
    )


def demand_proposal(seal: IndexSeal, proposal: Proposal) -> Proposal:
    """Return a proposal, and its approval when it has one; raise `Tampered` when the archive did not write them so."""
    approval = proposal.approval
    sound = compare_digest(of_proposal(seal, proposal), proposal.proof or b"")
    if approval is not None:
        sound = sound and compare_digest(of_approval(seal, proposal, approval), approval.proof or b"")
        sound = sound and approval.actor != proposal.actor
    if not sound:
        raise Tampered("a stored policy is not what was proposed or approved")
    return proposal
