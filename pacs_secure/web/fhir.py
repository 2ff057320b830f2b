"""FHIR R4 over the ledger: AuditEvent to read and to search, for the few who may (IHE BALP, ITI-81 in part)."""

from collections.abc import Callable
from http import HTTPStatus

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pacs_secure.archive import Archive
from pacs_secure.core.access import Action
from pacs_secure.core.errors import ArchiveError, NotFound
from pacs_secure.messages import fhir_event
from pacs_secure.web import fhir_documents, fhir_query, problems
from pacs_secure.web.accept import JSON, Offer, negotiate
from pacs_secure.web.api import CREDENTIALS
from pacs_secure.web.fhir_documents import FHIR_JSON, Json
from pacs_secure.web.identity import Caller, Identification
from pacs_secure.web.origin import FHIR_SERVICE, base
from pacs_secure.web.record import on_record

NOTE = {"protocol": "FHIR"}
OFFERS = (Offer(FHIR_JSON), Offer(JSON))
_REFUSED = (400, 401, 403, 404, 406, 429, 500, 503)
_OUTCOME: Json = {"type": "object", "required": ["resourceType", "issue"]}

Handler = Callable[[Request, Caller], Json]


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the routes below ``/fhir``."""
    router = APIRouter(tags=["FHIR"], prefix=FHIR_SERVICE)
    verb = archive.audit_events

    def read_event(request: Request, caller: Caller) -> Json:
        """Read one audit event."""
        number = request.path_params["number"]
        with on_record(archive.guard, caller, Action.LEDGER_READ, NOTE):
            index = _index(number)
        return fhir_event.render(verb.read(caller.subject, caller.purpose, index, NOTE))

    def search_events(request: Request, caller: Caller) -> Json:
        """Search for audit events, newest first."""
        with on_record(archive.guard, caller, Action.LEDGER_READ, NOTE):
            asked = fhir_query.search(request.scope["query_string"])
        page = verb.search(caller.subject, caller.purpose, asked.events, NOTE)
        return fhir_documents.bundle(page, base(request, FHIR_SERVICE), asked.repeated, asked.events.after)

    def metadata(request: Request) -> Response:
        """Say what this server can do."""
        return _spoken(request, lambda: fhir_documents.capability(base(request, FHIR_SERVICE)))

    def add(path: str, handler: Handler, parameters: list[Json]) -> None:
        async def endpoint(request: Request) -> Response:
            def serve() -> Response:
                return _spoken(request, lambda: handler(request, identification.identify(request)))

            return await run_in_threadpool(serve)

        router.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            response_class=Response,
            summary=handler.__doc__,
            name=handler.__name__,
            responses=_described(),
            openapi_extra={**CREDENTIALS, "parameters": parameters},
        )

    router.add_api_route(
        "/metadata", metadata, methods=["GET"], response_class=Response, responses=_described(), name="metadata"
    )
    add("/AuditEvent/{number}", read_event, [_parameter("number", "path", "Its index in the ledger.")])
    add("/AuditEvent", search_events, [_parameter(name, "query", of[1]) for name, of in fhir_query.PARAMETERS.items()])
    return router


def _spoken(request: Request, answer: Callable[[], Json]) -> Response:
    """Answer in FHIR's words, whatever comes of it."""
    try:
        offer = negotiate(request, OFFERS)
        return _response(answer(), HTTPStatus.OK, offer.media_type)
    except ArchiveError as error:
        row = problems.row_of(error)
        said = problems.answer(error)
        words = str(error) if row.detail is None else row.detail
        answered = _response(fhir_documents.issue(fhir_documents.issue_of(error), words), row.status)
        kept = {"retry-after", "www-authenticate"}
        answered.headers.update({name: value for name, value in said.headers.items() if name in kept})
        return answered
    except HTTPException as error:
        code = fhir_documents.issue_of_status(error.status_code)
        return _response(fhir_documents.issue(code, error.detail), HTTPStatus(error.status_code))


def _response(document: Json, status: HTTPStatus, media_type: str = FHIR_JSON) -> Response:
    return Response(orjson.dumps(document), status, media_type=media_type)


def _index(number: str) -> int:
    if not (number.isascii() and number.isdigit() and len(number) <= fhir_query.MOST_DIGITS):
        raise NotFound("no such object")
    return int(number)


def _parameter(name: str, place: str, meaning: str) -> Json:
    schema: Json = {"type": "string"}
    return {"name": name, "in": place, "required": place == "path", "description": meaning, "schema": schema}


def _described() -> dict[int | str, dict[str, object]]:
    told = {FHIR_JSON: {"schema": _OUTCOME}}
    refused: dict[int | str, dict[str, object]] = {
        status: {"description": HTTPStatus(status).phrase, "content": told} for status in _REFUSED
    }
    spoken = {FHIR_JSON: {"schema": {"type": "object"}}, JSON: {"schema": {"type": "object"}}}
    return {200: {"description": HTTPStatus.OK.phrase, "content": spoken}, **refused}
