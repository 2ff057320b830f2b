"""What the ledger says of an act: the content of an entry, before it gets its place in the chain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.access import Action, Door, Purpose, Role
from pacs_secure.core.identifiers import Institution, KeyId


class Outcome(StrEnum):
    """How far an act came."""

    BEGUN = "begun"
    COMPLETED = "completed"
    ABORTED = "aborted"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SealedDetails:
    """Facts that may name a person, as ciphertext under a forgettable ledger key."""

    key_id: KeyId
    box: bytes
    proof: bytes = b""
    """That the key is of this institution, patient and year (ADR 14); empty: of an entry before there were proofs."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One ledger entry as its writer knows it (ISO 27789; LOG-01).

    Who, in which role, whose, what, when, where from, why, and how it came out.
    """

    at: datetime
    """UTC."""
    act: UUID
    action: Action
    outcome: Outcome
    institution: Institution
    actor: str
    """Keyed pseudonym of the subject; the name itself is in ``details``."""
    role: Role
    department: str
    door: Door
    address: str
    purpose: Purpose | None
    rule: str
    policy_version: str
    study_alias: UUID | None = None
    patient_alias: UUID | None = None
    facts: dict[str, str | int] = field(default_factory=dict)
    """Counts, digests, transfer syntaxes: nothing that names a person."""
    details: SealedDetails | None = None


def may_be_unsigned(draft: Draft) -> bool:
    """Say whether an entry may stand without a signature, because the vault gave its writer no key.

    It accuses nobody and covers nothing up: no actor, no details, and an act that was refused, or that
    verifies the ledger, or says that the archive starts.
    """
    harmless = draft.outcome is Outcome.REFUSED or draft.action in _UNSIGNED
    return harmless and not draft.actor and draft.details is None


_MEBIBYTE = 1 << 20
_UNSIGNED = frozenset({Action.LEDGER_VERIFY, Action.SYSTEM_START})


@dataclass(frozen=True, slots=True)
class Authorship:
    """Which writer said it, as its how manieth word: dense numbers, so that nothing is left out unnoticed."""

    writer: KeyId
    """Also the id of the key on the shelf that its signatures begin with."""
    number: int
    """Dense for each writer, from 0."""
    mac: bytes
    """16 bytes under a key that the writer forgot at once."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a draft says, written down for good, before a sequencer gives it its place."""

    at: str
    """UTC, ``YYYY-MM-DDThh:mm:ss.ffffffZ``."""
    said: bytes
    """RFC 8785 JSON."""
    authorship: Authorship | None = None
    """None: nobody could sign, because the vault was away."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A statement in its place: the exact bytes that the chain and the tree commit to."""

    index: int
    """Dense, from 0."""
    content: bytes
    """RFC 8785 JSON, at most 65,535 bytes; never serialised again to verify."""
    leaf_hash: bytes
    """SHA-256(0x00 || content), RFC 6962 2.1."""
    prev_hash: bytes
    """Leaf hash of the entry before, 32 zero bytes for the first; also inside ``content``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a verification found wanting, and where."""

    place: str
    """Which part failed: entry, chain, tree, checkpoint, object, index."""
    position: int | None
    """Ledger index or None."""
    problem: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How far and how fast something that goes through objects is."""

    objects: int = 0
    octets: int = 0
    """Ciphertext that was read."""
    seconds: float = 0.0

    @property
    def objects_per_second(self) -> float:
        """Objects a second so far."""
        return self.objects / self.seconds if self.seconds else 0.0

    @property
    def mebibytes_per_second(self) -> float:
        """Mebibytes of ciphertext a second so far."""
        return self.octets / _MEBIBYTE / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification saw."""

    checked: int
    findings: tuple[Finding, ...]
    pace: Pace | None = None
    """None where no objects were looked at."""
    told: Mapping[str, int | str] = field(default_factory=dict)
    """What is worth saying and no finding: counts."""

    @property
    def sound(self) -> bool:
        """Whether nothing was found wanting."""
        return not self.findings
