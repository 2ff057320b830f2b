"""Reports over HTTP: a document to download, its digest and its signature beside it."""

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs_secure.archive.report.signature import check
from pacs_secure.core.access import Role
from pacs_secure.web.api_reports import MEDIA, SIGNATURE, AskedIncident, AskedPeriod
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10
from tests.world import ORIGIN, World

REPORT, INCIDENT = "/api/v1/ledger/report", "/api/v1/incidents/report"
NOW = datetime.now(UTC)
DAYS = f"from={NOW - timedelta(days=1):%Y-%m-%d}&to={NOW:%Y-%m-%d}"
WINDOW = {
    "begins_at": (NOW - timedelta(hours=1)).isoformat(),
    "ends_at": (NOW + timedelta(hours=1)).isoformat(),
    "cause": "a stolen token",
}


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    house = open_house(tmp_path, world)
    house.store(part10())
    return house


def ask(web: WebHouse, query: str = DAYS, role: Role = Role.DPO) -> httpx.Response:
    return web.client(role, "", user="d.schutz").get(f"{REPORT}?{query}")


def tell(web: WebHouse, role: Role = Role.DPO, **more: Any) -> httpx.Response:
    body = json.dumps({**WINDOW, "format": "json", **more}).encode()
    return web.client(role, "", user="d.schutz").post(INCIDENT, body, {"Content-Type": "application/json"})


@pytest.mark.parametrize(("form", "media"), [("pdf", MEDIA[1]), ("html", MEDIA[2]), ("json", MEDIA[0])])
def test_a_report_is_downloaded_with_its_digest_and_its_signature(web: WebHouse, form: str, media: str) -> None:
    answer = ask(web, f"{DAYS}&lang=de&format={form}")

    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, media)
    assert answer.headers["content-disposition"].startswith('attachment; filename="ledger-report-')
    assert answer.headers["content-disposition"].endswith(f'.de.{form}"')
    digest = answer.headers["repr-digest"].removeprefix("sha-256=:").removesuffix(":")
    assert b64decode(digest) == sha256(answer.content).digest()
    check(answer.content, b64decode(answer.headers[SIGNATURE]), ORIGIN, web.world.keyring.public_key())
    assert web.recorded()[-2:] == [("ledger:report", "begun"), ("ledger:report", "completed")]


def test_what_is_asked_wrongly_is_on_record(web: WebHouse) -> None:
    assert ask(web, "from=2026-01-01").status_code == 400
    assert ask(web, "from=2026-01-02&to=2026-01-01").status_code == 400
    assert ask(web, f"{DAYS}&format=docx").status_code == 400
    assert [kind for kind in web.recorded() if kind[0] == "ledger:report"] == [
        ("ledger:report", "refused"),
        ("ledger:report", "begun"),
        ("ledger:report", "failed"),
        ("ledger:report", "refused"),
    ]


def test_others_are_refused(web: WebHouse) -> None:
    assert ask(web, role=Role.CLINICIAN).status_code == 403
    assert tell(web, Role.CLINICIAN).status_code == 403


def test_an_incident_is_told_with_who_was_affected(web: WebHouse) -> None:
    answer = tell(web, stage="72h", statements={"measures": "revoked"}, actions=["study:create"])
    told = answer.json()

    assert answer.status_code == 200
    assert (told["stage"], len(told["persons"]["rows"])) == ("72h", 1)
    assert web.recorded()[-1] == ("incident:report", "completed")
    assert tell(web, statements={"weather": "fine"}).status_code == 400
    assert tell(web, begins_at="2026-01-01T00:00:00").status_code == 400, "no offset from UTC"


def test_what_is_asked_for_has_words_of_its_own() -> None:
    assert set(AskedPeriod.model_json_schema()["properties"]) == {"from", "to", "lang", "format"}
    assert "cause" in AskedIncident.model_json_schema()["required"]
