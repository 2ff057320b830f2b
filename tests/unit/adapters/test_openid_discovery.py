"""Where an identity provider's endpoints are learnt, and which of them are not believed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_secure.adapters.https_json import HttpsJson
from pacs_secure.adapters.openid_discovery import FRESH, WELL_KNOWN, Discovery
from pacs_secure.core.errors import Malformed, Unavailable
from tests.json_server import JsonServer, json_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JsonServer]:
    with json_server(tmp_path / "server") as running:
        running.answers[WELL_KNOWN] = {"issuer": running.url, "jwks_uri": f"{running.url}/keys", "plain": "http://a/"}
        running.answers["/keys"] = {"keys": []}
        yield running


def discovery(server: JsonServer, now: list[float]) -> Discovery:
    return Discovery(server.url, HttpsJson(server.authority), lambda: now[0])


def test_the_document_is_fetched_once_in_ten_minutes(server: JsonServer) -> None:
    now = [0.0]
    found = discovery(server, now)

    assert {found.endpoint("jwks_uri") for _ in range(5)} == {f"{server.url}/keys"}
    assert found.key_set() == {"keys": []}
    assert server.asked == [WELL_KNOWN, "/keys"]
    now[0] += FRESH + 1
    found.endpoint("jwks_uri")
    assert server.asked.count(WELL_KNOWN) == 2


def test_a_provider_of_another_name_is_not_believed(server: JsonServer) -> None:
    server.answers[WELL_KNOWN] = {"issuer": "https://other.example", "jwks_uri": f"{server.url}/keys"}

    with pytest.raises(Unavailable):
        discovery(server, [0.0]).key_set()


def test_what_is_missing_or_no_https_address_is_not_used(server: JsonServer) -> None:
    found = discovery(server, [0.0])

    assert found.optional("end_session_endpoint") is None
    for name in ("token_endpoint", "plain"):
        with pytest.raises(Unavailable):
            found.endpoint(name)


def test_a_provider_that_answers_with_an_error_is_unavailable(server: JsonServer) -> None:
    server.answers["/keys"] = 500

    with pytest.raises(Unavailable):
        discovery(server, [0.0]).key_set()


def test_an_issuer_is_an_https_address() -> None:
    with pytest.raises(Malformed):
        Discovery("http://issuer.example", HttpsJson())
