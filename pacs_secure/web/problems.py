"""Says every failure in HTTP's words: one table of errors, one shape of answer (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

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

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 5
"""Seconds after which a caller may try again what was unavailable."""

PROBLEM: Mapping[str, object] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
"""What a problem looks like, for OpenAPI."""


@dataclass(frozen=True, slots=True)
class Row:
    """How one error is said."""

    status: HTTPStatus
    word: str
    title: str
    detail: str | None = None
    """None: the error's own message, which holds no identifier and no input."""
    headers: Mapping[str, str] = field(default_factory=dict)


_NOT_FOUND = Row(HTTPStatus.NOT_FOUND, "not-found", "Not found", "There is no such object.")

TABLE: Mapping[type[ArchiveError], Row] = MappingProxyType(
    {
        Unauthenticated: Row(
            HTTPStatus.UNAUTHORIZED,
            "unauthenticated",
            "Not authenticated",
            "A valid bearer token or session is required.",
            MappingProxyType({"WWW-Authenticate": "Bearer"}),
        ),
        Denied: Row(HTTPStatus.FORBIDDEN, "denied", "Not allowed"),
        NotFound: _NOT_FOUND,
        Hidden: _NOT_FOUND,  # byte for byte the same: whether it exists is not the caller's to know
        Malformed: Row(HTTPStatus.BAD_REQUEST, "malformed", "Malformed request"),
        # A body that is too large; a query that asks too much is said as 400 where it is answered.
        OverLimit: Row(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "over-limit", "Too large"),
        TooOften: Row(HTTPStatus.TOO_MANY_REQUESTS, "too-often", "Too many attempts"),
        Conflict: Row(HTTPStatus.CONFLICT, "conflict", "Conflict"),
        Held: Row(HTTPStatus.CONFLICT, "held", "Held"),
        Tampered: Row(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "tampered",
            "Integrity failure",
            "What is stored does not prove to be what was written; nothing of it is delivered.",
        ),
        Unavailable: Row(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unavailable",
            "Temporarily unavailable",
            "Something the archive needs is out of reach.",
            MappingProxyType({"Retry-After": str(RETRY_AFTER)}),
        ),
    }
)


def described(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Describe for OpenAPI the statuses that a route answers beside its own: all of them as problems but redirects."""
    problem = {"content": {MEDIA_TYPE: {"schema": PROBLEM}}}
    return {
        status: {"description": HTTPStatus(status).phrase, **(problem if status >= HTTPStatus.BAD_REQUEST else {})}
        for status in statuses
    }


def row_of(error: ArchiveError) -> Row:
    """Return the row of an error, or of the nearest class it is a kind of."""
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), TABLE[Unavailable])


def answer(error: ArchiveError) -> Response:
    """Say one of the archive's errors."""
    row = row_of(error)
    detail = str(error) if row.detail is None else row.detail
    headers = {**row.headers, "Retry-After": str(error.seconds)} if isinstance(error, TooOften) else row.headers
    return _problem(row.status, f"urn:pacs-secure:problem:{row.word}", row.title, detail, headers)


def unexpected() -> Response:
    """Say that something failed that has no name; what it was is nobody's outside."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _problem(status, "about:blank", status.phrase, "The request could not be completed.", {})


def install(app: FastAPI) -> None:
    """Make every failure of the application, FastAPI's own included, come out as a problem."""
    app.add_exception_handler(ArchiveError, _archive_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)


def _problem(status: HTTPStatus, kind: str, title: str, detail: str, headers: Mapping[str, str]) -> Response:
    body = orjson.dumps({"type": kind, "title": title, "status": int(status), "detail": detail})
    return Response(body, status, headers, MEDIA_TYPE)


def _archive_error(_request: Request, error: Exception) -> Response:
    return answer(error) if isinstance(error, ArchiveError) else unexpected()


def _http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return unexpected()
    status = HTTPStatus(error.status_code)
    return _problem(status, "about:blank", status.phrase, error.detail, error.headers or {})


def _validation_error(_request: Request, _error: Exception) -> Response:
    # FastAPI would echo the input; an identifier may stand in it.
    return answer(Malformed("a part of the request is missing or of the wrong type"))
