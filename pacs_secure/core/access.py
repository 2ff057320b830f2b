"""Who wants to do what to whose pictures, and the two types that say they may.

A `Permit` says that an act was decided; a `Grant` that it was also recorded, durably. Reads
need a Grant before the first byte is opened; writes carry their Permit into the commit that
holds both the change and its record.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pacs_secure.core.identifiers import Institution, Uid
from pacs_secure.core.vocabulary import (
    DEFAULT_DEPARTMENT,
    DEVICES,
    FROZEN_BY_HOLD,
    LABELS,
    OF_A_STUDY,
    TIES_A_PATIENT,
    TIES_A_STUDY,
    Action,
    Door,
    Purpose,
    Relation,
    Role,
    Safeguard,
)
from pacs_secure.core.warrant import WARRANT

__all__ = [
    "DEFAULT_DEPARTMENT",
    "DEVICES",
    "FROZEN_BY_HOLD",
    "LABELS",
    "OF_A_STUDY",
    "TIES_A_PATIENT",
    "TIES_A_STUDY",
    "AccessRequest",
    "Action",
    "Assurance",
    "Decision",
    "Door",
    "Grant",
    "Permit",
    "Purpose",
    "Reach",
    "Relation",
    "Role",
    "Safeguard",
    "Scope",
    "StoredFacts",
    "StudyFacts",
    "Subject",
    "Tie",
    "Viewer",
    "relations_of",
]


@dataclass(frozen=True, slots=True)
class Assurance:
    """How surely, and how recently, a subject has proved who they are."""

    second_factor: bool = False
    logged_in_at: datetime | None = None
    """UTC; None when nobody says."""
    login: str = ""
    """Names the login or token where logins are revoked; "" when it has no name."""


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
    assurance: Assurance = Assurance()


@dataclass(frozen=True, slots=True)
class Viewer:
    """Through whose eyes the facts of a study are gathered: all that an index needs to know of a subject."""

    institution: Institution
    department: str
    actor: str
    """The subject's keyed pseudonym, the same in the ledger and in every tie; "" has no ties."""
    purpose: Purpose | None
    at: datetime
    """UTC; ties hold at this moment or not at all."""
    ended_before: str
    """The last day (YYYYMMDD) on which a treatment may have ended to count as `Safeguard.ENDED`."""
    ties: "tuple[Tie, ...]" = ()
    """The subject's ties that hold at that moment for that purpose, each of them proven."""


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
    """The ties of the viewer to it (treating, invited …); what follows from the house is not among them."""
    safeguards: frozenset[Safeguard] = frozenset()
    held: bool = False
    """Whether a legal hold lies on it."""
    treatment_ended_on: str = ""
    """YYYYMMDD; "" while the treatment goes on."""
    epoch: int = 0
    """How often a study of this UID was forgotten before."""

    def seen_by(self, viewer: Viewer) -> "StudyFacts":
        """Return the same facts with the viewer's ties, and whether the treatment counts as ended for them."""
        ended = bool(self.treatment_ended_on) and self.treatment_ended_on <= viewer.ended_before
        return replace(
            self,
            relations=frozenset(tie.relation for tie in viewer.ties if tie.leads_to(self)),
            safeguards=self.safeguards - {Safeguard.ENDED} | ({Safeguard.ENDED} if ended else frozenset()),
        )


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """What an index says of a study, believed only once its proof was checked: whoever owns the database has no key.

    `pacs_secure.archive.facts.Facts` alone makes `StudyFacts` of it.
    """

    facts: StudyFacts
    proof: bytes


@dataclass(frozen=True, slots=True)
class Tie:
    """What binds a person to a patient or to one study for a time."""

    tie_id: UUID
    relation: Relation
    """One of `TIES_A_PATIENT` or `TIES_A_STUDY`."""
    institution: Institution
    """Whose patient or study it is."""
    actor: str
    """Keyed pseudonym of the person."""
    alias: UUID
    """Of the patient or of the study, as the relation says."""
    purpose: Purpose | None
    """None: whatever purpose the policy allows."""
    begins_at: datetime
    ends_at: datetime
    """UTC; it holds from the beginning until before the end."""
    origin: UUID
    """The share, board, emergency or statement it comes from: what comes from one can be ended together."""
    box: bytes
    """The person's name and why, sealed."""
    proof: bytes = b""
    """Shows that the archive wrote it (`pacs_secure.archive.proofs`); nothing that lacks it is a tie."""

    def leads_to(self, study: StudyFacts) -> bool:
        """Say whether it binds its person to a study."""
        alias = study.patient_alias if self.relation in TIES_A_PATIENT else study.alias
        return (self.institution, self.alias) == (study.institution, alias)

    def holds(self, at: datetime, purpose: Purpose | None) -> bool:
        """Say whether it holds at a moment for a purpose."""
        return self.begins_at <= at < self.ends_at and self.purpose in {None, purpose}


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
    device: Subject | None = None
    """The enrolled device that a person acts through: both must be allowed (DESIGN 9)."""


@dataclass(frozen=True, slots=True)
class Reach:
    """One way to a study: a relation, and the safeguards that it passes."""

    relation: Relation
    despite: frozenset[Safeguard]


@dataclass(frozen=True, slots=True)
class Scope:
    """The studies a search may see: narrowing for SQL, equal to deciding each study singly."""

    viewer: Viewer
    reaches: frozenset[Reach]
    institution: Institution
    """Whose studies are searched; in another's than the viewer's nothing but invitations reach."""
    also: "Scope | None" = None
    """A second scope that must hold too: that of the device which a person acts through."""

    def of(self, institution: Institution) -> "Scope":
        """Return the same scope over the studies of another institution."""
        return replace(self, institution=institution, also=self.also and self.also.of(institution))

    @property
    def inviting(self) -> tuple[Institution, ...]:
        """The other institutions into which an invitation leads, in order."""
        if not any(reach.relation is Relation.INVITED for reach in self.reaches):
            return ()
        found = {tie.institution for tie in self.viewer.ties if tie.relation is Relation.INVITED}
        return tuple(sorted(found - {self.viewer.institution}))

    @property
    def usable(self) -> frozenset[Reach]:
        """The reaches that hold in this institution."""
        if self.institution == self.viewer.institution:
            return self.reaches
        return frozenset(reach for reach in self.reaches if reach.relation is Relation.INVITED)

    def holds(self, study: StudyFacts) -> bool:
        """Say of one study what the narrowing says of all."""
        seen = study.seen_by(self.viewer)
        held = relations_of(self.viewer, seen, tied=True)
        within = any(reach.relation in held and seen.safeguards <= reach.despite for reach in self.reaches)
        return within and study.institution == self.institution and (self.also is None or self.also.holds(study))


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


class Placed(Protocol):
    """Whoever belongs somewhere: a `Subject` or a `Viewer`."""

    @property
    def institution(self) -> Institution:
        """Return whose."""

    @property
    def department(self) -> str:
        """Return where in it, "" for nowhere."""


def relations_of(somebody: Placed, study: StudyFacts, *, tied: bool) -> frozenset[Relation]:
    """Return every relation of somebody to a study, its ties among them when they are theirs.

    `Relation.NONE` holds for every study of one's own institution. Institutions are strictly apart:
    into another one reaches nothing but an invitation.
    """
    ties = study.relations if tied else frozenset()
    if study.institution != somebody.institution:
        return ties & {Relation.INVITED}
    near = bool(somebody.department) and somebody.department == study.department
    return ties | {Relation.NONE} | ({Relation.DEPARTMENT} if near else frozenset())
