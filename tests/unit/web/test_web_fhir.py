"""The FHIR door: audit events for the few who may, pages that follow each other, failures in FHIR's words."""

from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from pacs_secure.core.access import Role
from pacs_secure.core.errors import EVERY_ERROR, ArchiveError
from pacs_secure.web import fhir_documents
from tests.web_client import WebClient
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10
from tests.world import World

ROOT = "https://pacs.example/fhir"


@pytest.fixture
def house(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


@pytest.fixture
def dpo(house: WebHouse) -> WebClient:
    house.store(part10(1))
    return house.client(Role.DPO)


def issue(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/fhir+json"
    (found,) = OperationOutcome.model_validate(answer.json()).issue
    return answer.status_code, str(found.code)


def test_it_says_what_it_can_do_to_everybody(house: WebHouse) -> None:
    answer = WebClient(house.app()).get("/fhir/metadata")

    statement = CapabilityStatement.model_validate(answer.json())
    assert (answer.status_code, statement.fhirVersion) == (200, "4.0.1")
    (resource,) = answer.json()["rest"][0]["resource"]
    assert resource["type"] == "AuditEvent"
    assert {one["name"] for one in resource["searchParam"]} == {"date", "action", "subtype", "patient", "entity"}
    assert resource["supportedProfile"][-1].startswith("https://profiles.ihe.net/ITI/BALP/StructureDefinition/")
    assert house.recorded() == []


def test_an_event_is_read_by_its_index(house: WebHouse, dpo: WebClient) -> None:
    answer = dpo.get("/fhir/AuditEvent/1")

    event = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")
    assert (event["resourceType"], event["id"], event["action"]) == ("AuditEvent", "1", "C")
    assert event["agent"][0]["who"] == {"display": "radiologist 1"}
    assert house.recorded()[2:] == [("ledger:read", "begun"), ("ledger:read", "completed")]


def test_a_search_answers_a_bundle_with_a_link_to_what_follows(dpo: WebClient) -> None:
    dpo.get("/fhir/AuditEvent/0")
    answer = dpo.get("/fhir/AuditEvent?date=ge2020-01-01&date=le2999-12-31&_count=2")

    bundle = answer.json()
    assert Bundle.model_validate(bundle).type == "searchset"
    assert [entry["fullUrl"] for entry in bundle["entry"]] == [f"{ROOT}/AuditEvent/3", f"{ROOT}/AuditEvent/2"]
    links = {link["relation"]: link["url"] for link in bundle["link"]}
    assert links["self"] == f"{ROOT}/AuditEvent?date=ge2020-01-01&date=le2999-12-31&_count=2"
    following = dpo.get(links["next"].removeprefix("https://pacs.example")).json()
    assert [entry["resource"]["id"] for entry in following["entry"]] == ["1", "0"]
    assert [link["relation"] for link in following["link"]] == ["self"]
    assert following["link"][0]["url"] == links["next"]


def test_a_search_is_by_deed_by_study_and_by_patient(dpo: WebClient) -> None:
    created = dpo.get("/fhir/AuditEvent?action=C").json()["entry"]
    assert [entry["resource"]["id"] for entry in created] == ["1"]
    data, patient, _ = created[0]["resource"]["entity"]
    for name, entity in (("entity", data), ("patient", patient)):
        alias = entity["what"]["identifier"]["value"]
        found = dpo.get(f"/fhir/AuditEvent?{name}={alias}").json()["entry"]
        assert [entry["resource"]["id"] for entry in found] == ["1", "0"]


def test_nothing_found_is_an_empty_bundle(dpo: WebClient) -> None:
    assert "entry" not in dpo.get("/fhir/AuditEvent?date=2020").json()


def test_what_is_refused_is_said_as_operation_outcome_and_on_record(house: WebHouse, dpo: WebClient) -> None:
    recorded = len(house.recorded())

    assert issue(WebClient(house.app()).get("/fhir/AuditEvent")) == (401, "login")
    assert issue(house.client(Role.RADIOLOGIST).get("/fhir/AuditEvent")) == (403, "forbidden")
    assert issue(house.client(Role.RADIOLOGIST).get("/fhir/AuditEvent/0")) == (403, "forbidden")
    assert issue(dpo.get("/fhir/AuditEvent?agent=someone")) == (400, "invalid")
    assert issue(dpo.get("/fhir/AuditEvent?_count=0")) == (400, "invalid")
    assert issue(dpo.get("/fhir/AuditEvent/none")) == (404, "not-found")
    refused = [outcome for _, outcome in house.recorded()[recorded:]]
    assert refused == ["refused"] * 6
    assert issue(dpo.get("/fhir/AuditEvent/999")) == (404, "not-found")
    assert issue(dpo.get("/fhir/AuditEvent?_after=999")) == (404, "not-found")


def test_a_client_that_wants_xml_hears_that_there_is_none(dpo: WebClient) -> None:
    assert issue(dpo.get("/fhir/AuditEvent", {"Accept": "application/fhir+xml"})) == (406, "not-supported")
    assert dpo.get("/fhir/AuditEvent", {"Accept": "application/json"}).headers["content-type"] == "application/json"


def test_while_the_ledger_is_away_it_says_when_to_come_again(house: WebHouse, dpo: WebClient) -> None:
    house.world.ledger.down = True

    answer = dpo.get("/fhir/AuditEvent")

    assert issue(answer) == (503, "transient")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("error", EVERY_ERROR)
def test_every_error_has_a_row(error: type[ArchiveError]) -> None:
    assert error in fhir_documents.ISSUES
    assert fhir_documents.issue_of(error()) == fhir_documents.ISSUES[error]


def test_what_has_no_row_is_an_exception_or_was_processed() -> None:
    assert fhir_documents.issue_of(ArchiveError()) == "exception"
    assert fhir_documents.issue_of_status(415) == "processing"
