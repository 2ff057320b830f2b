"""``/api/v1/ledger/report`` and ``/api/v1/incidents/report``: documents to download, each with its signature."""

from base64 import b64encode
from datetime import date
from hashlib import sha256

from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from starlette.responses import Response

from pacs_secure.archive import Archive
from pacs_secure.core.access import Action
from pacs_secure.core.incidents import Stage, Suspicion
from pacs_secure.core.reports import Language, Printed, ReportFormat
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification

NOTE = {"protocol": "API"}
SIGNATURE = "Signature-Note"
"""The signed note of a report, in base64: it has several lines, and a header has one."""
MEDIA = ("application/json", "application/pdf", "text/html")


class AskedPeriod(Body):
    """Which days, in which language, as what."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    lang: Language = Language.ENGLISH
    form: ReportFormat = Field(ReportFormat.PDF, alias="format")


class AskedIncident(Body):
    """Which acts belong to an incident, and what people know of it."""

    begins_at: AwareDatetime
    ends_at: AwareDatetime
    cause: str = Field(min_length=1)
    stage: Stage = Stage.EARLY
    actor_department: str = ""
    actions: frozenset[Action] = frozenset()
    studies: tuple[str, ...] = ()
    """Study Instance UIDs."""
    statements: dict[str, str] = Field(default_factory=dict)
    lang: Language = Language.ENGLISH
    form: ReportFormat = Field(ReportFormat.PDF, alias="format")


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints that make reports."""
    api = Api(archive, identification, "Reports")

    def report_ledger(asked: Asked[None, AskedPeriod]) -> Response:
        """Report on whole days of the ledger; the signature is in the header `Signature-Note`."""
        caller, query = asked.caller, asked.query
        days, verb = (query.first, query.last), archive.report
        return _download(verb.make(caller.subject, caller.purpose, days, query.lang, query.form, details=NOTE))

    def report_incident(asked: Asked[AskedIncident, None]) -> Response:
        """Report on an incident; the signature is in the header `Signature-Note`."""
        caller, body, verb = asked.caller, asked.body, archive.incident
        suspicion = Suspicion(
            body.begins_at,
            body.ends_at,
            body.cause,
            body.stage,
            body.actor_department,
            body.actions,
            body.studies,
            body.statements,
        )
        return _download(verb.make(caller.subject, caller.purpose, suspicion, body.lang, body.form, details=NOTE))

    reports, incident = Action.LEDGER_REPORT, Action.INCIDENT_REPORT
    api.add("GET", "/ledger/report", report_ledger, action=reports, query=AskedPeriod, download=MEDIA)
    api.add("POST", "/incidents/report", report_incident, action=incident, body=AskedIncident, download=MEDIA)
    return api.router


def _download(printed: Printed) -> Response:
    digest = b64encode(sha256(printed.content).digest()).decode()
    headers = {
        "Content-Disposition": f'attachment; filename="{printed.name}"',
        "Repr-Digest": f"sha-256=:{digest}:",
        SIGNATURE: b64encode(printed.note).decode(),
    }
    return Response(printed.content, headers=headers, media_type=printed.media_type)
