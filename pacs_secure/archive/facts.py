"""What is known of a study, proven, seen through the eyes of whoever asks: what every decision about it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import IndexSeals
from pacs_secure.archive.proofs import demand_study
from pacs_secure.core.access import Purpose, StudyFacts, Subject
from pacs_secure.core.identifiers import Uid
from pacs_secure.ports import Records


@dataclass(frozen=True, slots=True)
class Facts:
    """Gathers facts for decisions; opens nothing and records nothing."""

    guard: Guard
    records: Records
    seals: IndexSeals

    def of(self, subject: Subject, purpose: Purpose | None, study_instance_uid: Uid) -> StudyFacts | None:
        """Return the facts of a study with the subject's ties to it, or None when there is none they can come by.

        Raises:
            Tampered: the index says what the archive did not write.
            Unavailable: index or keys are out of reach.
        """
        return next(iter(self.everywhere(subject, purpose, study_instance_uid)), None)

    def everywhere(self, subject: Subject, purpose: Purpose | None, study_instance_uid: Uid) -> Sequence[StudyFacts]:
        """Return the facts of every study of this UID, that of the subject's own institution first; raises as `of`."""
        viewer = self.guard.viewer(subject, purpose)
        # Asked for whether or not there is anything to prove: what is missing takes as long as what is hidden,
        # and is out of reach as soon.
        self.seals.index(subject.institution)
        stored = self.records.studies(viewer, study_instance_uid)
        return [demand_study(self.seals.index(one.facts.institution), one).seen_by(viewer) for one in stored]
