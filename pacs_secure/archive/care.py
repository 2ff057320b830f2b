"""Care: who treats a patient and who referred a study is stated, ended and listed.

What is stated here by hand a hospital's own messages will state through the same port: an ADT
admission makes a tie that treats, a discharge ends it (`pacs_secure.ports.Ties`). Decisions look at
the ties alone and never at where one came from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson

from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.locating import located, refusing_malformed
from pacs_secure.archive.proofs import demand_tie, proven
from pacs_secure.core.access import AccessRequest, Action, Purpose, Relation, StudyFacts, Subject, Tie
from pacs_secure.core.audit import Outcome
from pacs_secure.core.care import FOR_GOOD, STATED, Care
from pacs_secure.core.errors import Malformed, NotFound
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.reasons import reason
from pacs_secure.crypto.index_seal import IndexSeal
from pacs_secure.ports import Ties

LONGEST_CARE = timedelta(days=366)
"""After which a treatment that goes on has to be stated again."""
LONGEST_NAME = 255
_SEALED_AS = "care"


@dataclass(frozen=True, slots=True)
class CareTies:
    """The verb: say who treats whom, who referred what, and until when."""

    guard: Guard
    facts: Facts
    ties: Ties
    seals: InstitutionSeals
    now: Callable[[], datetime]

    def grant(
        self, subject: Subject, purpose: Purpose | None, study_instance_uid: str, person: str, until: datetime, why: str
    ) -> Care:
        """State that a person of the house treats the patient of a study: they reach all of that patient's studies.

        Raises:
            Malformed: the UID, the person or the reason is none, or ``until`` is past or more than a year away.
            NotFound: there is no such study, or the caller may not know of it (`Hidden`).
            Denied: the caller may know of it but not say who treats its patient.
        """
        request = AccessRequest(subject, Action.CARE_GRANT, purpose, details={"relation": Relation.TREATING})
        with refusing_malformed(self.guard, request):
            begins_at = self.now()
            if not begins_at < until <= begins_at + LONGEST_CARE:
                raise Malformed("a treatment must be stated until some moment of the coming year")
        return self._state(request, study_instance_uid, person, until, why)

    def refer(
        self,
        subject: Subject,
        purpose: Purpose | None,
        study_instance_uid: str,
        person: str,
        why: str,
        until: datetime | None = None,
    ) -> Care:
        """State that a person of the house referred a study: they reach that study; raises as `grant` does.

        Without ``until`` it holds until somebody ends it.
        """
        request = AccessRequest(subject, Action.CARE_GRANT, purpose, details={"relation": Relation.REFERRING})
        with refusing_malformed(self.guard, request):
            if until is not None and until <= self.now():
                raise Malformed("a referral must not be over before it is stated")
        return self._state(request, study_instance_uid, person, until or FOR_GOOD, why)

    def end(self, subject: Subject, purpose: Purpose | None, statement: str, why: str) -> None:
        """End what was stated, from the next request on.

        Raises:
            Malformed: the reason is none.
            NotFound: nothing of that id is stated, or it is over.
            Denied: the caller may not end it.
        """
        request = AccessRequest(subject, Action.CARE_END, purpose)
        with refusing_malformed(self.guard, request):
            request = replace(request, private={"reason": reason(why)})
        permit = self.guard.decide(request)
        at, origin = self.now(), _uuid(statement)
        held = [] if origin is None else self.ties.from_origin(subject.institution, origin, at)
        if origin is None or not held or any(tie.relation not in STATED for tie in held):
            self.guard.finish(permit, Outcome.FAILED, {"error": NotFound.__name__})
            raise NotFound("no such object")
        facts = {"origin": str(origin), "relation": held[0].relation.value}
        tie = held[0]
        patient = tie.alias if tie.relation is Relation.TREATING else None
        draft = self.guard.draft(permit, Outcome.COMPLETED, facts, patient=patient)
        self.ties.release(permit, origin, at, draft if patient else replace(draft, study_alias=tie.alias))

    def list(self, subject: Subject, purpose: Purpose | None, study_instance_uid: str) -> Sequence[Care]:
        """Return who treats the patient of a study and who referred it, now; the reading is recorded first.

        Raises:
            Malformed, NotFound, Denied: as `grant`.
            Tampered: what is stored is not what was stated.
        """
        request = AccessRequest(subject, Action.CARE_GRANT, purpose, details={"care": "listed"})
        request, study = located(self.facts, request, study_instance_uid)
        grant = self.guard.admit(request)
        of, at = study.institution, self.now()
        held = [*self.ties.of(of, study.patient_alias, at), *self.ties.of(of, study.alias, at)]
        seal = self.seals.index(of)
        found = [_opened(seal, demand_tie(seal, tie)) for tie in held if tie.relation in STATED]
        self.guard.finish_later(grant, Outcome.COMPLETED, {"stated": len(found)})
        return found

    def _state(self, request: AccessRequest, study_instance_uid: str, person: str, until: datetime, why: str) -> Care:
        with refusing_malformed(self.guard, request):
            name, because = _person(person), reason(why)
            request = replace(request, private={"person": name, "reason": because})
        request, study = located(self.facts, request, study_instance_uid)
        permit = self.guard.decide(request)
        relation = Relation(request.details["relation"])
        care = Care(uuid4(), relation, name, self.now(), until.astimezone(UTC), because)
        made = self._tie(study, care)
        draft = self.guard.draft(
            permit, Outcome.COMPLETED, {"origin": str(care.origin), "until": care.ends_at.isoformat()}
        )
        self.ties.tie(permit, [made], draft)
        return care

    def _tie(self, study: StudyFacts, care: Care) -> Tie:
        of: Institution = study.institution
        seal, tie_id = self.seals.index(of), uuid4()
        named = orjson.dumps({"person": care.person, "reason": care.reason})
        made = Tie(
            tie_id=tie_id,
            relation=care.relation,
            institution=of,
            actor=self.guard.pseudonym(of, care.person),
            alias=study.patient_alias if care.relation is Relation.TREATING else study.alias,
            purpose=None,
            begins_at=care.begins_at,
            ends_at=care.ends_at,
            origin=care.origin,
            box=seal.seal(_SEALED_AS, str(care.origin), str(tie_id), named),
        )
        return proven(seal, made)


def _opened(seal: IndexSeal, tie: Tie) -> Care:
    named = orjson.loads(seal.open(_SEALED_AS, str(tie.origin), str(tie.tie_id), tie.box))
    return Care(tie.origin, tie.relation, named["person"], tie.begins_at, tie.ends_at, named["reason"])


def _person(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Malformed("a person is named by the identifier that they log in with")
    return name


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
