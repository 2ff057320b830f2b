"""Telling a patient over HTTP who came to their pictures (GDPR 15, DSR-03); the patient stands in the body."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from pacs_secure.archive import Archive
from pacs_secure.archive import trail_pages as pages
from pacs_secure.archive.declarations import Whom
from pacs_secure.archive.patient_trail import Disclosure
from pacs_secure.core import reasons
from pacs_secure.core.access import Action, Purpose, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.reports import Language
from pacs_secure.core.trails import Category
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification
from pacs_secure.web.record import on_record

NOTE = {"protocol": "API"}

LongString = Annotated[str, Field(max_length=64)]
"""Of VR LO, at most (PS3.5 6.2)."""


class WantedTrail(Body):
    """Whose trail is wanted, in which words, and whether employees are named."""

    patient_id: Annotated[LongString, Field(min_length=1)]
    issuer_of_patient_id: LongString | None = None
    """Needed when two issuers give the same Patient ID; "" is no issuer."""
    lang: Language = Language.GERMAN
    time_zone: LongString = "Europe/Berlin"
    """IANA name, or UTC."""
    page: bool = False
    """Whether to write a page of HTML too, for the patient to read."""
    proofs: bool = False
    """Whether to prove that the entries are in the published ledger."""
    thorough: bool = False
    """Whether to read the whole ledger instead of trusting its index to leave nothing out."""
    name_employees: bool = False
    reason: Annotated[str, Field(max_length=reasons.LONGEST)] = ""
    """Why names are indispensable (CJEU C-579/21); for data-protection officers only."""


class ToldExamination(Body):
    """One examination of the patient."""

    number: int
    date: str | None
    """YYYYMMDD."""
    kind: str


class Said(Body):
    """One access as a person reads it."""

    when: str
    what: str
    why: str
    who: str
    how: str


class ToldAccess(Body):
    """One act, from its first entry to its last."""

    at: datetime
    category: Category
    purpose: Purpose | None
    outcome: Outcome
    role: Role
    department: str | None
    person: str | None
    """Only when naming is indispensable."""
    recipient: str | None
    """Who is outside of the institution: a person, or another institution."""
    device: str | None
    examination: int | None
    pictures: int
    entries: list[int]
    """Where it stands in the ledger."""
    said: Said


class ToldProof(Body):
    """That an entry is in the published ledger; what it says is not told (RFC 9162 2.1.3)."""

    index: int
    leaf_sha256: str
    path: list[str]


class ToldTrail(Body):
    """Everything that happened with one patient's pictures."""

    # A note ends with the end of its last line, and a page does too.
    model_config = ConfigDict(str_strip_whitespace=False)

    language: Language
    institution: str
    patient_id: str
    produced_at: datetime
    employees: str
    examinations: list[ToldExamination]
    accesses: list[ToldAccess]
    recipients: list[str]
    notes: list[str]
    checkpoint: str | None
    proofs: list[ToldProof]
    page: str | None


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoint."""
    api = Api(archive, identification, "Ledger")

    def produce_patient_trail(asked: Asked[WantedTrail, None]) -> ToldTrail:
        """Tell a patient who came to their pictures; it is recorded as a disclosure."""
        caller, body = asked.caller, asked.body
        with on_record(archive.guard, caller, Action.LEDGER_DISCLOSE, NOTE):
            zone = pages.zone_of(body.time_zone)
        wanted = Disclosure(
            Whom(body.patient_id, body.issuer_of_patient_id),
            body.name_employees,
            body.reason,
            body.proofs,
            body.thorough,
        )
        trail = archive.patient_trail.produce(caller.subject, caller.purpose, wanted, details=NOTE)
        told = pages.machine(trail, body.lang, zone)
        written = pages.page(trail, body.lang, zone) if body.page else None
        return ToldTrail.model_validate({**told, "page": written})

    path, tells = "/ledger/patient-trails", Action.LEDGER_DISCLOSE
    api.add("POST", path, produce_patient_trail, action=tells, body=WantedTrail, answer=ToldTrail)
    return api.router
