"""Proposed and approved policies in SQL; every change shares its commit with its ledger entry."""

import json
import zlib
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.policy_tables import policies
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied, NotFound, Tampered
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.policies import LONGEST_TEXTS, Approval, Proposal

_MOST_JSON = 2 * LONGEST_TEXTS
"""Bytes that texts may have as JSON, which writes some characters as several."""

_add = insert(policies)
_listed = select(*(column for column in policies.c if column.name != "texts")).order_by(policies.c.number.desc())
_this = policies.c.proposal_id == bindparam("a_proposal")
_pending = _listed.where(policies.c.version == bindparam("a_version"), policies.c.sequence.is_(None))
_same = (
    select(policies.c.number)
    .where(
        policies.c.version == bindparam("a_version"),
        policies.c.replaces == bindparam("replaced"),
        policies.c.sequence.is_(None),
    )
    .limit(1)
)
_sequence = select(policies.c.sequence).where(_this).with_for_update()
_texts = select(policies.c.texts).where(_this)
_newest = select(func.coalesce(func.max(policies.c.sequence), 0))
_approved = _listed.where(policies.c.sequence == bindparam("a_sequence"))
_approve = update(policies).where(_this)


class SqlPolicies:
    """`pacs_secure.ports.PolicyHistory` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def propose(self, permit: Permit, proposal: Proposal, texts: Mapping[str, str], draft: Draft) -> None:
        """Keep a proposal with its texts and record it, in one commit.

        Raises:
            Conflict: the same version waits for an approval against the same version.
            Denied: the Permit is another institution's.
        """
        if permit.request.subject.institution != proposal.institution:
            raise Denied("institutions are strictly apart")
        values = {**_values(proposal), "texts": zlib.compress(json.dumps(dict(texts)).encode())}

        def keep(connection: Connection) -> None:
            named = {"a_version": proposal.version, "replaced": proposal.replaces}
            if connection.execute(_same, named).first() is not None:
                raise Conflict("this policy is proposed already")
            connection.execute(_add, values)
            append_in(connection, draft)

        self._database.write(keep)

    def approve(self, permit: Permit, proposal_id: UUID, approval: Approval, draft: Draft) -> None:  # noqa: ARG002 - the Permit is the proof
        """Keep the approval of a proposal and record it, in one commit.

        Raises:
            Conflict: it is approved already, or another was approved meanwhile and has its sequence.
            NotFound: there is no such proposal.
        """

        def keep(connection: Connection) -> None:
            row = connection.execute(_sequence, {"a_proposal": proposal_id}).first()
            if row is None:
                raise NotFound("no such object")
            if row.sequence is not None or connection.execute(_newest).scalar_one() != approval.sequence - 1:
                raise Conflict("a policy has been approved meanwhile")
            connection.execute(_approve.values(_approval_values(approval)), {"a_proposal": proposal_id})
            append_in(connection, draft)

        self._database.write(keep)

    def proposals(self, limit: int) -> Sequence[Proposal]:
        """Return the newest proposals, the newest first."""
        with self._database.read() as connection:
            return [_proposal(row) for row in connection.execute(_listed.limit(limit))]

    def pending(self, version: str) -> Sequence[Proposal]:
        """Return the proposals of a version that nobody has approved, the newest first."""
        with self._database.read() as connection:
            return [_proposal(row) for row in connection.execute(_pending, {"a_version": version})]

    def texts(self, proposal_id: UUID) -> Mapping[str, str]:
        """Return the texts of a proposal.

        Raises:
            NotFound: there is no such proposal.
            Tampered: what is kept are no texts.
        """
        with self._database.read() as connection:
            packed = connection.execute(_texts, {"a_proposal": proposal_id}).scalar()
        if packed is None:
            raise NotFound("no such object")
        return _unpacked(packed)

    def newest(self) -> int:
        """Return the sequence of the newest approval, 0 when there is none."""
        with self._database.read() as connection:
            sequence: int = connection.execute(_newest).scalar_one()
            return sequence

    def approved(self, sequence: int) -> Proposal | None:
        """Return the proposal of an approval, or None."""
        with self._database.read() as connection:
            row = connection.execute(_approved, {"a_sequence": sequence}).first()
            return None if row is None else _proposal(row)


def _unpacked(packed: bytes) -> Mapping[str, str]:
    inflation = zlib.decompressobj()
    try:
        texts = json.loads(inflation.decompress(packed, _MOST_JSON))
    except (TypeError, ValueError, zlib.error):
        raise Tampered("a stored policy is none") from None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise Tampered("a stored policy is none")
    return texts


def _values(proposal: Proposal) -> dict[str, object]:
    return {
        "proposal_id": proposal.proposal_id,
        "version": proposal.version,
        "replaces": proposal.replaces,
        "texts_sha256": proposal.texts_sha256,
        "institution": proposal.institution,
        "actor": proposal.actor,
        "proposed_at": proposal.at,
        "proof": proposal.proof,
        "box": proposal.box,
    }


def _approval_values(approval: Approval) -> dict[str, object]:
    return {
        "sequence": approval.sequence,
        "approved_by": approval.actor,
        "approved_at": approval.at,
        "approval_box": approval.box,
        "approval_proof": approval.proof,
    }


def _proposal(row: AnyRow) -> Proposal:
    approval = None
    if row.sequence is not None:
        approval = Approval(
            row.sequence,
            row.approved_by,
            row.approved_at,
            row.approval_box,
            row.approval_proof,
        )
    return Proposal(
        proposal_id=row.proposal_id,
        version=row.version,
        replaces=row.replaces,
        texts_sha256=row.texts_sha256,
        institution=Institution(row.institution),
        actor=row.actor,
        at=row.proposed_at,
        box=row.box,
        proof=row.proof,
        approval=approval,
    )
