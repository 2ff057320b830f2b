"""Broken glasses, and whose patients they may be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pacs_secure.core.access import Permit, Tie
from pacs_secure.core.audit import Draft
from pacs_secure.core.emergencies import Emergency, Review
from pacs_secure.core.identifiers import Institution, Uid
from pacs_secure.core.notices import Notice
from pacs_secure.core.trails import Examination


class Emergencies(Protocol):
    """Every broken glass, with what follows from it."""

    def open(self, permit: Permit, emergency: Emergency, tie: Tie, notice: Notice, draft: Draft) -> None:
        """Keep an emergency, its tie, the notice of it and its record, in one commit.

        Raises:
            Denied: one of them is of another institution than the permitted act.
        """

    def get(self, institution: Institution, emergency_id: UUID) -> Emergency | None:
        """Return an emergency of the institution, or None."""

    def listed(self, institution: Institution, limit: int, actor: str = "") -> Sequence[Emergency]:
        """Return emergencies, those of one person when named: unreviewed ones first, then the newest."""

    def end(self, permit: Permit, emergency_id: UUID, at: datetime, draft: Draft) -> None:
        """End an emergency and its tie before their time, and record it, in one commit.

        Raises:
            Conflict: it is over.
            Denied: the Permit is another institution's.
            NotFound: there is no such emergency.
        """

    def review(self, permit: Permit, emergency_id: UUID, review: Review, draft: Draft) -> None:
        """Keep the one review of an emergency and record it, in one commit; one not justified ends at once.

        Raises:
            Conflict: it has been reviewed before.
            Denied: the Permit is another institution's.
            NotFound: there is no such emergency.
        """


class Patients(Protocol):
    """Finds the random names of patients, within one institution and by keyed tokens only."""

    def of_token(self, institution: Institution, patient_token: bytes) -> UUID | None:
        """Return the patient of one issuer and Patient ID, or None."""

    def of_patient_id(self, institution: Institution, patient_id_token: bytes) -> frozenset[UUID]:
        """Return every patient of one Patient ID, whoever issued it."""

    def of_study(self, institution: Institution, study_instance_uid: Uid) -> UUID | None:
        """Return the patient of a study, or None."""

    def studies(self, institution: Institution, patient_alias: UUID) -> Sequence[UUID]:
        """Return the random names of a patient's studies."""

    def examinations(self, institution: Institution, patient_alias: UUID) -> Sequence[Examination]:
        """Return a patient's studies as far as they stand in clear, oldest first; those without a date come first."""
