"""Audit messages as DICOM wants them: valid by the standard's own schema, and traceable to their proof."""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace

import pytest
from lxml import etree

from pacs_secure.core.audit import Outcome
from pacs_secure.core.vocabulary import Action, Role
from pacs_secure.messages.dicom_xml import render
from pacs_secure.messages.occurrence import Occurrence
from tests.audit_drafts import ACTOR, ORIGIN, PATIENT, SECRET, STUDY, draft_of, every_kind, occurrence
from tests.audit_schema import audit_schema


@pytest.fixture
def schema() -> etree.RelaxNG:
    return audit_schema()


def parsed(one: Occurrence) -> etree._Element:
    return etree.fromstring(render(one).encode())


def details(message: etree._Element) -> dict[str, str]:
    found: Iterator[etree._Element] = message.iter("ParticipantObjectDetail")
    return {one.get("type", ""): b64decode(one.get("value", "")).decode() for one in found}


def test_every_act_and_outcome_is_valid_by_the_schema_of_the_standard(schema: etree.RelaxNG) -> None:
    wrong = [
        (one.draft.action, one.draft.outcome, schema.error_log.last_error)
        for one in every_kind()
        if not schema.validate(parsed(one))
    ]

    assert wrong == []


def test_the_schema_is_no_mere_shape(schema: etree.RelaxNG) -> None:
    message = parsed(occurrence(draft_of(Action.STUDY_READ, Outcome.COMPLETED)))
    event = message.find("EventIdentification")
    assert event is not None

    event.set("EventOutcomeIndicator", "1")
    assert not schema.validate(message)


def test_a_message_is_one_line_without_anything_sealed() -> None:
    for one in every_kind():
        text = render(one)
        assert "\n" not in text
        assert SECRET.decode() not in text + str(details(parsed(one)))


def test_what_no_document_may_hold_becomes_a_sign_for_it() -> None:
    draft = replace(draft_of(Action.STUDY_READ, Outcome.REFUSED), address="\x00\x1b[1m\ud800", rule="\x07")

    message = parsed(occurrence(draft))

    assert message.findall("ActiveParticipant")[1].get("NetworkAccessPointID") == "\ufffd\ufffd[1m\ufffd"
    assert message.findtext("EventIdentification/EventOutcomeDescription") == "refused: \ufffd"


def test_a_message_leads_to_its_entry_and_the_proof_of_it() -> None:
    one = occurrence(draft_of(Action.STUDY_READ, Outcome.COMPLETED))

    found = details(parsed(one))

    assert (found["ledger-index"], found["leaf-hash"]) == ("7", one.leaf_hash.hex())
    assert (found["act"], found["PurposeOfUse"], found["fact.objects"]) == (str(one.draft.act), "TREAT", "3")


def test_who_asked_stands_in_it_by_pseudonym_and_role_and_so_do_both_ends() -> None:
    message = parsed(occurrence(draft_of(Action.STUDY_READ, Outcome.COMPLETED)))

    person, client, archive = message.findall("ActiveParticipant")
    roles = [one.get("csd-code") for one in message.iter("RoleIDCode")]
    assert roles == ["radiologist", "110152", "110153"]
    assert (person.get("UserID"), person.get("UserIsRequestor")) == (ACTOR, "true")
    assert (client.get("NetworkAccessPointID"), client.get("NetworkAccessPointTypeCode")) == ("192.0.2.7", "2")
    assert (archive.get("UserID"), archive.get("NetworkAccessPointID")) == (ORIGIN, "archive.example")


def test_one_participant_requested_it_unless_it_is_an_alert() -> None:
    for one in every_kind():
        requestors = [node.get("UserIsRequestor") for node in parsed(one).findall("ActiveParticipant")]
        assert requestors.count("true") == (one.event.event_id.value != "110113")


def test_a_device_stands_for_itself_or_behind_its_person() -> None:
    itself = replace(draft_of(Action.STUDY_CREATE, Outcome.COMPLETED), role=Role.MODALITY)
    behind = replace(draft_of(Action.STUDY_READ, Outcome.COMPLETED), facts={"device": "WS1"})

    client, _ = parsed(occurrence(itself)).findall("ActiveParticipant")
    _, node, _ = parsed(occurrence(behind)).findall("ActiveParticipant")

    assert (client.get("UserID"), client.get("UserIsRequestor")) == (ACTOR, "true")
    assert (node.get("UserID"), node.get("AlternativeUserID")) == ("WS1", "AETITLES=WS1")


def test_the_objects_are_the_study_and_the_patient_by_alias() -> None:
    message = parsed(occurrence(draft_of(Action.STUDY_READ, Outcome.COMPLETED)))

    found = [one.get("ParticipantObjectID") for one in message.findall("ParticipantObjectIdentification")]
    assert found == [f"urn:uuid:{STUDY}", f"urn:uuid:{PATIENT}", f"{ORIGIN}#7"]
    assert [one.get("NumberOfInstances") for one in message.iter("SOPClass")] == ["3"]


def test_a_query_says_what_is_clear_and_nothing_that_was_looked_for() -> None:
    message = parsed(occurrence(draft_of(Action.STUDY_SEARCH, Outcome.COMPLETED)))

    text = message.findtext(".//ParticipantObjectQuery")
    assert text is not None
    assert b64decode(text) == b'{"objects":3,"protocol":"WADO-RS"}'
