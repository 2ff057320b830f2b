"""Reading the ledger over HTTP."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from pacs_secure.core.access import Role
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import leaf_hash, parse_checkpoint, verify_inclusion
from pacs_secure.web.api_ledger_reading import InclusionProof, LedgerEntryRead, LedgerPage
from tests.builders import ELSEWHERE
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10, study_uid
from tests.world import World

JSON = {"Content-Type": "application/json"}
ENTRIES, SEARCHES = "/api/v1/ledger/entries", "/api/v1/ledger/searches"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    house = open_house(tmp_path, world)
    house.store(part10())
    assert house.client().get(f"/dicom-web/studies/{study_uid(1)}/metadata").status_code == 200
    world.notary.attest()
    return house


def get(web: WebHouse, path: str, role: Role = Role.DPO) -> httpx.Response:
    return web.client(role, "", user="d.schutz").get(path)


def searched(web: WebHouse, **body: Any) -> httpx.Response:
    return web.client(Role.DPO, "", user="d.schutz").post(SEARCHES, json.dumps(body).encode(), JSON)


def page(answer: httpx.Response) -> LedgerPage:
    assert answer.status_code == 200, answer.text
    return LedgerPage.model_validate_json(answer.content)


def test_entries_are_listed_newest_first_and_paged(web: WebHouse) -> None:
    first = page(get(web, f"{ENTRIES}?limit=2&role=radiologist&outcome=completed"))
    oldest = page(get(web, f"{ENTRIES}?order=oldest&limit=2&action=study:create"))

    assert [one.action for one in first.entries] == ["study:read", "study:create"]
    assert [one.outcome for one in oldest.entries] == ["begun", "completed"]
    assert [one.index for one in page(get(web, f"{ENTRIES}?after=2&order=newest")).entries] == [1, 0]
    assert (first.after, oldest.after) == (None, None)
    assert page(get(web, f"{ENTRIES}?limit=1")).after is not None


def test_a_patient_is_named_in_the_body_and_details_are_opened_when_asked_for(web: WebHouse) -> None:
    shut = page(searched(web, patient_id="PAT-4711", order="oldest"))
    opened = page(searched(web, patient_id="PAT-4711", order="oldest", details=True, study=study_uid(1)))

    assert [one.action for one in shut.entries] == ["study:create", "study:create", "study:read", "study:read"]
    assert {(one.state, one.details) for one in shut.entries} == {("sealed", None)}
    assert [one.state for one in opened.entries] == ["opened"] * 4
    assert opened.entries[2].details is not None
    assert opened.entries[2].details["subject"] == "r.weber"
    assert page(searched(web, patient_id="NOBODY")).entries == []
    assert page(searched(web, patient_id="PAT-4711", issuer_of_patient_id="of another")).entries == []
    assert len(page(get(web, f"{ENTRIES}?study={study_uid(1)}&details=true")).entries) == 4


def test_forgotten_details_say_so(web: WebHouse) -> None:
    web.world.keyring.forget(KeyId(UUID(web.world.entries()[0]["details"]["key"])))

    assert get(web, f"{ENTRIES}/0?details=true").json()["state"] == "forgotten"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?person=r.weber", 403),
        ("?actor=0123456789abcdef0123456789abcdef", 403),
        ("?details=true", 403),
        ("?patient_id=PAT-4711", 400),
        ("?limit=0", 400),
        ("?limit=501", 400),
        ("?after=-1", 400),
        ("?after=9007199254740991", 404),
        ("?since=2026-01-01", 400),
        ("?since=2026-01-01T00:00:00Z&until=2025-01-01T00:00:00Z", 400),
        ("?action=no:action", 400),
        ("?study=no-uid", 400),
    ],
)
def test_what_is_not_answered_is_refused_on_record(web: WebHouse, query: str, status: int) -> None:
    assert get(web, ENTRIES + query).status_code == status

    action, outcome = web.recorded()[-1]
    assert (action, outcome) == ("ledger:read", "failed" if status == 404 else "refused")


def test_one_entry_is_read_and_proven(web: WebHouse) -> None:
    read = LedgerEntryRead.model_validate_json(get(web, f"{ENTRIES}/2").content)
    proof = InclusionProof.model_validate_json(get(web, f"{ENTRIES}/2/proof").content)

    content, head = b64decode(proof.entry), parse_checkpoint(proof.checkpoint.encode())
    assert leaf_hash(content).hex() == read.leaf_sha256
    path = [b64decode(node) for node in proof.path]
    assert (head.size, head.root) == (proof.size, b64decode(proof.root))
    assert verify_inclusion(leaf_hash(content), proof.index, proof.size, path, head.root)
    assert (read.state, read.details, read.person) == ("sealed", None, 1)


@pytest.mark.parametrize("index", ["-1", "x", "99999999999999999999", "1e3", "²"])
def test_what_is_no_entry_is_not_found(web: WebHouse, index: str) -> None:
    assert get(web, f"{ENTRIES}/{index}").status_code == 404
    assert get(web, f"{ENTRIES}/{index}/proof").status_code == 404


def test_others_are_refused(web: WebHouse) -> None:
    for role in (Role.RADIOLOGIST, Role.ADMIN, Role.OFFICER):
        assert get(web, ENTRIES, role).status_code == 403
        assert get(web, f"{ENTRIES}/0", role).status_code == 403
        assert get(web, f"{ENTRIES}/0/proof", role).status_code == 403


def test_another_institution_finds_its_own_entries_only(web: WebHouse) -> None:
    theirs = web.client(Role.DPO, "", of=ELSEWHERE, user="d.schutz")

    first, second = page(theirs.get(ENTRIES)), page(theirs.get(ENTRIES))
    assert first.entries == []
    assert [(one.action, one.outcome) for one in second.entries] == [
        ("ledger:read", "completed"),
        ("ledger:read", "begun"),
    ]
    assert theirs.get(f"{ENTRIES}/0").status_code == 404
    assert theirs.get(f"{ENTRIES}/0/proof").status_code == 404
