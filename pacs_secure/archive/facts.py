"""What is known of a study, proven, seen through the eyes of whoever asks: what every decision about it rests on."""

from dataclasses import dataclass

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.proofs import demand_study
from pacs_secure.core.access import Purpose, StudyFacts, Subject
from pacs_secure.core.identifiers import Uid
from pacs_secure.ports import Records


@dataclass(frozen=True, slots=True)
class Facts:
    """Gathers facts for decisions; opens nothing and records nothing."""

    guard: Guard
    records: Records
    seals: InstitutionSeals

    def of(self, subject: Subject, purpose: Purpose | None, study_instance_uid: Uid) -> StudyFacts | None:
        """Return the facts of a study with the subject's ties to it, or None when there is none they can come by.

        Raises:
            Tampered: the index says what the archive did not write.
            Unavailable: index or keys are out of reach.
        """
        viewer = self.guard.viewer(subject, purpose)
        stored = self.records.study(viewer, study_instance_uid)
        if stored is None:
            return None
        return demand_study(self.seals.index(stored.facts.institution), stored).seen_by(viewer)
