"""Entries as FHIR R4 AuditEvent: valid by the resource's model, and by the slices of IHE BALP where they claim one."""

import json
from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from pacs_secure.core.audit import Outcome
from pacs_secure.core.vocabulary import Action, Role
from pacs_secure.messages.fhir_event import DICOM, PROFILES, render
from pacs_secure.messages.occurrence import Occurrence
from tests.audit_drafts import ACTOR, ORIGIN, PATIENT, SECRET, STUDY, draft_of, every_kind, occurrence

DONE = Outcome.COMPLETED
CLIENT_AND_SERVER = {
    "Create": ("110153", "110152"),
    "Read": ("110152", "110153"),
    "Update": ("110153", "110152"),
    "Delete": ("110150", "custodian"),
    "Query": ("110153", "110152"),
}
"""Types of agent[client] and agent[server] in the profiles of BALP."""
WORDS = {
    "Create": ("C", "create"),
    "Read": ("R", "read"),
    "Update": ("U", "update"),
    "Delete": ("D", "delete"),
    "Query": ("E", "search"),
}


def rendered(one: Occurrence) -> dict[str, Any]:
    resource: dict[str, Any] = json.loads(json.dumps(render(one)))
    return resource


def of(action: Action, outcome: Outcome = DONE) -> dict[str, Any]:
    return rendered(occurrence(draft_of(action, outcome)))


def code_of(agent: dict[str, Any]) -> str:
    (coding,) = agent["type"]["coding"]
    return str(coding["code"])


def test_every_act_and_outcome_is_valid_by_the_model_of_the_resource() -> None:
    for one in every_kind():
        resource = rendered(one)
        assert json.loads(AuditEvent.model_validate(resource).model_dump_json())["id"] == str(one.index)
        assert SECRET.decode() not in json.dumps(resource)


@pytest.mark.parametrize("one", [one for one in every_kind() if one.draft.outcome is DONE], ids=lambda one: one.uri)
def test_what_succeeded_has_every_slice_of_its_pattern(one: Occurrence) -> None:
    resource = rendered(one)
    if "meta" not in resource:
        assert resource["type"]["system"] == DICOM
        return
    (profile,) = resource["meta"]["profile"]
    name = profile.removeprefix(PROFILES)
    pattern = name.removeprefix("Patient")
    deed, interaction = WORDS[pattern]

    assert (resource["type"]["code"], resource["action"], resource["outcome"]) == ("rest", deed, "0")
    assert interaction in [kind["code"] for kind in resource["subtype"]]
    assert pattern != "Delete" or len(resource["subtype"]) == 1
    _demand_agents(resource, pattern)
    _demand_entities(resource, pattern, with_patient=name != pattern)
    assert (name != pattern) == (one.draft.patient_alias is not None)


def _demand_agents(resource: dict[str, Any], pattern: str) -> None:
    *people, client, server = resource["agent"]
    assert (code_of(client), code_of(server)) == CLIENT_AND_SERVER[pattern]
    for node in (client, server):
        assert node["who"]
        assert node["network"]["address"]
    assert server["who"]["display"] == resource["source"]["observer"]["display"]
    for user in people:
        assert code_of(user) == ("IRCP" if pattern in {"Read", "Query"} else "AUT")
        assert user["who"]
        assert user["requestor"]
        assert "network" not in user
    if pattern == "Delete":
        assert not [agent for agent in resource["agent"] if "policy" in agent]


def _demand_entities(resource: dict[str, Any], pattern: str, *, with_patient: bool) -> None:
    entities = resource["entity"]
    (data,) = [entity for entity in entities if entity["type"]["code"] == "2"]
    patients = [entity for entity in entities if entity["type"]["code"] == "1"]
    assert "detail" not in data
    if pattern == "Query":
        assert data["role"]["code"] == "24"
        assert data["query"]
        assert "what" not in data
    else:
        assert data["role"]["code"] in {"3", "4", "20"}
        assert data["what"]
    assert len(patients) == with_patient
    for patient in patients:
        assert (patient["role"]["code"], patient["what"]["type"]) == ("1", "Patient")
        assert set(patient) == {"type", "role", "what"}


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not DONE])
def test_what_did_not_succeed_claims_no_pattern(outcome: Outcome) -> None:
    resource = of(Action.STUDY_READ, outcome)

    assert "meta" not in resource
    assert resource["type"]["code"] in {"110102", "110104", "110113"}
    assert resource["outcome"] == {"begun": "0", "aborted": "4"}.get(outcome.value, "8")


@pytest.mark.parametrize(
    ("action", "profile"),
    [
        (Action.STUDY_READ, "PatientRead"),
        (Action.STUDY_CREATE, "PatientCreate"),
        (Action.STUDY_CLASSIFY, "PatientUpdate"),
        (Action.STUDY_ERASE, "PatientDelete"),
        (Action.STUDY_SEARCH, "Query"),
        (Action.LEDGER_READ, "Read"),
    ],
)
def test_the_acts_on_pictures_follow_the_pattern_of_their_name(action: Action, profile: str) -> None:
    assert of(action)["meta"]["profile"] == [PROFILES + profile]


def test_a_read_says_who_why_by_which_policy_and_whose() -> None:
    resource = of(Action.STUDY_READ)

    user = resource["agent"][0]
    assert user["who"]["identifier"] == {"system": "urn:pacs-secure:pseudonym:north", "value": ACTOR}
    assert user["policy"] == ["urn:pacs-secure:policy:v%201"]
    assert user["role"][0]["coding"][0]["code"] == "radiologist"
    for purpose in (user["purposeOfUse"], resource["purposeOfEvent"]):
        assert purpose[0]["coding"][0]["code"] == "TREAT"
    data, patient, entry = resource["entity"]
    assert data["what"]["identifier"]["value"] == f"urn:uuid:{STUDY}"
    assert patient["what"]["identifier"]["value"] == f"urn:uuid:{PATIENT}"
    assert entry["what"]["identifier"]["value"] == f"{ORIGIN}#7"
    assert {"type": "ledger-index", "valueString": "7"} in entry["detail"]


def test_a_device_needs_no_person_to_ask() -> None:
    draft = replace(draft_of(Action.STUDY_CREATE, DONE), role=Role.MODALITY)

    client, server = rendered(occurrence(draft))["agent"]

    assert (client["requestor"], client["who"]["display"], server["requestor"]) == (True, ACTOR, False)
    assert client["role"][0]["coding"][0]["code"] == "modality"


def test_where_pseudonyms_are_not_told_a_number_stands_for_whoever_acted() -> None:
    draft = draft_of(Action.STUDY_READ, DONE)

    told = rendered(replace(occurrence(draft), number=3))
    nobody = rendered(replace(occurrence(replace(draft, actor="")), number=0))

    assert told["agent"][0]["who"] == {"display": "radiologist 3"}
    assert nobody["agent"][0]["who"] == {"display": "unknown"}
    assert ACTOR not in json.dumps(told)
