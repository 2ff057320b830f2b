"""Whoever watches the machine reads numbers, from here or with a token; nobody else does."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from pacs_secure.core.errors import Unavailable
from pacs_secure.web import metrics, problems
from tests.web_client import WebClient

TOKEN = b"t" * 32


def ask(
    address: str, token: bytes | None = None, headers: dict[str, str] | None = None, *, lost: bool = False
) -> httpx.Response:
    def read() -> bytes | None:
        if lost:
            raise Unavailable("the token of the metrics cannot be read")
        return token

    gauges, app = metrics.PrometheusGauges(), FastAPI()
    gauges.set("ready", 1)
    problems.install(app)
    app.include_router(metrics.routes(gauges, read))
    return WebClient(app, headers or {}, address).get("/metrics")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_reads_every_number_and_no_label(address: str) -> None:
    answer = ask(address)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.text.splitlines() == [
        "# HELP pacs_secure_ready ready",
        "# TYPE pacs_secure_ready gauge",
        "pacs_secure_ready 1.0",
    ]


@pytest.mark.parametrize("address", ["192.0.2.10", "", "unix"])
def test_nobody_from_elsewhere_does(address: str) -> None:
    assert ask(address).status_code == 401
    assert ask(address, TOKEN).status_code == 401
    assert ask(address, headers={"Authorization": "Bearer "}).status_code == 401


@pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"])
def test_who_comes_through_a_proxy_on_this_machine_is_from_elsewhere(header: str) -> None:
    assert ask("127.0.0.1", headers={header: "192.0.2.10"}).status_code == 401


def test_a_watcher_from_elsewhere_brings_the_token() -> None:
    right, wrong = f"Bearer {TOKEN.decode()}", f"Bearer {TOKEN.decode()}x"

    assert ask("192.0.2.10", TOKEN, {"Authorization": right}).status_code == 200
    assert ask("192.0.2.10", TOKEN, {"Authorization": wrong}).status_code == 401
    assert ask("192.0.2.10", TOKEN, {"Authorization": right.replace("Bearer", "Basic")}).status_code == 401


def test_without_its_token_the_door_is_shut_to_elsewhere_and_says_so(tmp_path: Path) -> None:
    assert ask("192.0.2.10", lost=True).status_code == 503
    assert ask("127.0.0.1", lost=True).status_code == 200
