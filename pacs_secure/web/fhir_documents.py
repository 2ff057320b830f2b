"""The FHIR documents around audit events: what this server can do, one page of a search, and how a failure is said."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import urlencode

from pacs_secure import __version__
from pacs_secure.archive.audit_events import EventPage
from pacs_secure.core.errors import (
    ArchiveError,
    Conflict,
    Denied,
    Held,
    Hidden,
    Malformed,
    NotFound,
    OverLimit,
    Tampered,
    TooOften,
    Unauthenticated,
    Unavailable,
)
from pacs_secure.messages import fhir_event
from pacs_secure.web.fhir_query import PARAMETERS

Json = dict[str, object]

FHIR_JSON = "application/fhir+json"
RELEASED = "2026-03-01"
"""When this statement last changed."""

ISSUES: Mapping[type[ArchiveError], str] = MappingProxyType(
    {
        Unauthenticated: "login",
        Denied: "forbidden",
        NotFound: "not-found",
        Hidden: "not-found",
        Malformed: "invalid",
        OverLimit: "too-costly",
        TooOften: "throttled",
        Conflict: "conflict",
        Held: "business-rule",
        Tampered: "exception",
        Unavailable: "transient",
    }
)
"""IssueType (FHIR R4 4.4) of every error."""


def capability(root: str) -> Json:
    """Return the CapabilityStatement (FHIR R4 2.21)."""
    parameters = [
        {"name": name, "type": kind, "documentation": meaning} for name, (kind, meaning) in PARAMETERS.items()
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": RELEASED,
        "kind": "instance",
        "software": {"name": "pacs_secure", "version": __version__},
        "implementation": {"description": "Audit events of the archive's ledger", "url": root},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "A bearer token or a session; each request is on record."},
                "resource": [
                    {
                        "type": "AuditEvent",
                        "supportedProfile": [fhir_event.PROFILES + name for name in fhir_event.FOLLOWED],
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "searchParam": parameters,
                    }
                ],
            }
        ],
    }


def bundle(page: EventPage, root: str, repeated: list[tuple[str, str]], asked_after: int | None) -> Json:
    """Return one page of a search (FHIR R4 3.1.1.1)."""
    links = [{"relation": "self", "url": _url(root, repeated, asked_after)}]
    if page.after is not None:
        links.append({"relation": "next", "url": _url(root, repeated, page.after)})
    found: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    entries = [
        {
            "fullUrl": f"{root}/AuditEvent/{one.index}",
            "resource": fhir_event.render(one),
            "search": {"mode": "match"},
        }
        for one in page.events
    ]
    return found | ({"entry": entries} if entries else {})


def issue(code: str, words: str) -> Json:
    """Return an OperationOutcome about one thing that went wrong."""
    told = {"severity": "error", "code": code, "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [told]}


def issue_of(error: ArchiveError) -> str:
    """Return the IssueType of an error, or of the nearest class that it is a kind of."""
    return next((ISSUES[kind] for kind in type(error).__mro__ if kind in ISSUES), "exception")


def issue_of_status(status: int) -> str:
    """Return the IssueType of what ended before any error of the archive's own."""
    found = {HTTPStatus.NOT_ACCEPTABLE: "not-supported", HTTPStatus.NOT_FOUND: "not-supported"}
    return found.get(HTTPStatus(status), "processing")


def _url(root: str, repeated: list[tuple[str, str]], after: int | None) -> str:
    asked = repeated if after is None else [*repeated, ("_after", str(after))]
    return f"{root}/AuditEvent" + (f"?{urlencode(asked)}" if asked else "")
