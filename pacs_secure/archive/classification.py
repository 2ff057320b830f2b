"""Classifying: the facts that decisions about a study rest on are shown and changed, each change with its reason.

Who labels a study decides who sees it from the next request on, so the change, its record and what
the facts were before are one commit.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.locating import located, refusing_malformed
from pacs_secure.archive.proofs import demand_study, of_study
from pacs_secure.core.access import AccessRequest, Action, Purpose, StoredFacts, Subject
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.classification import (
    Classification,
    Reclassification,
    classification_of,
    classified,
    difference,
)
from pacs_secure.core.reasons import reason
from pacs_secure.ports import Records


@dataclass(frozen=True, slots=True)
class Classify:
    """The verb: show and change the facts of a study."""

    guard: Guard
    facts: Facts
    records: Records
    seals: InstitutionSeals
    now: Callable[[], datetime]

    def show(self, subject: Subject, purpose: Purpose | None, study_instance_uid: str) -> Classification:
        """Return the facts of a study; the reading is recorded first.

        Raises:
            Malformed: the UID is none.
            NotFound: there is no such study, or the caller may not know of it (`Hidden`).
            Denied: the caller may know of it but not see its facts.
        """
        request = AccessRequest(subject, Action.STUDY_CLASSIFY, purpose, details={"facts": "shown"})
        request, study = located(self.facts, request, study_instance_uid)
        grant = self.guard.admit(request)
        self.guard.finish_later(grant, Outcome.COMPLETED, {})
        return classification_of(study)

    def change(
        self,
        subject: Subject,
        purpose: Purpose | None,
        study_instance_uid: str,
        change: Reclassification,
        why: str,
    ) -> Classification:
        """Change what is named and nothing else, and return the facts as they then are.

        The ledger says what each changed fact was and is; the reason is sealed there.

        Raises:
            Malformed: the UID is none, there is no reason, or the change cannot be meant.
            NotFound: there is no such study, or the caller may not know of it (`Hidden`).
            Denied: the caller may know of it but not classify it.
        """
        request = AccessRequest(subject, Action.STUDY_CLASSIFY, purpose, details={"facts": "changed"})
        with refusing_malformed(self.guard, request):
            request = replace(request, private={"reason": reason(why)})
            change.demand_sound(self.now().date())
        request, study = located(self.facts, request, study_instance_uid)
        permit = self.guard.decide(request)
        seal = self.seals.index(study.institution)
        kept: list[Classification] = []

        def changed(stored: StoredFacts) -> tuple[StoredFacts, Draft]:
            facts = demand_study(seal, stored)
            before = classification_of(facts)
            after = classified(facts, change.applied_to(before))
            kept.append(classification_of(after))
            told = difference(before, kept[-1])
            return StoredFacts(after, of_study(seal, after)), self.guard.draft(permit, Outcome.COMPLETED, {**told})

        self.records.classify(permit, changed)
        return kept[-1]
