"""Audit messages for other systems, as features/audit_messages.feature tells it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from lxml import etree
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.syslog_repository import SyslogRepository
from pacs_secure.archive.feed import occurrence
from pacs_secure.archive.forwarder import Forwarder
from pacs_secure.core.access import Action, Role, Subject
from pacs_secure.core.errors import Denied
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.messages import dicom_xml, fhir_event, syslog
from pacs_secure.messages.occurrence import Occurrence
from tests.audit_schema import audit_schema
from tests.bdd.hospital import PART10, Hospital, Person, until
from tests.bdd.pictures import WORDS, picture
from tests.bdd.story import RADIOLOGIST, STUDY
from tests.syslog_receiver import SyslogReceiver, syslog_receiver
from tests.world import ORIGIN

scenarios("audit_messages.feature")

OFFICER = Person(Role.DPO, "", name="d.schutz")


@dataclass
class Heard:
    """What others have heard in one scenario."""

    passed: list[Occurrence] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    pages: list[dict[str, Any]] = field(default_factory=list)
    answer: httpx.Response | None = None


@pytest.fixture
def heard() -> Heard:
    return Heard()


# --- given ------------------------------------------------------------------------------------


@given("a radiologist has read that study")
@when("a radiologist has read that study")
def _read(hospital: Hospital) -> None:
    before = len(hospital.entries())
    assert hospital.get(RADIOLOGIST, STUDY, PART10).status_code == 200
    until(lambda: len(hospital.entries()) == before + 2)


@dataclass
class Repository:
    """A receiver, and who carries entries to it."""

    receiver: SyslogReceiver
    forwarder: Forwarder


@pytest.fixture
def repository(hospital: Hospital, tmp_path: Path) -> Iterator[Repository]:
    with syslog_receiver(tmp_path / "syslog") as receiver:
        client = receiver.client
        to = SyslogRepository("127.0.0.1", receiver.port, receiver.authority.file, client.certificate, client.key)
        archive, marks = hospital.world.archive, hospital.world.house.engines.bookmarks
        operator = hospital.subject(Role.OPERATOR)
        forwarder = Forwarder(archive.feed, marks, to, syslog.frame, operator, lambda: datetime.now(UTC))
        yield Repository(receiver, forwarder)
        forwarder.stop()


@given("a repository that takes audit messages over TLS")
def _takes(repository: Repository) -> None:
    assert repository.forwarder.attempt()
    assert repository.receiver.messages()


# --- when -------------------------------------------------------------------------------------


@when("the ledger is passed on as DICOM audit messages")
def _as_dicom(hospital: Hospital, heard: Heard) -> None:
    _pass_on(hospital, heard, dicom_xml.render)


@when("the ledger is passed on as FHIR AuditEvents")
def _as_fhir(hospital: Hospital, heard: Heard) -> None:
    _pass_on(hospital, heard, lambda one: json.dumps(fhir_event.render(one)))


def _pass_on(hospital: Hospital, heard: Heard, render: Callable[[Occurrence], str]) -> None:
    with hospital.world.archive.feed.begin(hospital.subject(Role.OPERATOR), None, 0, {}) as feeding:
        page = feeding.page()
        heard.passed += page.entries
        heard.messages += [render(one) for one in page.entries]
        feeding.passed_on(page)


@when("the repository loses its power")
def _power_fails(repository: Repository) -> None:
    repository.receiver.kill()


@when("the power is back")
def _power_is_back(repository: Repository) -> None:
    assert not repository.forwarder.attempt()
    repository.receiver.start()
    assert repository.forwarder.attempt()


@when("the data-protection officer asks for the events about that patient, two at a time")
def _pages(hospital: Hospital, heard: Heard) -> None:
    (patient,) = {read_draft(one.content).patient_alias for one in _kept(hospital)} - {None}
    client = hospital.client(OFFICER)
    url = f"/fhir/AuditEvent?patient={patient}&_count=2"
    while url:
        answer = client.get(url)
        assert answer.status_code == 200
        heard.pages.append(answer.json())
        links = {link["relation"]: link["url"] for link in answer.json()["link"]}
        url = links.get("next", "")


@when("a radiologist asks for audit events")
def _radiologist_asks(hospital: Hospital, heard: Heard) -> None:
    heard.answer = hospital.client(RADIOLOGIST).get("/fhir/AuditEvent")


# --- then -------------------------------------------------------------------------------------


def _kept(hospital: Hospital) -> list[Any]:
    ledger = hospital.world.house.engines.ledger
    return list(ledger.entries(0, ledger.size()))


@then("there is one message for every entry, and each leads to its entry and its proof")
@then("there is one event for every entry, and each is a valid AuditEvent")
def _one_each(hospital: Hospital, heard: Heard) -> None:
    kept = _kept(hospital)[: len(heard.passed)]
    assert read_draft(kept[-1].content).action is Action.LEDGER_FEED, "up to the act of passing them on"
    assert [(one.index, one.leaf_hash) for one in heard.passed] == [(one.index, one.leaf_hash) for one in kept]
    for entry, message in zip(kept, heard.messages, strict=True):
        assert f"{ORIGIN}#{entry.index}" in message
        if message.startswith("{"):
            assert entry.leaf_hash.hex() in message
            AuditEvent.model_validate_json(message)


@then("each of them is valid by the schema of the DICOM standard")
def _valid(heard: Heard) -> None:
    assert heard.messages
    assert all(audit_schema().validate(etree.fromstring(message)) for message in heard.messages)


@then(parsers.parse('one event follows "{pattern}", by a {role} for the purpose {purpose}'))
def _follows(heard: Heard, pattern: str, role: str, purpose: str) -> None:
    events = [json.loads(message) for message in heard.messages]
    (event,) = [one for one in events if one.get("meta", {}).get("profile") == [fhir_event.PROFILES + pattern]]

    acting = event["agent"][0]
    assert (acting["requestor"], acting["role"][0]["coding"][0]["code"]) == (True, role)
    assert event["purposeOfEvent"][0]["coding"][0]["code"] == purpose


@then("no name, number or identifier of the patient stands in them, and no name of whoever acted")
def _nobody(heard: Heard) -> None:
    written = "\n".join(heard.messages)
    details = [detail for one in heard.passed for detail in one.details.values()]
    assert len(heard.messages) == len(heard.passed) > 0
    for word in (*WORDS, picture().study_instance_uid, RADIOLOGIST.name):
        assert word
        assert word not in written
        assert not [detail for detail in details if word in detail]


@then("the ledger says from which entry to which it was passed on")
def _from_to(hospital: Hospital, heard: Heard) -> None:
    until(lambda: len(_kept(hospital)) == len(heard.passed) + 1)
    last = read_draft(_kept(hospital)[-1].content)
    assert last.action is Action.LEDGER_FEED
    assert (last.facts["first"], last.facts["last"]) == (0, heard.passed[-1].index)
    assert last.facts["entries"] == len(heard.passed)


@then("a radiologist and the data-protection officer cannot pass it on")
def _cannot(hospital: Hospital) -> None:
    for role in (Role.RADIOLOGIST, Role.DPO):
        with pytest.raises(Denied):
            _try(hospital, hospital.subject(role))


def _try(hospital: Hospital, somebody: Subject) -> None:
    with hospital.world.archive.feed.begin(somebody, None, 0, {}):
        raise AssertionError("it was begun")


@then("the repository holds the message of every entry")
def _holds(hospital: Hospital, repository: Repository) -> None:
    assert repository.forwarder.standing().behind == 0
    bodies = {body.decode() for _, body in repository.receiver.messages()}
    assert {dicom_xml.render(occurrence(entry, ORIGIN)) for entry in _kept(hospital)} == bodies


@then("the pages hold every entry about that patient once, newest first")
def _newest_first(hospital: Hospital, heard: Heard) -> None:
    found = [entry["resource"]["id"] for page in heard.pages for entry in page.get("entry", [])]
    drafts = [(one.index, read_draft(one.content)) for one in _kept(hospital)]
    about = [str(index) for index, draft in drafts if draft.patient_alias and draft.action is not Action.LEDGER_READ]
    assert len(heard.pages) > 1
    assert found == about[::-1]


@then("whoever acted is a number there, and that they were asked for is on record")
def _numbers(hospital: Hospital, heard: Heard) -> None:
    drafts = [read_draft(one.content) for one in _kept(hospital)]
    written = json.dumps(heard.pages)
    assert "radiologist 1" in written
    assert not [draft.actor for draft in drafts if draft.actor in written]
    assert [draft.action for draft in drafts].count(Action.LEDGER_READ) == 2 * len(heard.pages)


@then("they are refused in words of FHIR, and that is on record")
def _refused(hospital: Hospital, heard: Heard) -> None:
    assert heard.answer is not None
    assert heard.answer.status_code == 403
    assert heard.answer.json()["issue"][0]["code"] == "forbidden"
    last = read_draft(_kept(hospital)[-1].content)
    assert (last.action, last.outcome.value) == (Action.LEDGER_READ, "refused")
