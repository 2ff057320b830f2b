"""Reading the record, as features/ledger_reading.feature tells it."""

import sqlite3
from base64 import b64decode
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.archive import trail_pages
from pacs_secure.archive.declarations import Whom
from pacs_secure.archive.patient_trail import Disclosure
from pacs_secure.core.access import Role
from pacs_secure.core.errors import ArchiveError, Denied
from pacs_secure.core.reports import Language
from pacs_secure.crypto.tlog import leaf_hash, parse_checkpoint, verify_inclusion, verify_note
from tests.bdd.hospital import MULTIPART, PART10, WEB, Entry, Hospital, Keys, Person
from tests.bdd.pictures import PATIENT_ID, picture
from tests.bdd.story import STUDY, Story, begin, details_of
from tests.builders import ELSEWHERE
from tests.clock import Clock
from tests.web_instances import part10, related, study_uid
from tests.world import ORIGIN

scenarios("ledger_reading.feature")

WEBER, KLEIN = Person(Role.RADIOLOGIST, name="r.weber"), Person(Role.RADIOLOGIST, name="s.klein")
LANG = Person(Role.TECHNOLOGIST, "surgery", name="s.lang")
OFFICER = Person(Role.DPO, "", name="d.schutz")
RECORDS = Person(Role.OFFICER, "", name="o.amt")
EXPERT = Person(Role.GUEST, "", name="expert@elsewhere.example")
WHO = {
    "a radiologist": WEBER,
    "an administrator": Person(Role.ADMIN, "", name="a.technik"),
    "the officer of the archive": RECORDS,
    "the data-protection officer": OFFICER,
    "the data-protection officer in another role": replace(RECORDS, name=OFFICER.name),
    "Dr. Weber": WEBER,
}
WHY = "a patient says that a neighbour looked"
DAY = timedelta(days=1)


@dataclass
class Record:
    """What one scenario remembers of what was read."""

    question: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    pages: dict[Language, str] = field(default_factory=dict)


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture(autouse=True)
def _clock_first(clock: Clock) -> None:
    """The archive is built with a clock that can be put forward."""


def search(hospital: Hospital, story: Story, by: Person = OFFICER, **asked: Any) -> None:
    begin(hospital, story)
    story.answers.append(hospital.call_api(by, "POST", "/ledger/searches", {"patient_id": PATIENT_ID, **asked}))


def acts(hospital: Hospital, story: Story) -> list[list[Entry]]:
    """Return the entries since the last act began, act by act."""
    found: dict[str, list[Entry]] = {}
    for entry in hospital.entries()[story.mark :]:
        found.setdefault(entry["act"], []).append(entry)
    return list(found.values())


# --- given ------------------------------------------------------------------------------------


@given("Dr. Weber of radiology and Dr. Klein of radiology have looked at it")
def _looked(hospital: Hospital) -> None:
    for person in (WEBER, KLEIN):
        assert hospital.get(person, STUDY, PART10).status_code == 200


@given("there are pictures of another patient, at which Dr. Weber has looked")
def _other(hospital: Hospital) -> None:
    answer = hospital.client(WEBER).post(f"{WEB}/studies", related(part10(7)), MULTIPART)
    assert answer.status_code == 200
    assert hospital.get(WEBER, f"/studies/{study_uid(7)}", PART10).status_code == 200


@given("Dr. Lang of surgery has tried to see Erika Mustermann's pictures and was refused")
def _tried(hospital: Hospital) -> None:
    assert hospital.get(LANG, STUDY, PART10).status_code == 404


@given("the pictures were shared with an expert from outside, who has looked at them")
def _shared(hospital: Hospital) -> None:
    share = {
        "study_instance_uid": picture().study_instance_uid,
        "invitee": {"person": EXPERT.name},
        "until": (datetime.now(UTC) + 3 * DAY).isoformat(),
        "reason": "a second opinion on the liver",
    }
    answer = hospital.call_api(WEBER, "POST", "/shares", share)
    assert answer.status_code == 201, answer.text
    assert hospital.get(EXPERT, STUDY, PART10).status_code == 200


@when("the data-protection officer asks what Dr. Weber did this week, with a reason")
@given("the data-protection officer has asked what Dr. Weber did this week")
def _asked_of_weber(hospital: Hospital, story: Story, record: Record) -> None:
    _ask(hospital, story, record, "Dr. Weber")


@given(parsers.parse("the data-protection officer has asked what {about} did this week"))
def _ask(hospital: Hospital, story: Story, record: Record, about: str) -> None:
    begin(hospital, story)
    now = datetime.now(UTC)
    period = {"since": (now - 7 * DAY).isoformat(), "until": (now + DAY).isoformat()}
    body = {"person": WHO[about].name, "reason": WHY, **period}
    answer = hospital.call_api(OFFICER, "POST", "/ledger/questions", body)
    assert answer.status_code == 201, answer.text
    record.question = answer.json()["id"]


@given("the officer of the archive has approved it")
@when("the officer of the archive approves it")
def _approve(hospital: Hospital, record: Record) -> None:
    answer = hospital.call_api(RECORDS, "POST", f"/ledger/questions/{record.question}/approve", {})
    assert answer.status_code == 200, answer.text


# --- when -------------------------------------------------------------------------------------


@when("the data-protection officer searches the record for Erika Mustermann")
def _search(hospital: Hospital, story: Story) -> None:
    search(hospital, story, order="oldest")


@when("the data-protection officer searches the record for Erika Mustermann and opens the details")
def _search_opened(hospital: Hospital, story: Story) -> None:
    search(hospital, story, details=True)


@when("the data-protection officer of another institution searches the record for Erika Mustermann")
def _search_elsewhere(hospital: Hospital, story: Story) -> None:
    search(hospital, story, replace(OFFICER, institution=ELSEWHERE))


@when("the data-protection officer opens the details of the whole record")
def _open_all(hospital: Hospital, story: Story) -> None:
    story.answers.append(hospital.call_api(OFFICER, "GET", "/ledger/entries?details=true"))


@when(parsers.re("(?P<who>a radiologist|an administrator|the officer of the archive) reads the record"))
def _read(hospital: Hospital, story: Story, who: str) -> None:
    story.answers.append(hospital.call_api(WHO[who], "GET", "/ledger/entries"))


@when(parsers.parse("{who} tries to approve it"))
def _try(hospital: Hospital, story: Story, record: Record, who: str) -> None:
    answer = hospital.call_api(WHO[who], "POST", f"/ledger/questions/{record.question}/approve", {})
    story.answers.append(answer)


@when("the officer of the archive refuses it with a reason")
def _refuse(hospital: Hospital, record: Record) -> None:
    body = {"reason": "there is no suspicion of anything"}
    answer = hospital.call_api(RECORDS, "POST", f"/ledger/questions/{record.question}/refuse", body)
    assert answer.status_code == 200, answer.text


@when(parsers.parse("{days:d} days have passed"))
def _wait(clock: Clock, days: int) -> None:
    clock.forward(days=days)


@when(parsers.re("the data-protection officer searches the record by the (?P<what>name|pseudonym) of Dr. Weber"))
def _by_person(hospital: Hospital, story: Story, what: str) -> None:
    actor = hospital.world.archive.guard.pseudonym(hospital.keys.institution, WEBER.name)
    asked: dict[str, Any] = {"person": WEBER.name} if what == "name" else {"actor": actor}
    search(hospital, story, **asked)


@when("someone with access to the database writes an approval")
def _forge(hospital: Hospital) -> None:
    with closing(sqlite3.connect(hospital.world.index_file)) as index, index:
        forged = ("0" * 32, int(datetime.now(UTC).timestamp() * 1e6), b"a box", bytes(32))
        index.execute(
            "UPDATE employee_questions SET approved = 1, ruled_by = ?, ruled_at = ?, ruling_box = ?, ruling_proof = ?",
            forged,
        )


@when("the data-protection officer produces the extract for Erika Mustermann")
def _produce(hospital: Hospital, story: Story, record: Record) -> None:
    extract(hospital, story, record)


@when(parsers.parse('the data-protection officer produces the extract with names because "{why}"'))
def _produce_named(hospital: Hospital, story: Story, record: Record, why: str) -> None:
    extract(hospital, story, record, name_employees=True, reason=why)


def extract(hospital: Hospital, story: Story, record: Record, **asked: Any) -> None:
    begin(hospital, story)
    body = {"patient_id": PATIENT_ID, "page": True, "lang": "en", **asked}
    story.answers.append(hospital.call_api(OFFICER, "POST", "/ledger/patient-trails", body))
    assert story.answer.status_code == 200, story.answer.text
    record.told = story.answer.json()


@when(parsers.re(r"(?P<who>the .+) asks for the extract with names (?P<why>.+)"))
def _named_by(hospital: Hospital, story: Story, who: str, why: str) -> None:
    reason = why.partition('"')[2].rstrip('"')
    if who == "the operator":
        wanted = Disclosure(Whom(PATIENT_ID), name_employees=True, reason=reason)
        with pytest.raises(Denied) as caught:
            hospital.world.archive.patient_trail.produce(hospital.subject(Role.OPERATOR), None, wanted, details={})
        story.error = caught.value
    else:
        body = {"patient_id": PATIENT_ID, "name_employees": True, "reason": reason}
        story.answers.append(hospital.call_api(WHO[who], "POST", "/ledger/patient-trails", body))


@when("the operator writes the extract for Erika Mustermann as a page")
def _write(hospital: Hospital, record: Record) -> None:
    wanted = Disclosure(Whom(PATIENT_ID))
    trail = hospital.world.archive.patient_trail.produce(hospital.subject(Role.OPERATOR), None, wanted, details={})
    record.pages = {language: trail_pages.page(trail, language, UTC) for language in Language}


@when("the data-protection officer asks for the proof of entry 1")
def _prove(hospital: Hospital, record: Record) -> None:
    answer = hospital.call_api(OFFICER, "GET", "/ledger/entries/1/proof")
    assert answer.status_code == 200, answer.text
    record.told = answer.json()


# --- then -------------------------------------------------------------------------------------


@then("it finds what happened with her pictures and nothing else")
def _found(story: Story) -> None:
    entries = story.answer.json()["entries"]
    assert [(one["action"], one["outcome"]) for one in entries] == [
        ("study:create", "begun"),
        ("study:create", "completed"),
        ("study:read", "begun"),
        ("study:read", "completed"),
        ("study:read", "begun"),
        ("study:read", "completed"),
    ]
    assert len({one["patient"] for one in entries}) == 1


@then("persons are numbers in it")
def _numbers(story: Story) -> None:
    assert [one["person"] for one in story.answer.json()["entries"]] == [1, 1, 2, 2, 3, 3]
    assert not [name for name in (WEBER.name, KLEIN.name) if name in story.answer.text]


@then(parsers.re(r'the ledger holds exactly 1 new act, a completed "(?P<action>[\w:]+)"(?P<counted>.*)'))
def _one_act(hospital: Hospital, story: Story, action: str, counted: str) -> None:
    (act,) = acts(hospital, story)
    assert [(entry["action"], entry["outcome"]) for entry in act] == [(action, "begun"), (action, "completed")]
    if counted:
        assert act[-1]["facts"]["results"] == len(story.answer.json()["entries"])


@then("nobody reads in the ledger whom the search was about")
def _sealed(hospital: Hospital, story: Story, keys: Keys) -> None:
    begun, _ = hospital.entries()[story.mark :]
    assert PATIENT_ID not in str(begun)
    assert details_of(keys, begun)["patient_id"] == PATIENT_ID


@then(parsers.parse('it tells that "{one}" and "{other}" were there'))
def _opened(story: Story, one: str, other: str) -> None:
    told = {entry["details"]["subject"] for entry in story.answer.json()["entries"]}
    assert {one, other} <= told


@then("the ledger says that details were opened")
def _opening_recorded(hospital: Hospital) -> None:
    assert hospital.entries()[-1]["facts"]["details"] == "opened"


@then("it finds nothing")
def _nothing(story: Story) -> None:
    assert story.answer.json()["entries"] == []


@then("an entry of this institution does not exist for them")
def _not_theirs(hospital: Hospital) -> None:
    theirs = replace(OFFICER, institution=ELSEWHERE)
    assert hospital.call_api(theirs, "GET", "/ledger/entries/0").status_code == 404


@then(parsers.re(r'the ledger holds a refused "(?P<action>ledger:\w+)"$'))
def _refused_entry(hospital: Hospital, action: str) -> None:
    assert (action, "refused") in [(entry["action"], entry["outcome"]) for entry in hospital.entries()]


def answer_of(hospital: Hospital, record: Record) -> httpx.Response:
    return hospital.call_api(OFFICER, "GET", f"/ledger/questions/{record.question}/entries")


@then("the answer is refused as long as nobody else has approved")
@then("the answer is refused")
def _no_answer(hospital: Hospital, record: Record) -> None:
    answer = answer_of(hospital, record)
    assert answer.status_code in {403, 500}
    assert "study:read" not in answer.text


@then("the data-protection officer reads what Dr. Weber did and nothing of Dr. Klein")
def _answered(hospital: Hospital, record: Record) -> None:
    entries = answer_of(hospital, record).json()["entries"]
    actor = hospital.world.archive.guard.pseudonym(hospital.keys.institution, WEBER.name)
    mine = [entry["index"] for entry in hospital.entries() if entry["actor"] == actor]
    assert [entry["index"] for entry in entries] == mine
    assert {entry["action"] for entry in entries} >= {"study:read", "study:create"}


@then("the ledger holds the question, the approval and the reading")
def _steps(hospital: Hospital, record: Record) -> None:
    steps = [
        (entry["action"], entry["outcome"], entry["facts"]["step"])
        for entry in hospital.entries()
        if entry["facts"].get("question") == record.question
    ]
    assert steps == [
        ("ledger:ask", "completed", "asked"),
        ("ledger:read", "refused", "read"),
        ("ledger:approve", "completed", "approved"),
        ("ledger:read", "begun", "read"),
        ("ledger:read", "completed", "read"),
    ]


@then("no name of them stands in the ledger or in the database")
def _nameless(hospital: Hospital) -> None:
    names = [person.name for person in (WEBER, KLEIN, OFFICER, RECORDS)]
    with closing(sqlite3.connect(hospital.world.index_file)) as index:
        index.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    kept = hospital.world.index_file.read_bytes()
    assert kept.count(b"ledger:approve") >= 1
    assert not [name for name in [*names, "neighbour"] if name.encode() in kept]


@then("it tells when her pictures were stored and viewed, what for, and that somebody was refused")
def _told(record: Record) -> None:
    told = [(one["category"], one["purpose"], one["outcome"]) for one in record.told["accesses"]]
    assert told == [
        ("stored", "TREAT", "completed"),
        ("viewed", "TREAT", "completed"),
        ("viewed", "TREAT", "completed"),
        ("viewed", "TREAT", "refused"),
    ]
    assert all(abs(datetime.now(UTC) - datetime.fromisoformat(one["at"])) < DAY for one in record.told["accesses"])


@then("employees stand in it by role and department")
def _by_role(story: Story, record: Record) -> None:
    assert [(one["role"], one["department"], one["person"]) for one in record.told["accesses"]] == [
        ("modality", "radiology", None),
        ("radiologist", "radiology", None),
        ("radiologist", "radiology", None),
        ("technologist", "surgery", None),
    ]
    assert not [person for person in (WEBER, KLEIN, LANG, OFFICER) if person.name in story.answer.text]


@then("it holds nothing of the other patient, no alias, no key and no address")
def _discreet(hospital: Hospital, story: Story) -> None:
    entries = hospital.entries()
    hidden = {entry.get(name) for entry in entries for name in ("study", "patient", "actor", "address", "act")}
    hidden |= {entry["details"]["key"] for entry in entries if "details" in entry}
    hidden |= {"PAT-4711", study_uid(7), picture().study_instance_uid}
    assert not [secret for secret in hidden if secret and str(secret) in story.answer.text]


@then("it names the expert as a recipient")
def _recipient(record: Record) -> None:
    assert [one["recipient"] for one in record.told["accesses"]][-1] == EXPERT.name
    assert record.told["recipients"] == [f"person from outside: {EXPERT.name}"]
    assert EXPERT.name in record.told["page"]


@then(parsers.parse('it names "{one}" and "{other}"'))
def _names(record: Record, one: str, other: str) -> None:
    assert [access["person"] for access in record.told["accesses"]] == [None, one, other]
    assert one in record.told["page"]


@then("the reason is sealed in the ledger")
def _reason(hospital: Hospital, story: Story, keys: Keys) -> None:
    begun = hospital.entries()[story.mark]
    assert "neighbour" not in str(begun)
    assert "neighbour" in details_of(keys, begun)["reason"]


@then("nobody is named")
def _unnamed(story: Story) -> None:
    assert isinstance(story.error, ArchiveError) or story.answer.status_code in {400, 403}


@then("it says in German and in English who came, what for, and whom to ask")
def _pages(record: Record) -> None:
    german, english = record.pages[Language.GERMAN], record.pages[Language.ENGLISH]
    for word in ("Bilder angesehen", "Ihre Behandlung", "Radiologie", "Datenschutzbeauftragte"):
        assert word in german
    for word in ("pictures viewed", "your treatment", "radiologist", "data protection officer"):
        assert word in english


@then("it leads from the entry to the signed checkpoint")
def _proven(hospital: Hospital, record: Record) -> None:
    note = record.told["checkpoint"].encode()
    verify_note(note, ORIGIN, hospital.keys.signer.public_key())
    assert _verified(record, b64decode(record.told["entry"]), parse_checkpoint(note).root)


@then("it proves no other entry")
def _nothing_else(hospital: Hospital, record: Record) -> None:
    root = parse_checkpoint(record.told["checkpoint"].encode()).root
    others = [entry.content for entry in hospital.world.house.engines.ledger.entries(2, 99)]
    assert others
    assert not [content for content in others if _verified(record, content, root)]


def _verified(record: Record, content: bytes, root: bytes) -> bool:
    path = [b64decode(node) for node in record.told["path"]]
    return verify_inclusion(leaf_hash(content), record.told["index"], record.told["size"], path, root)
