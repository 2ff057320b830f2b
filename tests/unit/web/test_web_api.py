"""Every endpoint of the API: who asks comes first, what is asked is read strictly, and nothing of it is echoed."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import FastAPI
from pydantic import Field

from pacs_secure.adapters.tokens import JoseAuthenticator
from pacs_secure.core.access import Action, Role
from pacs_secure.core.errors import Denied
from pacs_secure.web import problems
from pacs_secure.web.api import LONGEST_BODY, Api, Asked, Body, describe_credentials
from pacs_secure.web.identity import Identification
from tests.builders import HERE
from tests.web_client import WebClient
from tests.web_house import HOUR, WebHouse, open_house
from tests.world import World

JSON = {"Content-Type": "application/json"}


class Inner(Body):
    """A part of a body."""

    number: Annotated[int, Field(ge=1, le=9)]


class Wish(Body):
    """A body of the tests."""

    word: Annotated[str, Field(min_length=3, max_length=9)]
    inner: Inner | None = None


class Filter(Body):
    """A query of the tests."""

    word: str = "nothing"


def speak(asked: Asked[Wish, None]) -> Wish:
    """Say the word again."""
    return asked.body


def find(asked: Asked[None, Filter]) -> list[Filter]:
    """Find by a word."""
    return [asked.query, Filter(word=asked.path["name"])]


def forget(_: Asked[None, None]) -> None:
    """Answer nothing."""


def refuse(_: Asked[None, None]) -> None:
    """Refuse."""
    raise Denied("no")


@pytest.fixture
def house(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


@pytest.fixture
def client(house: WebHouse) -> WebClient:
    app = FastAPI()
    problems.install(app)
    describe_credentials(app)
    authenticator = JoseAuthenticator([house.issuer.trusted([HERE])])
    archive = house.world.archive
    api = Api(archive, Identification(archive.guard, authenticator, HERE, archive.sessions), "Tests")
    act = Action.SHARE_LIST
    api.add("POST", "/words", speak, action=act, body=Wish, answer=Wish, status=HTTPStatus.CREATED)
    api.add("GET", "/words/{name}", find, action=act, query=Filter, answer=list[Filter])
    api.add("DELETE", "/words", forget, action=act)
    api.add("POST", "/refusals", refuse, action=act)
    app.include_router(api.router)
    token = house.issuer.issue(Role.CLINICIAN, "r.weber", "radiology", None, HERE, HOUR)
    return WebClient(app, {"Authorization": f"Bearer {token}"})


def test_a_body_that_fits_reaches_the_handler_and_its_answer_comes_back(client: WebClient) -> None:
    answer = client.post("/api/v1/words", b'{"word": " peace ", "inner": {"number": 3}}', JSON)

    assert answer.status_code == 201
    assert answer.json() == {"word": "peace", "inner": {"number": 3}}


def test_a_query_and_a_path_reach_the_handler(client: WebClient) -> None:
    assert client.get("/api/v1/words/one?word=two").json() == [{"word": "two"}, {"word": "one"}]
    assert client.get("/api/v1/words/one").json() == [{"word": "nothing"}, {"word": "one"}]


def test_no_answer_is_204(client: WebClient) -> None:
    answer = client.delete("/api/v1/words")

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("content", "headers", "status", "detail"),
    [
        (b'{"word": "pe"}', JSON, 400, "the body is wrong at word: string too short"),
        (
            b'{"word": "peace", "inner": {"number": 11}}',
            JSON,
            400,
            "the body is wrong at inner.number: less than equal",
        ),
        (b'{"word": "peace", "SECRET": 1}', JSON, 400, "the body holds a field that is not expected"),
        (b"{SECRET", JSON, 400, "the body is wrong: json invalid"),
        (b"", JSON, 400, "the body is wrong: json invalid"),
        (b"word=peace", {"Content-Type": "text/plain"}, 415, "The body must be application/json."),
        (b" " * (LONGEST_BODY + 1), JSON, 413, "the body is too long"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_recorded_and_not_echoed(
    client: WebClient, house: WebHouse, content: bytes, headers: dict[str, str], status: int, detail: str
) -> None:
    answer = client.post("/api/v1/words", content, headers)

    assert (answer.status_code, answer.json()["detail"]) == (status, detail)
    assert "SECRET" not in answer.text
    assert house.recorded() == [("share:list", "refused")]


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("GET", "/api/v1/words/one?word=a&word=b", "a query parameter is repeated"),
        ("GET", "/api/v1/words/one?other=a", "the query holds a field that is not expected"),
        ("DELETE", "/api/v1/words?word=a", "no query parameter is expected here"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(client: WebClient, method: str, path: str, detail: str) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


def test_a_body_nobody_expects_is_refused(client: WebClient) -> None:
    assert client.request("DELETE", "/api/v1/words", JSON, b"{}").status_code == 400


def test_what_a_verb_refuses_is_said_as_a_problem(client: WebClient, house: WebHouse) -> None:
    assert client.request("POST", "/api/v1/refusals").status_code == 403


def test_whoever_is_not_known_hears_nothing_of_what_is_wrong_with_the_body(client: WebClient) -> None:
    stranger = WebClient(client.app)

    assert stranger.post("/api/v1/words", b"{", JSON).status_code == 401
    assert stranger.get("/api/v1/words/one?word=a&word=b").status_code == 401


def test_the_document_describes_credentials_bodies_queries_and_problems(client: WebClient) -> None:
    document = client.app.openapi()
    post = document["paths"]["/api/v1/words"]["post"]
    get = document["paths"]["/api/v1/words/{name}"]["get"]

    assert set(document["components"]["securitySchemes"]) == {"bearer", "session"}
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["inner"]["anyOf"][0]["properties"]["number"]["maximum"] == 9
    assert {"201", "400", "401", "403", "404", "409", "413", "415", "429", "503"} <= set(post["responses"])
    assert [(one["name"], one["in"]) for one in get["parameters"]] == [("name", "path"), ("word", "query")]
    assert post["summary"] == "Say the word again."
