"""Breaking the glass over HTTP: open, look at, end, and judge; who is meant stands in the body, never in a URL."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from pacs_secure.archive import Archive
from pacs_secure.archive.break_glass import ReadInEmergency
from pacs_secure.archive.declarations import LONGEST_REMARK, Declared, Whom
from pacs_secure.core import reasons
from pacs_secure.core.access import Action
from pacs_secure.core.audit import Outcome
from pacs_secure.core.emergencies import Judgement
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification

NOTE = {"protocol": "API"}

Reason = Annotated[str, Field(min_length=reasons.SHORTEST, max_length=reasons.LONGEST)]
LongString = Annotated[str, Field(max_length=64)]
"""Of VR LO, at most (PS3.5 6.2)."""


class Declaration(Body):
    """For whom the glass is to be broken, by Patient ID or by one study, why, and for how long."""

    reason: Reason
    patient_id: LongString = ""
    issuer_of_patient_id: LongString | None = None
    """Needed when two issuers give the same Patient ID; "" is no issuer."""
    study_instance_uid: LongString = ""
    hours: Annotated[float, Field(gt=0, le=4)] | None = None
    """None: for as long as the archive allows."""


class Verdict(Body):
    """What somebody else thinks of it; what was not justified needs a remark."""

    verdict: Judgement
    remark: Annotated[str, Field(max_length=LONGEST_REMARK)] = ""


class ReviewMade(Body):
    """How it was judged."""

    verdict: Judgement
    by: str
    at: datetime
    remark: str


class DeclaredEmergency(Body):
    """One emergency; it stays open until somebody else has judged it."""

    id: UUID
    open: bool
    """Whether nobody has judged it yet."""
    patient: UUID
    """Random name of the patient in the ledger."""
    opened_at: datetime
    ends_at: datetime
    person: str
    role: str
    department: str
    reason: str
    patient_id: str
    issuer_of_patient_id: str
    study_instance_uid: str
    review: ReviewMade | None

    @classmethod
    def of(cls, declared: Declared) -> Self:
        """Write an emergency down."""
        emergency, said, review = declared.emergency, declared.said, declared.emergency.review
        made = None
        if review is not None:
            made = ReviewMade(verdict=review.judgement, by=declared.reviewer, at=review.at, remark=declared.remark)
        return cls(
            id=emergency.emergency_id,
            open=review is None,
            patient=emergency.patient_alias,
            opened_at=emergency.opened_at,
            ends_at=emergency.ends_at,
            person=said.person,
            role=said.role,
            department=said.department,
            reason=said.reason,
            patient_id=said.patient_id,
            issuer_of_patient_id=said.issuer_of_patient_id,
            study_instance_uid=said.study,
            review=made,
        )


class ReadMade(Body):
    """One read while the glass was broken."""

    study: UUID
    """Random name of the study in the ledger."""
    act: UUID
    at: datetime
    door: str
    outcome: Outcome
    objects: int
    bytes: int

    @classmethod
    def of(cls, read: ReadInEmergency) -> Self:
        """Write a read down."""
        reading = read.reading
        return cls(
            study=read.study_alias,
            act=reading.act,
            at=reading.at,
            door=reading.door.value,
            outcome=reading.outcome,
            objects=reading.objects,
            bytes=reading.octets,
        )


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints about broken glasses."""
    api, verb = Api(archive, identification, "Break-glass"), archive.break_glass

    def break_glass(asked: Asked[Declaration, None]) -> DeclaredEmergency:
        """Break the glass for one patient, with a reason."""
        body = asked.body
        whom = Whom(body.patient_id, body.issuer_of_patient_id, body.study_instance_uid)
        lasts = None if body.hours is None else timedelta(hours=body.hours)
        return DeclaredEmergency.of(verb.open(asked.caller.subject, whom, body.reason, lasts, details=NOTE))

    def list_emergencies(asked: Asked[None, None]) -> list[DeclaredEmergency]:
        """List one's own emergencies, or all of them for whoever judges them; those nobody has judged stand first."""
        caller = asked.caller
        return [DeclaredEmergency.of(one) for one in verb.list(caller.subject, caller.purpose, details=NOTE)]

    def show_emergency(asked: Asked[None, None]) -> DeclaredEmergency:
        """Show one emergency."""
        caller = asked.caller
        return DeclaredEmergency.of(verb.show(caller.subject, caller.purpose, asked.path["id"], details=NOTE))

    def end_emergency(asked: Asked[None, None]) -> DeclaredEmergency:
        """End one's own emergency before its time."""
        caller = asked.caller
        return DeclaredEmergency.of(verb.end(caller.subject, caller.purpose, asked.path["id"], details=NOTE))

    def review_emergency(asked: Asked[Verdict, None]) -> DeclaredEmergency:
        """Judge an emergency of somebody else, once."""
        caller, body, name = asked.caller, asked.body, asked.path["id"]
        judged = verb.review(caller.subject, caller.purpose, name, body.verdict, body.remark, details=NOTE)
        return DeclaredEmergency.of(judged)

    def list_reads(asked: Asked[None, None]) -> list[ReadMade]:
        """List what was read of the patient while the glass was broken."""
        caller = asked.caller
        return [ReadMade.of(one) for one in verb.reads(caller.subject, caller.purpose, asked.path["id"], details=NOTE)]

    path, one, told = "/break-glass", "/break-glass/{id}", DeclaredEmergency
    opens, created = Action.BREAK_GLASS_OPEN, HTTPStatus.CREATED
    api.add("POST", path, break_glass, action=opens, body=Declaration, answer=told, status=created)
    api.add("GET", path, list_emergencies, action=Action.BREAK_GLASS_LIST, answer=list[DeclaredEmergency])
    api.add("GET", one, show_emergency, action=Action.BREAK_GLASS_LIST, answer=told)
    api.add("POST", f"{one}/end", end_emergency, action=Action.BREAK_GLASS_END, answer=told)
    api.add("POST", f"{one}/review", review_emergency, action=Action.BREAK_GLASS_REVIEW, body=Verdict, answer=told)
    api.add("GET", f"{one}/reads", list_reads, action=Action.BREAK_GLASS_LIST, answer=list[ReadMade])
    return api.router
