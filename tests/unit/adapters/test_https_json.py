"""What another server may answer, and what it costs when it does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_secure.adapters.https_json import LARGEST_ANSWER, HttpsJson, https_url
from pacs_secure.core.errors import Malformed, Unavailable
from tests.dripping import dripping
from tests.json_server import JsonServer, json_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JsonServer]:
    with json_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def test_an_object_is_fetched_from_a_server_of_the_pinned_authority(server: JsonServer) -> None:
    server.answers["/a?b=c"] = {"answer": "yes"}

    answered = HttpsJson(server.authority).get(f"{server.url}/a?b=c")

    assert (answered.done, answered.text("answer")) == (True, "yes")
    with pytest.raises(Unavailable):
        answered.text("missing")


def test_a_form_is_sent_with_the_client_s_own_name(server: JsonServer) -> None:
    server.answers["/token"] = {}

    HttpsJson(server.authority).post(f"{server.url}/token", {"code": "a b"}, ("client", "s:cret"))

    assert server.forms[-1] == {"code": "a b"}
    assert server.headers[-1]["Authorization"] == "Basic Y2xpZW50OnMlM0FjcmV0"


def test_a_server_of_another_authority_is_not_believed(server: JsonServer) -> None:
    with pytest.raises(Unavailable):
        HttpsJson().get(f"{server.url}/a?b=c")


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b"nonsense", b"[" * 100_000, b" " * (LARGEST_ANSWER + 1)])
def test_what_is_no_object_or_too_large_is_not_understood(server: JsonServer, answer: bytes) -> None:
    server.answers["/strange"] = answer

    with pytest.raises(Unavailable) as caught:
        HttpsJson(server.authority).get(f"{server.url}/strange")
    assert caught.value.__suppress_context__


def test_a_redirect_is_not_followed(server: JsonServer) -> None:
    server.answers["/moved"] = 302

    with pytest.raises(Unavailable):
        HttpsJson(server.authority).get(f"{server.url}/moved")


def test_a_server_that_drips_is_not_waited_for(server: JsonServer) -> None:
    with dripping(b"", 0.5) as port, pytest.raises(Unavailable):
        HttpsJson(server.authority, 0.3).get(f"https://127.0.0.1:{port}/slow")


def test_nobody_at_the_address_is_unavailable(server: JsonServer) -> None:
    with pytest.raises(Unavailable):
        HttpsJson(server.authority).get("https://127.0.0.1:1/")


def test_an_authority_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        HttpsJson(tmp_path / "missing.pem")


@pytest.mark.parametrize(
    "url",
    ["http://a.example/", "//a.example", "https:///x", "https://u:p@a.example/", "https://a.example/#f",
     "https://a.example/ b", "https://a.example:x/", "https://ä.example/", "", "https://[::1"],
)  # fmt: skip
def test_nothing_but_a_plain_https_address_is_asked(url: str) -> None:
    with pytest.raises(Malformed):
        https_url(url)
