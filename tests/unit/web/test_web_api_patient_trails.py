"""Telling a patient who came to their pictures, over HTTP."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs_secure.core.access import Role
from pacs_secure.web.api_patient_trails import ToldTrail
from tests.builders import ELSEWHERE
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10, study_uid
from tests.world import World

JSON = {"Content-Type": "application/json"}
PATH = "/api/v1/ledger/patient-trails"
WHY = "she names the neighbour whom she suspects"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    house = open_house(tmp_path, world)
    house.store(part10())
    assert house.client(user="s.klein").get(f"/dicom-web/studies/{study_uid(1)}/metadata").status_code == 200
    world.notary.attest()
    return house


def asked(web: WebHouse, role: Role = Role.DPO, **body: Any) -> httpx.Response:
    client = web.client(role, "", user="d.schutz")
    return client.post(PATH, json.dumps({"patient_id": "PAT-4711", **body}).encode(), JSON)


def test_it_is_told_as_facts_and_as_a_page(web: WebHouse) -> None:
    answer = asked(web, page=True, proofs=True, thorough=True, lang="en", time_zone="UTC")

    assert answer.status_code == 200, answer.text
    told = ToldTrail.model_validate_json(answer.content)
    assert [(one.category, one.outcome, one.role, one.person) for one in told.accesses] == [
        ("stored", "completed", "radiologist", None),
        ("viewed", "completed", "radiologist", None),
    ]
    assert told.page is not None
    assert told.page.startswith("<!doctype html>\n")
    assert told.page.endswith("</html>\n")
    assert told.checkpoint is not None
    assert told.checkpoint.endswith("\n")
    assert [proof.index for proof in told.proofs] == [0, 1, 2, 3]
    assert web.recorded()[-2:] == [("ledger:disclose", "begun"), ("ledger:disclose", "completed")]


def test_it_holds_no_alias_key_address_or_name(web: WebHouse) -> None:
    text = asked(web, page=True, proofs=True).text

    entries, hidden = web.world.entries(), ("study", "patient", "actor", "address", "act")
    secrets = {entry.get(name) for entry in entries for name in hidden} | {
        entry["details"]["key"] for entry in entries if "details" in entry
    }
    assert "s.klein" not in text
    assert not [secret for secret in secrets if secret and secret in text]


def test_names_take_a_reason(web: WebHouse) -> None:
    named = asked(web, name_employees=True, reason=WHY).json()

    assert (named["employees"], [one["person"] for one in named["accesses"]]) == ("named", ["r.weber", "s.klein"])
    assert asked(web, name_employees=True).status_code == 400
    assert asked(web, name_employees=True, reason="short").status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"patient_id": "NOBODY"}, 404),
        ({"patient_id": ""}, 400),
        ({"time_zone": "Nowhere/Else"}, 400),
        ({"lang": "fr"}, 400),
        ({"issuer_of_patient_id": "another"}, 404),
        ({"person": "s.klein"}, 400),
    ],
)
def test_what_is_no_request_is_refused_on_record(web: WebHouse, body: dict[str, Any], status: int) -> None:
    assert asked(web, **body).status_code == status
    assert web.recorded()[-1] == ("ledger:disclose", "refused")


def test_others_may_not_and_another_institution_has_no_such_patient(web: WebHouse) -> None:
    for role in (Role.RADIOLOGIST, Role.ADMIN, Role.OFFICER):
        assert asked(web, role).status_code == 403
    theirs = web.client(Role.DPO, "", of=ELSEWHERE, user="d.schutz")
    assert theirs.post(PATH, b'{"patient_id": "PAT-4711"}', JSON).status_code == 404
