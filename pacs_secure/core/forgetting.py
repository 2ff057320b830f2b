"""The forgetting of a study, as far as it has come; it goes on from there, whoever was interrupted."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid


class Stage(StrEnum):
    """What is done already, in this order."""

    REQUESTED = "requested"
    FENCED = "fenced"
    """The study's rows are gone and its epoch is another: nobody finds it, and what comes in late is a new study."""
    DRAINED = "drained"
    """No process has one of its keys in memory any more."""
    FORGOTTEN = "forgotten"
    """Its keys have their tombstones and are gone from the shelf: nothing of it opens again."""
    SWEPT = "swept"
    """Its objects are gone too."""

    @property
    def before(self) -> "Stage":
        """The stage that comes before this one, itself for the first."""
        every = list(Stage)
        return every[max(every.index(self) - 1, 0)]


@dataclass(frozen=True, slots=True)
class Forgetting:
    """One study that is being forgotten, or was; it names nobody."""

    forgetting_id: UUID
    institution: Institution
    study_instance_uid: Uid
    study_alias: UUID
    """Random name of the study in the ledger."""
    patient_alias: UUID
    department: str
    requested_at: datetime
    stage: Stage = Stage.REQUESTED
    epoch: int = 0
    """That of the study from the fence on; 0 before."""
    fenced_at: datetime | None = None
    """UTC; whoever had a key in memory then has it for minutes still."""
    key_ids: tuple[KeyId, ...] = ()
    """Every key that objects of the study were sealed under, from the fence on."""
    object_ids: tuple[ObjectId, ...] = ()
    """Every object of the study that is to go, from the fence until they are gone."""
    proof: bytes = b""
    """That the archive wrote so: whoever owns the database must not have keys deleted by a row of theirs."""
