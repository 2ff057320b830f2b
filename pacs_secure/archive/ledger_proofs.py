"""Proofs that one entry stands in the ledger that was signed and published, for whoever wants to check them alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action, Purpose, Subject
from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, NotFound, Tampered
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.trails import EntryProof
from pacs_secure.crypto.tlog import (
    Checkpoint,
    inclusion_from_tiles,
    leaf_hash,
    parse_checkpoint,
    read_draft,
    verify_inclusion,
    verify_note,
)
from pacs_secure.ports import Ledger, Publisher


@dataclass(frozen=True, slots=True)
class Inclusion:
    """One entry, the signed head of the tree that it stands in, and the path between them (RFC 9162 2.1.3)."""

    index: int
    content: bytes
    """The exact bytes that the tree commits to; what names persons in them is ciphertext."""
    size: int
    root: bytes
    checkpoint: bytes
    """The signed note (C2SP tlog-checkpoint), with every signature that it carries."""
    path: tuple[bytes, ...]
    """From the leaf upwards."""


@dataclass(frozen=True, slots=True)
class LedgerProofs:
    """The verb: prove one entry."""

    guard: Guard
    ledger: Ledger
    publisher: Publisher
    origin: str
    public_key: Callable[[], bytes]

    def of(self, subject: Subject, purpose: Purpose | None, index: int, *, details: dict[str, str]) -> Inclusion:
        """Return the proof of one entry of the subject's institution, checked before it is given.

        Raises:
            NotFound: there is no such entry, or it is another institution's.
            Tampered: what is published does not prove it.
            Conflict: no checkpoint covers it yet; one comes every second.
            Unavailable: the publishing place or the ledger is out of reach.
        """
        told = {**details, "proof": str(index)}
        grant = self.guard.admit(AccessRequest(subject, Action.LEDGER_VERIFY, purpose, details=told))
        try:
            proof = self.proof(subject.institution, index)
        except ArchiveError as error:
            self.guard.finish(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish(grant, Outcome.COMPLETED, {"size": proof.size})
        return proof

    def proof(self, of: Institution, index: int) -> Inclusion:
        """Return the proof, for a caller who is on record; raises as `of` does."""
        note, head = self._head()
        if not 0 <= index < self.ledger.size():
            raise NotFound("no such object")
        if index >= head.size:
            raise Conflict("no checkpoint covers the entry yet")
        content = self.publisher.content(index, head.size)
        if read_draft(content).institution != of:
            raise NotFound("no such object")
        path = inclusion_from_tiles(self.publisher.tile, index, head.size)
        if not verify_inclusion(leaf_hash(content), index, head.size, path, head.root):
            raise Tampered("what is published does not prove the entry")
        return Inclusion(index, content, head.size, head.root, note, tuple(path))

    def leaves(self, entries: Sequence[LedgerEntry]) -> tuple[bytes, list[EntryProof]]:
        """Return the newest note and the proofs of those entries that it covers, without their contents.

        Raises:
            Conflict: nothing is published yet.
            Tampered: what is published does not prove an entry.
        """
        note, head = self._head()
        proofs = []
        for entry in entries:
            if entry.index < head.size:
                path = tuple(inclusion_from_tiles(self.publisher.tile, entry.index, head.size))
                if not verify_inclusion(entry.leaf_hash, entry.index, head.size, path, head.root):
                    raise Tampered("what is published does not prove the entry")
                proofs.append(EntryProof(entry.index, entry.leaf_hash, path))
        return note, proofs

    def _head(self) -> tuple[bytes, Checkpoint]:
        note = self.publisher.checkpoint()
        if note is None:
            raise Conflict("no checkpoint is published yet")
        verify_note(note, self.origin, self.public_key())
        return note, parse_checkpoint(note)
