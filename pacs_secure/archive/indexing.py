"""Turns what a Data Set says of itself into columns that name nobody: tokens and sealed boxes."""

from dataclasses import dataclass

from pacs_secure.core.access import Safeguard
from pacs_secure.core.instance import (
    Description,
    IndexedInstance,
    InstanceColumns,
    InstanceRow,
    SealedHit,
    SeriesColumns,
    StudyColumns,
)
from pacs_secure.core.query import Level
from pacs_secure.crypto.index_seal import IndexSeal

PATIENT_ID = "PatientID"
ACCESSION_NUMBER = "AccessionNumber"
BIRTH_DATE = "PatientBirthDate"
PERSON_NAMES = ("PatientName", "ReferringPhysicianName")


def index(
    seal: IndexSeal,
    row: InstanceRow,
    description: Description,
    department: str,
    safeguards: frozenset[Safeguard] = frozenset(),
) -> IndexedInstance:
    """Seal and tokenise one instance for the index (DESIGN 6); a study that it begins has these safeguards."""
    study, series, instance = (str(uid) for uid in _uids(row))
    names = seal.name_tokens(description.patient_name) | seal.name_tokens(description.referring_physician_name)
    return IndexedInstance(
        row=row,
        department=department,
        study=StudyColumns(
            study_date=description.study_date,
            study_time=description.study_time,
            # A study without a PatientID is a patient of its own: strangers never share an alias.
            patient_token=patient_token(seal, description.issuer_of_patient_id, description.patient_id or study),
            patient_id_token=seal.token(PATIENT_ID, description.patient_id),
            accession_number_token=seal.token(ACCESSION_NUMBER, description.accession_number),
            birth_date_token=seal.token(BIRTH_DATE, description.patient_birth_date),
            name_tokens=names,
            box=seal.seal(Level.STUDY, study, study, description.study_json),
        ),
        series=SeriesColumns(
            modality=description.modality,
            series_number=description.series_number,
            box=seal.seal(Level.SERIES, study, series, description.series_json),
        ),
        instance=InstanceColumns(
            instance_number=description.instance_number,
            box=seal.seal(Level.INSTANCE, study, instance, description.instance_json),
        ),
        safeguards=safeguards,
    )


def patient_token(seal: IndexSeal, issuer_of_patient_id: str, patient_id: str) -> bytes:
    """Return the token of one patient: the same Patient ID of another issuer is another patient (PS3.3 C.7.1.1)."""
    return seal.token("Patient", f"{issuer_of_patient_id}\0{patient_id}")


@dataclass(frozen=True, slots=True)
class OpenedHit:
    """One answer of the index, opened: serialised DICOM JSON of each level that was asked for."""

    study: bytes
    series: bytes | None
    instance: bytes | None


def open_hit(seal: IndexSeal, hit: SealedHit) -> OpenedHit:
    """Open the boxes of one hit; raise `Tampered` when one was moved or changed."""
    study = str(hit.study_instance_uid)
    return OpenedHit(
        study=seal.open(Level.STUDY, study, study, hit.study_box),
        series=None
        if hit.series_box is None
        else seal.open(Level.SERIES, study, str(hit.series_instance_uid), hit.series_box),
        instance=None
        if hit.instance_box is None
        else seal.open(Level.INSTANCE, study, str(hit.sop_instance_uid), hit.instance_box),
    )


def _uids(row: InstanceRow) -> tuple[str, str, str]:
    identity = row.identity
    return identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid
