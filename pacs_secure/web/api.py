"""The one way to make an endpoint of ``/api/v1``: first who asks, then what; both stand in the OpenAPI document.

A handler gets an `Asked` whose caller is identified and whose body and query have passed their
models; it runs in a worker thread, calls one verb and returns what it is to answer.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import orjson
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pacs_secure.archive import Archive
from pacs_secure.core.access import Action
from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.web.identity import SESSION_COOKIE, Caller, Identification
from pacs_secure.web.problems import MEDIA_TYPE, PROBLEM
from pacs_secure.web.record import on_record

PREFIX = "/api/v1"
LONGEST_BODY = 64 * 1024
JSON = "application/json"

_PROBLEMS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

CREDENTIALS: dict[str, Any] = {"security": [{"bearer": []}, {"session": []}]}
"""For OpenAPI: a bearer token or a session, one of them."""


class Body(BaseModel):
    """What a request or an answer holds: nothing but what is named."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


Given = TypeVar("Given")
Wanted = TypeVar("Wanted")


@dataclass(frozen=True, slots=True)
class Asked(Generic[Given, Wanted]):
    """One request that has been identified and read."""

    caller: Caller
    body: Given
    query: Wanted
    path: Mapping[str, str]
    request: Request


Answer = Body | Sequence[Body] | Response | None
Handler = Callable[[Asked[Any, Any]], Answer]


class Api:
    """One router of endpoints, over one archive and one way to identify who asks."""

    def __init__(self, archive: Archive, identification: Identification, tag: str) -> None:
        self.archive = archive
        self.router = APIRouter(prefix=PREFIX, tags=[tag])
        self._identification = identification

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        action: Action,
        body: type[Body] | None = None,
        query: type[Body] | None = None,
        answer: Any = None,
        status: HTTPStatus = HTTPStatus.OK,
        download: Sequence[str] = (),
    ) -> None:
        """Route one endpoint; ``action`` is what a request that cannot be read is recorded under.

        ``answer`` is the model of what is answered, or a list of one; None answers 204 without a body,
        unless there is something to ``download``: its media types.
        """
        status = HTTPStatus.NO_CONTENT if answer is None and not download else status

        async def endpoint(request: Request) -> Response:
            caller = await run_in_threadpool(self._identification.identify, request)
            sent = await _read(request)
            return await run_in_threadpool(serve, request, caller, sent)

        def serve(request: Request, caller: Caller, sent: bytes | None) -> Response:
            details = {"protocol": "API"}
            with on_record(self.archive.guard, caller, action, details):
                asked = Asked(caller, _body(body, request, sent), _query(query, request), request.path_params, request)
            return _respond(handler(asked), status)

        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=status,
            response_model=answer,
            response_class=Response,
            summary=(inspect.getdoc(handler) or "").partition("\n")[0],
            name=handler.__name__,
            operation_id=f"{method.lower()}{path}".translate(str.maketrans("/-", "__", "{}")),
            responses=_responses(status, answer, download),
            openapi_extra=_described(path, body, query),
        )


async def _read(request: Request) -> bytes | None:
    """Read a body that is no larger than it may be; None when it is."""
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > LONGEST_BODY:
            return None
    return bytes(pieces)


def _body(model: type[Body] | None, request: Request, sent: bytes | None) -> Body | None:
    if sent is None:
        raise OverLimit("the body is too long")
    if model is None:
        if sent:
            raise Malformed("no body is expected here")
        return None
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
    try:
        return model.model_validate_json(sent)
    except ValidationError as error:
        raise Malformed(_first(error, "body")) from None


def _query(model: type[Body] | None, request: Request) -> Body | None:
    given = request.query_params
    if len(set(given)) != len(given.multi_items()):
        raise Malformed("a query parameter is repeated")
    if model is None:
        if given:
            raise Malformed("no query parameter is expected here")
        return None
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        raise Malformed(_first(error, "query")) from None


def _first(error: ValidationError, where: str) -> str:
    """Say which field is wrong and how, never what it held."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "extra_forbidden":
        return f"the {where} holds a field that is not expected"
    field = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
    return f"the {where} is wrong{f' at {field}' if field else ''}: {_words(first['type'])}"


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def describe_credentials(app: FastAPI) -> None:
    """Name in the OpenAPI document what endpoints take as proof of who asks."""
    build = app.openapi

    def described() -> dict[str, Any]:
        document = build()
        document.setdefault("components", {})["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
        }
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _respond(found: Answer, status: HTTPStatus) -> Response:
    if isinstance(found, Response):
        return found
    if found is None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    if isinstance(found, Body):
        return Response(found.model_dump_json(), status, media_type=JSON)
    return Response(orjson.dumps([one.model_dump(mode="json") for one in found]), status, media_type=JSON)


def _responses(status: HTTPStatus, answer: Any, download: Sequence[str]) -> dict[int | str, dict[str, Any]]:
    problems: dict[int | str, dict[str, Any]] = {
        int(problem): {"description": problem.phrase, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
        for problem in _PROBLEMS
    }
    told: dict[str, Any] = {"description": status.phrase}
    if download:
        told["content"] = {media_type: {} for media_type in download}
    return {int(status): told if answer is None else {**told, "model": answer}, **problems}


def _described(path: str, body: type[Body] | None, query: type[Body] | None) -> dict[str, Any]:
    """Describe what FastAPI cannot see, because it is read by hand: credentials, body, query and path."""
    described: dict[str, Any] = {**CREDENTIALS}
    if body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": _schema(body)}}}
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    if query is not None:
        schema = _schema(query)
        required = schema.get("required", [])
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": of}
            for name, of in schema.get("properties", {}).items()
        ]
    return described | ({"parameters": parameters} if parameters else {})


@cache
def _schema(model: type[Body]) -> dict[str, Any]:
    """Return a model's JSON Schema with its definitions in place, for a document that has no room for them."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def settled(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return settled(definitions[part["$ref"].rpartition("/")[2]])
            return {name: settled(value) for name, value in part.items()}
        return [settled(value) for value in part] if isinstance(part, list) else part

    found: dict[str, Any] = settled(schema)
    return found
