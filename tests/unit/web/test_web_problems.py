"""The web door's table of errors is whole, and no failure says more than it should."""

import asyncio
import logging
from collections.abc import Iterator

import orjson
import pytest
from fastapi import FastAPI
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Scope, Send

from pacs_secure.core import errors
from pacs_secure.web import health, problems
from pacs_secure.web.shield import HEADERS, Shield
from tests.web_client import WebClient

EXPECTED = {
    errors.Unauthenticated: 401,
    errors.Denied: 403,
    errors.NotFound: 404,
    errors.Hidden: 404,
    errors.Malformed: 400,
    errors.OverLimit: 413,
    errors.TooOften: 429,
    errors.Conflict: 409,
    errors.Held: 409,
    errors.Tampered: 500,
    errors.Unavailable: 503,
}


SCOPE: Scope = {
    "type": "http",
    "method": "GET",
    "path": "/half",
    "raw_path": b"/half",
    "query_string": b"",
    "headers": [],
    "asgi": {"spec_version": "2.4"},
}


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _keep(sent: list[Message]) -> Send:
    async def send(message: Message) -> None:
        sent.append(message)

    return send


def client(app: FastAPI | None = None) -> WebClient:
    app = app or FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Shield)
    problems.install(app)
    return WebClient(app)


@pytest.mark.parametrize("error", errors.EVERY_ERROR)
def test_every_error_has_a_row(error: type[errors.ArchiveError]) -> None:
    answer = problems.answer(error("said"))
    body = orjson.loads(bytes(answer.body))

    assert answer.status_code == EXPECTED[error] == body["status"]
    assert answer.media_type == "application/problem+json"
    assert set(body) == {"type", "title", "status", "detail"}
    assert error in problems.TABLE


def test_a_new_kind_of_a_known_error_is_said_as_that() -> None:
    class Narrower(errors.Conflict):
        pass

    assert problems.answer(Narrower("x")).status_code == 409


def test_an_error_without_any_row_fails_closed() -> None:
    assert problems.answer(errors.ArchiveError("x")).status_code == 503


def test_hidden_is_answered_as_missing_byte_for_byte() -> None:
    missing, hidden = problems.answer(errors.NotFound("no such frame")), problems.answer(errors.Hidden("exists"))

    assert (missing.body, missing.raw_headers) == (hidden.body, hidden.raw_headers)


def test_unauthenticated_names_the_scheme_and_unavailable_when_to_try_again() -> None:
    assert problems.answer(errors.Unauthenticated("x")).headers["www-authenticate"] == "Bearer"
    assert problems.answer(errors.Unavailable("x")).headers["retry-after"] == "5"


def test_what_was_tampered_with_is_not_described() -> None:
    assert b"secret" not in bytes(problems.answer(errors.Tampered("secret")).body)


def test_unknown_routes_and_methods_are_problems_too() -> None:
    app = FastAPI()
    app.add_api_route("/x", lambda: None, methods=["GET"])
    web = client(app)

    for answer, status in ((web.get("/nowhere"), 404), (web.delete("/x"), 405)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_validation_error_does_not_echo_the_input() -> None:
    app = FastAPI()

    @app.get("/number/{number}")
    def number(number: int) -> int:
        return number

    answer = client(app).get("/number/PATIENT-77")

    assert answer.status_code == 400
    assert "PATIENT-77" not in answer.text


def test_an_unexpected_failure_tells_and_logs_only_its_kind(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()

    @app.get("/fail")
    def fail() -> None:
        raise ValueError("Mustermann^Max")

    with caplog.at_level(logging.DEBUG):
        answer = client(app).get("/fail")

    assert answer.status_code == 500
    assert answer.json()["detail"] == "The request could not be completed."
    assert "Mustermann" not in answer.text + caplog.text
    assert "ValueError at fail:" in caplog.text


def test_a_failure_in_the_middle_of_an_answer_cuts_it_off(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()

    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise errors.Tampered("Mustermann^Max")

    @app.get("/half")
    def half() -> StreamingResponse:
        return StreamingResponse(pieces())

    sent: list[Message] = []
    asyncio.run(client(app).app(SCOPE, _nothing, _keep(sent)))

    assert [message.get("body") for message in sent[1:]] == [b"half"]
    assert sent[1]["more_body"]
    assert "Mustermann" not in caplog.text


def test_every_answer_carries_safe_headers() -> None:
    web = client()

    for answer in (web.get("/nowhere"), web.get("/openapi.json")):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_an_answer_may_bring_its_own_policy() -> None:
    app = FastAPI()
    app.add_api_route("/x", lambda: Response(headers={"Cache-Control": "max-age=9"}), methods=["GET"])

    assert client(app).get("/x").headers.get_list("cache-control") == ["max-age=9"]


def test_health_says_alive_always_and_ready_only_when_it_is() -> None:
    def unready() -> None:
        raise errors.Unavailable("vault")

    for ready, status in ((lambda: None, 200), (unready, 503)):
        app = FastAPI()
        app.include_router(health.routes(ready))
        web = client(app)
        assert web.get("/healthz").status_code == 200
        assert web.get("/readyz").status_code == status
