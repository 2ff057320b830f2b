"""Small bodies for other servers: safely or not at all, and never for long."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_secure.adapters.small_http import LARGEST_ANSWER, SmallHttp, safe_url
from pacs_secure.core.errors import Malformed, Unavailable
from tests.json_server import JsonServer, json_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JsonServer]:
    with json_server(tmp_path) as one:
        yield one


@pytest.mark.parametrize(
    "url",
    [
        "http://witness.example/",
        "http://127.0.0.1.example/",
        "ftp://127.0.0.1/",
        "https://witness.example/?a=b",
        "https://user@witness.example/",
        "http://user@127.0.0.1/",
        "witness.example",
        "https://",
        "http://",
    ],
)
def test_nobody_is_asked_in_clear_beyond_this_machine(url: str) -> None:
    with pytest.raises(Malformed):
        safe_url(url)


@pytest.mark.parametrize(
    "url", ["https://witness.example/w", "http://127.0.0.1:8787", "http://[::1]:1/", "http://localhost"]
)
def test_https_anywhere_and_http_here_are_good(url: str) -> None:
    assert safe_url(url) == url


def test_what_a_server_says_comes_back_with_its_status(server: JsonServer) -> None:
    server.answers |= {"/below/add": (409, b"5\n"), "/below/": b"whole"}
    there = SmallHttp(f"{server.url}/below/", server.authority)

    said = there.post("/add", b"a=b", {"Content-Type": "text/plain"})

    assert (said.status, said.kind, said.body) == (409, "", b"5\n")
    assert server.headers[0]["Content-Type"] == "text/plain"
    assert there.post("", b"", {}).body == b"whole"


def test_only_the_named_authority_is_trusted(server: JsonServer, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        SmallHttp(server.url).post("/", b"", {})
    with pytest.raises(Unavailable, match="authority"):
        SmallHttp(server.url, tmp_path / "nothing.pem")


def test_too_much_is_not_read(server: JsonServer) -> None:
    server.answers["/"] = bytes(LARGEST_ANSWER + 1)

    with pytest.raises(Unavailable):
        SmallHttp(server.url, server.authority).post("", b"", {})
