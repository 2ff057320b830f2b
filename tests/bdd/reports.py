"""What the features about reports share: who asks, and how what they get is read."""

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any

import httpx

from pacs_secure.archive.report.signature import check
from pacs_secure.core.access import Purpose, Role
from tests.bdd.hospital import Hospital, Person
from tests.bdd.pictures import PATIENT_ID
from tests.world import ORIGIN

OFFICER = Person(Role.DPO, "", name="d.schutz")
LANG = Person(Role.CLINICIAN, "surgery", name="s.lang")
WHY = "Unconscious after a fall in the corridor, allergies unknown."


def break_glass(hospital: Hospital) -> str:
    body = {"patient_id": PATIENT_ID, "reason": WHY}
    answer = hospital.call_api(LANG, "POST", "/break-glass", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def look(hospital: Hospital, path: str) -> int:
    return hospital.get(replace(LANG, purpose=Purpose.BREAK_GLASS), f"{path}/metadata").status_code


def model(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.content)
    return found


def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def chapter(answer: httpx.Response, name: str) -> list[dict[str, Any]]:
    (found,) = (table for table in model(answer)["chapters"] if table["name"] == name)
    return rows(found)


def demand_signed(hospital: Hospital, answer: httpx.Response, content: bytes | None = None) -> None:
    note = b64decode(answer.headers["signature-note"])
    check(answer.content if content is None else content, note, ORIGIN, hospital.keys.signer.public_key())
