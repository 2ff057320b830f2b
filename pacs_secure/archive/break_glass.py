"""Breaking the glass: one caregiver, one patient of their own institution, some hours, and somebody who looks at it.

The Guard decides, and asks for a second factor and a fresh login. What follows from it (the tie that
decisions rest on, the notice to the officer, the record) is one commit; it ends by itself.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from pacs_secure.archive.declarations import (
    Declared,
    Said,
    Whom,
    declared,
    locate,
    remark,
    seal_emergency,
    seal_review,
    seal_tie,
)
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.noticing import compose
from pacs_secure.archive.proofs import proven
from pacs_secure.archive.readings import Reading, readings
from pacs_secure.core.access import AccessRequest, Action, Grant, Permit, Purpose, Relation, Subject, Tie
from pacs_secure.core.audit import Outcome
from pacs_secure.core.emergencies import Emergency, Judgement, Review
from pacs_secure.core.errors import ArchiveError, Denied, Malformed, NotFound
from pacs_secure.core.notices import NoticeKind
from pacs_secure.core.reasons import reason
from pacs_secure.ports import Emergencies, Ledger, Patients

MOST_LISTED = 500
SHORTEST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ReadInEmergency:
    """One read of one of the patient's studies while the glass was broken."""

    study_alias: UUID
    reading: Reading


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """The verb: reach one patient in an emergency, and have that judged afterwards."""

    guard: Guard
    emergencies: Emergencies
    patients: Patients
    ledger: Ledger
    seals: InstitutionSeals
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]

    def open(
        self, subject: Subject, whom: Whom, why: str, lasts: timedelta | None, *, details: dict[str, str]
    ) -> Declared:
        """Break the glass for one patient, for the longest time allowed or a shorter one (ACC-06).

        Raises:
            Denied: the subject gives no care, or has no second factor or no fresh login.
            Malformed: the reason, the time or the patient's identifiers are none.
            NotFound: the institution has no such patient.
            Conflict: several patients have this Patient ID.
            Unavailable: it cannot be recorded, or the officer cannot be told; nothing was opened.
        """
        private = {"reason": why, **whom.told()}
        request = AccessRequest(subject, Action.BREAK_GLASS_OPEN, Purpose.BREAK_GLASS, details=details, private=private)
        permit = self.guard.decide(request)
        with self._on_record(request):
            sentence, time = reason(why), self._time(lasts)
            patient = locate(self.patients, self.seals, subject.institution, whom)
            if patient is None:
                raise NotFound("no such object")
        said = Said(
            subject.identifier,
            subject.role.value,
            subject.department,
            sentence,
            whom.patient_id,
            whom.issuer_of_patient_id or "",
            whom.study_instance_uid,
        )
        return self._keep(permit, patient, said, time)

    def end(self, subject: Subject, purpose: Purpose | None, emergency_id: str, *, details: dict[str, str]) -> Declared:
        """End one's own emergency before its time.

        Raises:
            NotFound: it is not theirs, or there is none.
            Conflict: it is over.
        """
        request = AccessRequest(subject, Action.BREAK_GLASS_END, purpose, details=details)
        permit = self.guard.decide(request)
        with self._on_record(request):
            found = self._of(subject, emergency_id)
            if found.actor != self._actor(subject):
                raise NotFound("no such object")
            at = self.now()
            facts = {"emergency": str(found.emergency_id)}
            draft = self.guard.draft(permit, Outcome.COMPLETED, facts, patient=found.patient_alias)
            self.emergencies.end(permit, found.emergency_id, at, draft)
        return declared(self.seals, replace(found, ends_at=at))

    def review(
        self,
        subject: Subject,
        purpose: Purpose | None,
        emergency_id: str,
        judgement: Judgement,
        said: str,
        *,
        details: dict[str, str],
    ) -> Declared:
        """Judge an emergency of somebody else, once; one that was not justified ends at once.

        Raises:
            Denied: the subject may not judge, or has broken this glass themselves.
            Malformed: the remark is none; one that was not justified needs a reason.
            NotFound: there is no such emergency.
            Conflict: it has been reviewed before.
        """
        request = AccessRequest(subject, Action.BREAK_GLASS_REVIEW, purpose, details=details, private={"remark": said})
        permit = self.guard.decide(request)
        with self._on_record(request):
            words = remark(said) if judgement is Judgement.JUSTIFIED else reason(said)
            found = self._of(subject, emergency_id)
            actor = self._actor(subject)
            if found.actor == actor:
                raise Denied("whoever broke the glass does not judge it")
            box = seal_review(self.seals, found.institution, found.emergency_id, subject.identifier, words)
            made = Review(judgement, actor, self.now(), box)
            facts: dict[str, str | int] = {"emergency": str(found.emergency_id), "judgement": judgement.value}
            draft = self.guard.draft(permit, Outcome.COMPLETED, facts, patient=found.patient_alias)
            self.emergencies.review(permit, found.emergency_id, made, draft)
        return declared(self.seals, self._of(subject, emergency_id))

    def list(self, subject: Subject, purpose: Purpose | None, *, details: dict[str, str]) -> Sequence[Declared]:
        """List emergencies, unreviewed ones first: one's own, or all of the institution for whoever judges them."""
        grant = self.guard.admit(AccessRequest(subject, Action.BREAK_GLASS_LIST, purpose, details=details))
        with self._finished(grant):
            only = "" if self._judges(subject, purpose) else self._actor(subject)
            found = self.emergencies.listed(subject.institution, MOST_LISTED, only)
            return [declared(self.seals, one) for one in found]

    def show(
        self, subject: Subject, purpose: Purpose | None, emergency_id: str, *, details: dict[str, str]
    ) -> Declared:
        """Show one emergency to whoever declared it and to whoever may judge it; raises `NotFound` to all others."""
        grant = self.guard.admit(AccessRequest(subject, Action.BREAK_GLASS_LIST, purpose, details=details))
        with self._finished(grant):
            return declared(self.seals, self._seen(subject, purpose, emergency_id))

    def reads(
        self, subject: Subject, purpose: Purpose | None, emergency_id: str, *, details: dict[str, str]
    ) -> Sequence[ReadInEmergency]:
        """Return what its person read of the patient while it lasted, oldest first; raises as `show` does."""
        grant = self.guard.admit(AccessRequest(subject, Action.BREAK_GLASS_LIST, purpose, details=details))
        with self._finished(grant):
            found = self._seen(subject, purpose, emergency_id)
            return sorted(self._reads(found), key=lambda one: one.reading.at)

    def _keep(self, permit: Permit, patient: UUID, said: Said, lasts: timedelta) -> Declared:
        subject, at, made_id, notice_id = permit.request.subject, self.now(), self.new_id(), self.new_id()
        of, actor = subject.institution, self._actor(subject)
        box = seal_emergency(self.seals, of, made_id, said)
        made = Emergency(made_id, of, patient, actor, at, at + lasts, box)
        facts: dict[str, str | int] = {
            "emergency": str(made_id),
            "ends_at": made.ends_at.isoformat(),
            "reported": str(notice_id),
        }
        draft = self.guard.draft(permit, Outcome.COMPLETED, facts, patient=patient)
        told = {"person": said.person, "role": said.role, "department": said.department, "reason": said.reason}
        notice = compose(self.seals, NoticeKind.BREAK_GLASS, draft, notice_id, made_id, told)
        self.emergencies.open(permit, made, self._tie(made, said.person), notice, draft)
        return Declared(made, said)

    def _tie(self, made: Emergency, person: str) -> Tie:
        tie_id = self.new_id()
        tie = Tie(
            tie_id=tie_id,
            relation=Relation.EMERGENCY,
            institution=made.institution,
            actor=made.actor,
            alias=made.patient_alias,
            purpose=None,
            begins_at=made.opened_at,
            ends_at=made.ends_at,
            origin=made.emergency_id,
            box=seal_tie(self.seals, made.institution, made.emergency_id, tie_id, person),
        )
        return proven(self.seals.index(made.institution), tie)

    def _reads(self, of: Emergency) -> Iterator[ReadInEmergency]:
        for alias in self.patients.studies(of.institution, of.patient_alias):
            entries = self.ledger.about(alias, of.actor)
            for reading in readings(entries, lambda at: of.opened_at <= at < of.ends_at):
                yield ReadInEmergency(alias, reading)

    def _time(self, lasts: timedelta | None) -> timedelta:
        longest = self.guard.terms.longest_emergency
        if lasts is None:
            return longest
        if not SHORTEST <= lasts <= longest:
            raise Malformed("an emergency lasts for a minute at least and for no longer than the archive allows")
        return lasts

    def _of(self, subject: Subject, emergency_id: str) -> Emergency:
        try:
            found = self.emergencies.get(subject.institution, UUID(emergency_id))
        except ValueError:
            found = None
        if found is None:
            raise NotFound("no such object")
        return found

    def _seen(self, subject: Subject, purpose: Purpose | None, emergency_id: str) -> Emergency:
        found = self._of(subject, emergency_id)
        if found.actor != self._actor(subject) and not self._judges(subject, purpose):
            raise NotFound("no such object")
        return found

    def _judges(self, subject: Subject, purpose: Purpose | None) -> bool:
        return self.guard.judge(AccessRequest(subject, Action.BREAK_GLASS_REVIEW, purpose)).allowed

    def _actor(self, subject: Subject) -> str:
        return self.guard.pseudonym(subject.institution, subject.identifier)

    @contextmanager
    def _on_record(self, request: AccessRequest) -> Iterator[None]:
        """Record what is refused after the policy has allowed it."""
        try:
            yield
        except ArchiveError as error:
            self.guard.refuse(request, {"error": type(error).__name__})
            raise

    @contextmanager
    def _finished(self, grant: Grant) -> Iterator[None]:
        """Record how a look at emergencies came out."""
        try:
            yield
        except ArchiveError as error:
            self.guard.finish(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish(grant, Outcome.COMPLETED, {})
