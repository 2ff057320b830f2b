"""What a patient may know of who came to their pictures: when, why, which kind of act, for whom (GDPR 15)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.access import Action, Purpose, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.identifiers import Institution


class Category(StrEnum):
    """What kind of act it was, as a patient thinks of it."""

    STORED = "stored"
    VIEWED = "viewed"
    SEARCHED = "searched"
    SHARED = "shared"
    BOARD = "board"
    EMERGENCY = "emergency"
    CARE = "care"
    CHANGED = "changed"
    ERASED = "erased"
    OVERSIGHT = "oversight"
    OTHER = "other"


_BY_OBJECT = {
    "board": Category.BOARD,
    "break-glass": Category.EMERGENCY,
    "care": Category.CARE,
    "ledger": Category.OVERSIGHT,
    "notice": Category.OVERSIGHT,
    "share": Category.SHARED,
}
_BY_ACTION = {
    Action.STUDY_CLASSIFY: Category.CHANGED,
    Action.STUDY_CREATE: Category.STORED,
    Action.STUDY_ERASE: Category.ERASED,
    Action.STUDY_FORGET: Category.ERASED,
    Action.STUDY_READ: Category.VIEWED,
    Action.STUDY_SEARCH: Category.SEARCHED,
}


def category_of(action: Action) -> Category:
    """Return what kind of act it is."""
    found = _BY_ACTION.get(action)
    return found or _BY_OBJECT.get(action.partition(":")[0], Category.OTHER)


@dataclass(frozen=True, slots=True)
class Examination:
    """One study of the patient, as far as an index says so in clear."""

    alias: UUID
    date: str
    """YYYYMMDD, "" when nobody knows."""
    modalities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is outside of the institution and was given something (GDPR 4(9))."""

    name: str = field(repr=False)
    """Of another institution, or of a person who belongs to none."""
    is_institution: bool


@dataclass(frozen=True, slots=True)
class Access:
    """One act, from its first entry to its last."""

    at: datetime
    """UTC."""
    action: Action
    category: Category
    purpose: Purpose | None
    outcome: Outcome
    """`Outcome.BEGUN` as long as it is under way."""
    role: Role
    department: str
    """Of an employee; "" for whoever belongs to none or to another institution."""
    person: str = field(repr=False)
    """An employee's name: "" but when naming is indispensable (C-579/21)."""
    recipient: Recipient | None
    device: str
    """The enrolled device that acted, or that somebody acted through; "" for none."""
    examination: int | None
    """Which of the examinations, from 1; None when it was about none of those that are there now."""
    pictures: int
    entries: tuple[int, ...]
    """Where it stands in the ledger."""


@dataclass(frozen=True, slots=True)
class EntryProof:
    """That one entry is in the published ledger, without telling what it says of others (RFC 9162 2.1.3)."""

    index: int
    leaf_sha256: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """Everything that happened with one patient's pictures."""

    institution: Institution
    at: datetime
    """When it was produced, UTC."""
    named: bool
    """Whether employees are named."""
    examinations: Sequence[Examination]
    accesses: Sequence[Access]
    """Oldest first."""
    patient_id: str = field(default="", repr=False)
    """By which the patient was asked for."""
    checkpoint: bytes = b""
    """The signed note that the proofs lead to; "" without proofs."""
    proofs: Sequence[EntryProof] = ()
