"""What the archive needs of the world, one page of Protocols.

Every method raises `Unavailable` when the engine behind it is out of reach, and no error of a
library ever passes. Each port has one contract suite that every adapter and its fake pass.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pacs_secure.core.access import Action, Decision, Grant, Permit, Purpose, Relation, Scope, StudyFacts, Subject
from pacs_secure.core.audit import Draft, LedgerEntry
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.instance import IndexedInstance, InstanceRow, SealedHit
from pacs_secure.core.query import Narrowing

# --- keys -----------------------------------------------------------------------------------


class Shelf(StrEnum):
    """What a forgettable key is for; each has its own place and policy on the shelf."""

    INDEX = "index"
    LEDGER = "ledger"
    STUDY = "study"


@dataclass(frozen=True, slots=True)
class ForgettableKey:
    """32 random bytes whose wrapped form lies on the shelf: delete that, and they are gone."""

    key_id: KeyId
    key: bytes = field(repr=False)


class KeyWrapper(Protocol):
    """Makes keys; all that a process which only stores may do."""

    def mint(self, institution: Institution, shelf: Shelf) -> ForgettableKey:
        """Make a key, wrap it under the institution's KEK, put it on the shelf, return it."""


class KeyUnwrapper(Protocol):
    """Brings keys back; held by processes that serve."""

    def fetch(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> dict[KeyId, ForgettableKey]:
        """Return the keys that are still on the shelf; forgotten ones are simply not in the answer.

        Raises:
            Tampered: a shelf entry does not unwrap under the institution's KEK and its own id.
        """


class KeyCanary(Protocol):
    """Asks whether keys really work: health pages say yes while every operation fails."""

    def sing(self) -> None:
        """Encrypt and decrypt a probe; raise `Unavailable` when that fails."""


class Signer(Protocol):
    """Signs checkpoints with a key that never leaves the vault."""

    def public_key(self) -> bytes:
        """Return the raw Ed25519 public key, 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature."""


# --- objects --------------------------------------------------------------------------------


class Blob(Protocol):
    """One stored object, open for reading at any place."""

    @property
    def length(self) -> int:
        """Stored bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes there, fewer only at the end."""


@dataclass(frozen=True, slots=True)
class StoredName:
    """One object in the store, for the sweep of what no row names."""

    object_id: ObjectId
    length: int
    written_at: datetime


class Blobs(Protocol):
    """Ciphertext by object id; written once, never changed."""

    def put(self, object_id: ObjectId, parts: Iterable[bytes | bytearray | memoryview]) -> int:
        """Write the parts as one object; durable on return (crypto-and-ledger 8); return its length.

        Raises:
            Conflict: the id is taken.
        """

    def open(self, object_id: ObjectId) -> AbstractContextManager[Blob]:
        """Open one object; raise `NotFound` when there is none."""

    def remove(self, object_id: ObjectId) -> None:
        """Remove one object; nothing happens when there is none."""

    def names(self) -> Iterator[StoredName]:
        """List every object, in no order."""

    def sweep_temporary(self, older_than: timedelta) -> int:
        """Remove what writers that died have left, when it is older than any write lasts; return how many."""


# --- index and ledger -----------------------------------------------------------------------


class Added(StrEnum):
    """What the index did with an instance."""

    NEW = "new"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class InstitutionKeys:
    """Which shelf keys an institution's index and ledger details are sealed under."""

    index: KeyId
    ledger: KeyId


class Records(Protocol):
    """The index. It holds no key and sees no name: boxes, tokens and technical columns only."""

    def institution_keys(self, institution: Institution, proposed: InstitutionKeys | None) -> InstitutionKeys | None:
        """Return the institution's keys; when it has none, adopt the proposed ones (first writer wins)."""

    def study(self, institution: Institution, study_instance_uid: Uid) -> StudyFacts | None:
        """Return what decisions need to know of a study, or None."""

    def add(self, permit: Permit, indexed: IndexedInstance, begun: Callable[[StudyFacts], Draft] | None) -> Added:
        """Add one instance and, when given, the ledger entry that begins its act, in one commit.

        ``begun`` is called inside the transaction with the study as it then stands. A row with the
        same SOP Instance UID and Data Set digest is a DUPLICATE: nothing is added but ``begun``
        is still recorded. A date, time or modality that is none is kept in its box only, as received.

        Raises:
            Conflict: the SOP Instance UID is taken by other bytes, or lies in another study.
            Denied: the Permit is another institution's.
        """

    def instances(
        self,
        institution: Institution,
        study_instance_uid: Uid,
        series_instance_uid: Uid | None = None,
        sop_instance_uid: Uid | None = None,
    ) -> Sequence[InstanceRow]:
        """Return the rows of a study, series or instance in series and instance number order."""

    def search(self, scope: Scope, narrowing: Narrowing) -> Iterator[SealedHit]:
        """Yield candidates within the scope, newest study first; counts are within the scope too."""

    def open_acts(self, before: datetime) -> Sequence[Draft]:
        """Return the begun drafts, older than ``before``, of acts that never got their outcome (a crash).

        Raises:
            Tampered: an entry is not what began its act.
        """

    def every_instance(self, proof: Grant) -> Iterator[InstanceRow]:
        """Yield every row of every institution, for verification only."""


class Ledger(Protocol):
    """The append-only record of every act."""

    def append(self, draft: Draft) -> LedgerEntry:
        """Give the draft its place; durable on return. Concurrent callers share a commit."""

    def follow(self, draft: Draft) -> None:
        """Append with the next commit, without waiting: only for outcomes of acts already recorded."""

    def size(self) -> int:
        """Return the number of entries."""

    def entries(self, start: int, stop: int) -> Iterator[LedgerEntry]:
        """Yield entries ``start <= index < stop`` as stored, in order."""

    def checkpoints(self) -> Iterator[bytes]:
        """Yield every signed checkpoint note as stored, oldest first."""

    def add_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a signed checkpoint, the same one twice only once.

        Raises:
            Conflict: another note of this size is kept.
        """


class Publisher(Protocol):
    """Append-only place outside the database where checkpoints, tiles and entry bundles go."""

    def publish(self, entries: Sequence[LedgerEntry], size: int, note: bytes) -> None:
        """Write the new entries' bundles and tiles in tlog-tiles layout, then the checkpoint.

        ``entries`` reach from what is published (or before) to ``size``.

        Raises:
            Conflict: the entries leave a gap, or a larger tree is published already.
            Tampered: what is there differs from what the log now says.
        """

    def published(self) -> int:
        """Return the tree size of the newest published checkpoint."""

    def checkpoint(self) -> bytes | None:
        """Return the newest published note, or None."""

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the published leaf hashes."""


# --- people and devices ---------------------------------------------------------------------


class Policy(Protocol):
    """Decides (PDP); the Guard enforces."""

    @property
    def version(self) -> str:
        """Digest of model, policy and roles; stands in every ledger entry."""

    def decide(self, subject: Subject, action: Action, purpose: Purpose, relations: frozenset[Relation]) -> Decision:
        """Decide one act given every relation the subject has to the study."""

    def relations(self, subject: Subject, action: Action, purpose: Purpose) -> tuple[frozenset[Relation], str]:
        """Return the relations under which the act is allowed, and the rule that says so."""

    def default_purpose(self, subject: Subject) -> Purpose | None:
        """Return the declared purpose of the subject's role, if it has one (ACC-01)."""


@dataclass(frozen=True, slots=True)
class Identified:
    """A subject whose credential was verified, and the purpose that the credential itself claims."""

    subject: Subject
    purpose: Purpose | None


class Authenticator(Protocol):
    """Turns a bearer token into a subject."""

    def authenticate(self, token: str, address: str) -> Identified:
        """Verify the token wholly; raise `Unauthenticated` for any flaw, without saying which to the caller."""


@dataclass(frozen=True, slots=True)
class Device:
    """One enrolled DICOM node."""

    ae_title: str
    institution: Institution
    department: str
    operations: frozenset[str]
    """What it may ask for: store, find, get, move."""
    spki_sha256: bytes
    host: str
    port: int
    revoked_at: datetime | None = None


class Devices(Protocol):
    """The enrolled DICOM nodes."""

    def by_certificate(self, spki_sha256: bytes) -> Device | None:
        """Return the device whose certificate carries this public key."""

    def enrol(self, permit: Permit, device: Device, draft: Draft) -> None:
        """Add or replace the device of that AE title, and record it, in one commit.

        Raises:
            Conflict: another institution holds the AE title, or another device the certificate.
            Denied: the Permit is another institution's.
        """

    def all(self) -> Sequence[Device]:
        """Return every device, revoked ones too."""
