"""A SOP Instance as the archive knows it: its identity, its sealed form, and what an index may say of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pacs_secure.core.access import Safeguard, StoredFacts
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid


@dataclass(frozen=True, slots=True)
class Identity:
    """The UIDs that say which SOP Instance this is, as received."""

    institution: Institution
    study_instance_uid: Uid
    series_instance_uid: Uid
    sop_instance_uid: Uid
    sop_class_uid: Uid


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """Where the frames lie in the plaintext Part 10 stream: byte offsets and lengths, frame 1 first.

    Empty when the instance has no pixel data or when frames cannot be told apart without a codec.
    """

    offsets: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.offsets)

    def shifted(self, by: int) -> "FrameIndex":
        """Return the same frames in a stream that has ``by`` more bytes in front."""
        return FrameIndex(tuple(offset + by for offset in self.offsets), self.lengths)


@dataclass(frozen=True, slots=True)
class SealedObject:
    """The witness of one sealed object: all that is needed to find, prove and (with its study key) open it."""

    object_id: ObjectId
    study_key_id: KeyId
    wrapped_dek: bytes
    """60 bytes: nonce 12, AES-256-GCM(study key, DEK 32), tag 16."""
    commitment: bytes
    """32 bytes, Cobblestone key commitment."""
    header_length: int
    """Bytes before the Cobblestone body in the stored object."""
    plaintext_length: int
    stored_length: int


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One SOP Instance in the index: plain columns only where no person is named."""

    identity: Identity
    transfer_syntax_uid: Uid
    sealed: SealedObject
    data_set_offset: int
    """Where the Data Set begins in the plaintext Part 10 stream."""
    data_set_fingerprint: bytes
    """32 bytes: a keyed fingerprint of the Data Set exactly as received (INT-01).

    Keyed, because whoever knows the rest of a small Data Set could guess the name in it from a plain digest.
    """
    frames: FrameIndex
    number_of_frames: int
    rows: int
    columns: int
    metadata_box: bytes
    """DICOM JSON metadata without bulk data, compressed, sealed under the study key."""
    received_at: datetime
    act: UUID
    """The act under which it came; its ledger entry shares the commit of the act's first row."""


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """One row and its place in the order in which rows came, so that a walk along all of them can go on later."""

    place: int
    row: InstanceRow


@dataclass(frozen=True, slots=True)
class Description:
    """What a Data Set says of itself, in clear and in memory only, for the index to seal.

    Every ``*_json`` is one serialised DICOM JSON object (PS3.18 F.2) without bulk data.
    """

    modality: str
    study_date: str
    """YYYYMMDD or "" when absent or unreadable."""
    study_time: str
    series_number: int | None
    instance_number: int | None
    patient_id: str
    issuer_of_patient_id: str
    patient_birth_date: str
    accession_number: str
    patient_name: str
    """All component groups as received, decoded, joined by "="."""
    referring_physician_name: str
    study_json: bytes
    """Patient and study attributes that a study-level search may return."""
    series_json: bytes
    instance_json: bytes
    metadata_json: bytes
    """The whole Data Set but its bulk data."""


@dataclass(frozen=True, slots=True)
class StudyColumns:
    """What the index stores of a study: dates in clear, every personal value sealed or tokenised."""

    study_date: str
    study_time: str
    patient_token: bytes
    """Keyed token of PatientID and its issuer."""
    patient_id_token: bytes
    accession_number_token: bytes
    birth_date_token: bytes
    name_tokens: frozenset[bytes]
    """Truncated keyed tokens of name prefixes: a hit is a candidate, never yet a match."""
    box: bytes


@dataclass(frozen=True, slots=True)
class SeriesColumns:
    """What the index stores of a series."""

    modality: str
    series_number: int | None
    box: bytes


@dataclass(frozen=True, slots=True)
class InstanceColumns:
    """What the index stores of an instance beside its `InstanceRow`."""

    instance_number: int | None
    box: bytes


@dataclass(frozen=True, slots=True)
class IndexedInstance:
    """One instance ready for the index: nothing in it names a person in clear."""

    row: InstanceRow
    department: str
    """Department a new study belongs to; an existing study keeps its own."""
    study: StudyColumns
    series: SeriesColumns
    instance: InstanceColumns
    safeguards: frozenset[Safeguard] = frozenset()
    """What stands before a new study; an existing one keeps its own."""


@dataclass(frozen=True, slots=True)
class SealedHit:
    """One answer of the index to a search, not yet opened."""

    study_instance_uid: Uid
    series_instance_uid: Uid | None
    sop_instance_uid: Uid | None
    study_box: bytes
    series_box: bytes | None
    instance_box: bytes | None
    modalities_in_study: tuple[str, ...]
    series_in_study: int
    instances_in_study: int
    instances_in_series: int | None
    stored: StoredFacts
    """What the scope holds the study by, to be proven before anything is opened."""
