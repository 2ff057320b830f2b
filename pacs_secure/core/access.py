"""Who wants to do what to whose pictures, and the two types that say they may.

A `Permit` says that an act was decided; a `Grant` that it was also recorded, durably. Reads
need a Grant before the first byte is opened; writes carry their Permit into the commit that
holds both the change and its record.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.identifiers import Institution, Uid
from pacs_secure.core.warrant import WARRANT

DEFAULT_DEPARTMENT = "radiology"
"""Where a device or user enrolled by hand belongs when nobody says otherwise."""


class Action(StrEnum):
    """Everything that can be decided on, as ``object:verb``."""

    ARCHIVE_VERIFY = "archive:verify"
    ASSOCIATION_OPEN = "association:open"
    DEVICE_ENROL = "device:enrol"
    LEDGER_VERIFY = "ledger:verify"
    SESSION_AUTHENTICATE = "session:authenticate"
    STUDY_CREATE = "study:create"
    STUDY_READ = "study:read"
    STUDY_SEARCH = "study:search"


class Purpose(StrEnum):
    """Why: HL7 v3 PurposeOfUse codes."""

    BREAK_GLASS = "BTG"
    HEALTH_RESEARCH = "HRESCH"
    OPERATIONS = "HOPERAT"
    PATIENT_REQUEST = "PATRQT"
    SYSTEM_ADMINISTRATION = "HSYSADMIN"
    TREATMENT = "TREAT"


class Relation(StrEnum):
    """How a subject stands to a patient; `NONE` is no relation at all and holds for every study."""

    DEPARTMENT = "department"
    INVITED = "invited"
    NONE = "none"
    OWN = "own"
    REFERRING = "referring"
    TREATING = "treating"


class Role(StrEnum):
    """What a subject is; policies speak of roles, never of persons."""

    ADMIN = "admin"
    CLINICIAN = "clinician"
    DPO = "dpo"
    MODALITY = "modality"
    OFFICER = "officer"
    OPERATOR = "operator"
    RADIOLOGIST = "radiologist"
    REFERRER = "referrer"
    RESEARCHER = "researcher"
    STRANGER = "stranger"
    TECHNOLOGIST = "technologist"
    WORKSTATION = "workstation"


class Door(StrEnum):
    """Which door a subject came through."""

    COMMAND_LINE = "cli"
    DIMSE = "dimse"
    JOB = "job"
    WEB = "web"


@dataclass(frozen=True, slots=True)
class Subject:
    """Someone or something that has proved who it is."""

    identifier: str
    role: Role
    institution: Institution
    department: str
    door: Door
    address: str
    """Network address the request came from, for the ledger ("" when there is none)."""


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What a decision needs to know of a study; no personal data."""

    institution: Institution
    study_instance_uid: Uid
    alias: UUID
    """Random name of the study in the ledger."""
    patient_alias: UUID
    """Random name of the patient in the ledger."""
    department: str
    relations: frozenset[Relation] = frozenset()
    """What the subject is to this patient beyond their department (treating, invited …)."""


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One act that a subject wants to do, before anyone has decided."""

    subject: Subject
    action: Action
    purpose: Purpose | None
    study: StudyFacts | None = None
    """The study it touches; None for searches and for acts on no study."""
    objects: int = 0
    """How many SOP Instances it would touch."""
    details: dict[str, str] = field(default_factory=dict)
    """Facts for the ledger that name no person (protocol, resource level …)."""
    private: dict[str, str] = field(default_factory=dict)
    """Facts for the ledger that may name one (query keys): recorded as ciphertext only."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The studies a search may see: narrowing for SQL, equal to deciding each study singly."""

    institution: Institution
    relations: frozenset[Relation]
    department: str
    subject: str

    @property
    def everything(self) -> bool:
        """Whether every study of the institution is in scope."""
        return Relation.NONE in self.relations


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy said of one request."""

    allowed: bool
    may_know: bool
    """Whether a refusal may admit that the object exists (403) or not (404)."""
    rule: str
    """The rule that decided, in the policy's own words."""
    policy_version: str


@dataclass(frozen=True, slots=True)
class Permit:
    """Proof that the Guard allowed a write; its record shares the commit of the change."""

    request: AccessRequest
    decision: Decision
    act: UUID
    """Ties every ledger entry of one act together."""
    warrant: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.warrant is not WARRANT:
            raise TypeError("only the Guard permits")


@dataclass(frozen=True, slots=True)
class Grant:
    """Proof that the Guard allowed a read *and* that its record is durable."""

    request: AccessRequest
    decision: Decision
    act: UUID
    scope: Scope
    recorded_at: datetime
    warrant: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.warrant is not WARRANT:
            raise TypeError("only the Guard grants")

    def covers(self, institution: Institution, study_instance_uid: Uid) -> bool:
        """Say whether objects of this study may be opened under the Grant."""
        study = self.request.study
        if study is None:
            return False
        return (study.institution, study.study_instance_uid) == (institution, study_instance_uid)
