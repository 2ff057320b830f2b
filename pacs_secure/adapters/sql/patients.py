"""Finds patients in the index by keyed tokens: never across institutions, and never by what they are called."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, select

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.growth import THIS_STUDY
from pacs_secure.adapters.sql.rows import unpack_modalities
from pacs_secure.adapters.sql.tables import patients, studies
from pacs_secure.core.identifiers import Institution, Uid
from pacs_secure.core.trails import Examination

_of_token = select(patients.c.alias).where(
    patients.c.institution == bindparam("an_institution"), patients.c.patient_token == bindparam("a_token")
)
_of_patient_id = (
    select(patients.c.alias)
    .join_from(studies, patients)
    .where(studies.c.institution == bindparam("an_institution"), studies.c.patient_id_token == bindparam("a_token"))
    .distinct()
)
_of_study = select(patients.c.alias).join_from(studies, patients).where(THIS_STUDY)
_studies = (
    select(studies.c.alias)
    .join_from(studies, patients)
    .where(patients.c.alias == bindparam("an_alias"), studies.c.institution == bindparam("an_institution"))
    .order_by(studies.c.id)
)
_examinations = (
    select(studies.c.alias, studies.c.study_date, studies.c.modalities)
    .join_from(studies, patients)
    .where(patients.c.alias == bindparam("an_alias"), studies.c.institution == bindparam("an_institution"))
    .order_by(studies.c.study_date, studies.c.id)
)


class SqlPatients:
    """`pacs_secure.ports.Patients` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_token(self, institution: Institution, patient_token: bytes) -> UUID | None:
        """Return the patient of one issuer and Patient ID, or None."""
        with self._database.read() as connection:
            named = {"an_institution": institution, "a_token": patient_token}
            found: UUID | None = connection.execute(_of_token, named).scalar()
            return found

    def of_patient_id(self, institution: Institution, patient_id_token: bytes) -> frozenset[UUID]:
        """Return every patient of one Patient ID, whoever issued it."""
        with self._database.read() as connection:
            named = {"an_institution": institution, "a_token": patient_id_token}
            return frozenset(connection.execute(_of_patient_id, named).scalars())

    def of_study(self, institution: Institution, study_instance_uid: Uid) -> UUID | None:
        """Return the patient of a study, or None."""
        with self._database.read() as connection:
            named = {"an_institution": institution, "a_study": study_instance_uid}
            found: UUID | None = connection.execute(_of_study, named).scalar()
            return found

    def studies(self, institution: Institution, patient_alias: UUID) -> Sequence[UUID]:
        """Return the random names of a patient's studies."""
        with self._database.read() as connection:
            named = {"an_institution": institution, "an_alias": patient_alias}
            return list(connection.execute(_studies, named).scalars())

    def examinations(self, institution: Institution, patient_alias: UUID) -> Sequence[Examination]:
        """Return a patient's studies as far as they stand in clear, oldest first; those without a date come first."""
        with self._database.read() as connection:
            named = {"an_institution": institution, "an_alias": patient_alias}
            rows = connection.execute(_examinations, named).all()
        return [Examination(row.alias, row.study_date, tuple(unpack_modalities(row.modalities))) for row in rows]
