"""Puts the web door together: routes, problems, safe headers, and nothing that anybody did not ask for."""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from pacs_secure.archive import Archive
from pacs_secure.archive.revocation import Revocable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Authenticator, LoginProvider
from pacs_secure.web import (
    api_boards,
    api_break_glass,
    api_care,
    api_devices,
    api_facts,
    api_keys,
    api_ledger_reading,
    api_ledger_retention,
    api_notices,
    api_patient_trails,
    api_policy,
    api_questions,
    api_reports,
    api_sessions,
    api_shares,
    fhir,
    health,
    login,
    problems,
)
from pacs_secure.web.accept import DICOM, DICOM_JSON, JSON, MULTIPART
from pacs_secure.web.api import CREDENTIALS, describe_credentials
from pacs_secure.web.identity import Identification
from pacs_secure.web.multipart import Memory, UploadLimits
from pacs_secure.web.origin import STUDIES_SERVICE
from pacs_secure.web.shield import Shield
from pacs_secure.web.store import Store
from pacs_secure.web.studies import Studies

OPENAPI_URL = "/api/v1/openapi.json"

_APIS = (
    api_boards,
    api_break_glass,
    api_care,
    api_devices,
    api_facts,
    api_keys,
    api_ledger_reading,
    api_ledger_retention,
    api_notices,
    api_patient_trails,
    api_policy,
    api_questions,
    api_reports,
    api_sessions,
    api_shares,
    fhir,
)
"""Everything that is routed over the archive alone, whoever asks."""

_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"

Told = dict[int | str, dict[str, Any]]
"""What a route may answer, for OpenAPI."""

_PARAMETER = re.compile(r"\{(\w+)\}")


def create_app(
    archive: Archive,
    authenticator: Authenticator,
    institution: Institution,
    ready: Callable[[], None],
    limits: UploadLimits | None = None,
    provider: LoginProvider | None = None,
    metrics: APIRouter | None = None,
) -> FastAPI:
    """Return the application over one archive.

    ``institution`` is whose ledger hears of callers nobody knows; ``ready`` raises `Unavailable`
    when keys, ledger or index do not work. With a ``provider`` people can log in by their browser;
    ``metrics`` is the route for the machine's watchers (`pacs_secure.web.metrics.routes`).
    """
    limits = limits or UploadLimits()
    revocable = Revocable(authenticator, archive.sessions.revocation)
    origin = None if provider is None else provider.origin
    identification = Identification(archive.guard, revocable, institution, archive.sessions, origin)
    app = FastAPI(
        title="pacs_secure",
        docs_url=None,
        redoc_url=None,
        openapi_url=OPENAPI_URL,
        redirect_slashes=False,  # a redirect would repeat identifiers and trust the Host header
    )
    app.add_middleware(Shield)
    problems.install(app)
    describe_credentials(app)
    app.include_router(health.routes(ready))
    if metrics is not None:
        app.include_router(metrics)
    if provider is not None:
        app.include_router(login.routes(archive, identification, provider))
    store = Store(archive, identification, limits, Memory(limits.bytes_in_memory))
    app.include_router(_studies_service(Studies(archive, identification), store), prefix=STUDIES_SERVICE)
    for api in _APIS:
        app.include_router(api.routes(archive, identification))
    return app


def _studies_service(studies: Studies, store: Store) -> APIRouter:
    """Route the Studies Service (PS3.18 Table 10.3-1)."""
    router = APIRouter(tags=["Studies Service"])

    def route(method: str, endpoint: Callable[..., object], status: int, told: Told, *paths: str) -> None:
        for path in paths:
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                status_code=status,
                response_class=Response,
                response_model=None,
                responses=told,
                openapi_extra=_described(method, path),
            )

    refused = problems.described(400, 401, 403, 404, 406, 429, 503)
    searched = {**refused, 200: _found((DICOM_JSON, JSON))}
    retrieved = {**refused, **problems.described(500), 200: _found((MULTIPART, "application/*", "image/*"))}
    told = {**searched, **problems.described(304, 500)}
    route("POST", store.store, 200, _stored(), "/studies", _STUDY)
    route("GET", studies.search_studies, 200, searched, "/studies")
    route("GET", studies.search_series, 200, searched, "/series", _STUDY + "/series")
    route("GET", studies.search_instances, 200, searched, "/instances", _STUDY + "/instances", _SERIES + "/instances")
    route("GET", studies.retrieve, 200, retrieved, _STUDY, _SERIES, _INSTANCE)
    route("GET", studies.metadata, 200, told, _STUDY + "/metadata", _SERIES + "/metadata", _INSTANCE + "/metadata")
    route("GET", studies.frames, 200, retrieved, _INSTANCE + "/frames/{frames}")
    refused = problems.described(400, 401, 403, 405, 429, 503)
    route("DELETE", studies.erase, 405, refused, _STUDY, _SERIES, _INSTANCE)
    return router


def _found(media_types: Iterable[str]) -> dict[str, Any]:
    return {"description": HTTPStatus.OK.phrase, "content": {media_type: {} for media_type in media_types}}


def _stored() -> Told:
    """Describe what a storing answers (PS3.18 10.5.3): what failed is told in DICOM's own words also beside 409."""
    told = problems.described(200, 202, 204, 400, 401, 403, 406, 408, 409, 413, 415, 429, 503)
    for status in (200, 202):
        told[status]["content"] = {DICOM_JSON: {}}
    told[409]["content"] = {DICOM_JSON: {}, problems.MEDIA_TYPE: {"schema": problems.PROBLEM}}
    return told


def _described(method: str, path: str) -> dict[str, Any]:
    """Describe credentials, body and the path's parameters for OpenAPI; handlers read them by hand."""
    names = _PARAMETER.findall(path)
    described = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    sent = {"schema": {"type": "string", "format": "binary"}}
    body = {"requestBody": {"required": True, "content": {MULTIPART: sent, DICOM: sent}}} if method == "POST" else {}
    return {**CREDENTIALS, **body, **({"parameters": described} if described else {})}
