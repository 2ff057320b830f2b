"""Giving pictures back, as features/retrieve.feature tells it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.archive.retrieve import Retrieval
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Denied, Tampered
from pacs_secure.web.multipart import Lease, Memory, RelatedParts, UploadLimits
from tests.bdd.hospital import PART10, PIXELS, Entry, Hospital, Person
from tests.bdd.keys import MemoryKeys
from tests.bdd.pictures import PATIENT_ID, SYNTAXES, broken, picture
from tests.bdd.story import RADIOLOGIST, STUDY, SUCCESS, Story, begin, details_of
from tests.builders import ROOT

scenarios("retrieve.feature")

NOWHERE = f"/studies/{ROOT}.404"
DERMATOLOGIST = Person(Role.CLINICIAN, "dermatology")
FRAMES = 2


@dataclass
class Reading:
    """A delivery that a step has begun and another goes on with."""

    retrieval: Retrieval
    pieces: Iterator[bytes]
    received: int = 0


@pytest.fixture
def readings() -> list[Reading]:
    return []


@dataclass
class Opened:
    """How many keys were asked for before the ledger went away."""

    fetched: list[int] = field(default_factory=list)


@pytest.fixture
def opened() -> Opened:
    return Opened()


# --- byte for byte ----------------------------------------------------------------------------


@given(parsers.parse('"CT1" has sent a picture in {syntax}'))
def _sent(hospital: Hospital, story: Story, syntax: str) -> None:
    story.sent = [picture("US", syntax=SYNTAXES[syntax], frames=FRAMES)]
    assert hospital.send("CT1", *story.sent) == [SUCCESS]


@when("a radiologist receives that picture")
def _receive(hospital: Hospital, story: Story) -> None:
    story.answers.append(hospital.get(RADIOLOGIST, story.sent[0].path, PART10))


@then("its Data Set has the SHA-256 of the one that was sent")
def _same_data_set(story: Story) -> None:
    content = story.answer.content
    # Preamble and mark, then the File Meta Group Length: 12 bytes whose last four count the rest of the group.
    start = 144 + int.from_bytes(content[140:144], "little")
    assert content[128:132] == b"DICM"
    assert sha256(content[start:]).hexdigest() == story.sent[0].sha256


@then("each of its frames is the one that was sent")
def _same_frames(hospital: Hospital, story: Story) -> None:
    answer = hospital.get(RADIOLOGIST, f"{story.sent[0].path}/frames/1,2", PIXELS)
    assert tuple(parts_of(answer)) == story.sent[0].frames


@then("another transfer syntax is refused, not made")
def _no_other(hospital: Hospital, story: Story) -> None:
    rle = {"Accept": "application/dicom; transfer-syntax=1.2.840.10008.1.2.5"}
    assert hospital.get(RADIOLOGIST, story.sent[0].path, rle).status_code == 406


def parts_of(answer: httpx.Response) -> list[bytes]:
    boundary = answer.headers["content-type"].rpartition("boundary=")[2]
    cutter = RelatedParts(boundary, UploadLimits(), Lease(Memory(1 << 30)))
    return [bytes(part.body) for part in cutter.feed(answer.content) + cutter.finish()]


# --- who may ----------------------------------------------------------------------------------


@when(parsers.parse("a researcher without a purpose asks {what}"))
def _ask_without_purpose(hospital: Hospital, story: Story, what: str) -> None:
    begin(hospital, story)
    path = {
        "for that study": STUDY,
        "for that study's metadata": f"{STUDY}/metadata",
        "for a frame of that study": f"{picture().path}/frames/1",
        "which studies there are": "/studies",
    }[what]
    story.answers.append(hospital.get(Person(Role.RESEARCHER), path))


@when("a clinician of dermatology asks for a study that does not exist")
def _ask_for_nothing(hospital: Hospital, story: Story) -> None:
    story.answers.append(hospital.get(DERMATOLOGIST, NOWHERE, PART10))


@when(parsers.parse("a {role} of radiology asks to verify the ledger"))
def _verify(hospital: Hospital, story: Story, role: str) -> None:
    with suppress(Denied):
        story.verdict = hospital.world.archive.verify.check_ledger(hospital.subject(Role(role)))


@when(parsers.parse('a {role} of radiology enrols the modality "{ae_title}"'))
def _enrol(hospital: Hospital, role: str, ae_title: str) -> None:
    with suppress(Denied):
        hospital.enrol(ae_title, "radiology", Role(role))


@then("the request is refused as not allowed")
def _not_allowed(story: Story) -> None:
    assert story.answer.status_code == 403


@then(parsers.re("the request is (?P<answer>allowed|refused)(?! as)"))
def _answered(hospital: Hospital, story: Story, answer: str) -> None:
    if story.answers:
        assert (answer, story.answer.status_code in {403, 404}) == ("refused", True)
        return
    last = hospital.entries()[-1]
    assert last["action"] in {"ledger:verify", "device:enrol"}
    assert last["outcome"] == {"allowed": "completed", "refused": "refused"}[answer]
    assert (story.verdict is not None) == (answer == "allowed" and last["action"] == "ledger:verify")


@then(parsers.re('the modality "(?P<ae_title>\\w+)" is (?P<standing>known|unknown)'))
def _standing(hospital: Hospital, ae_title: str, standing: str) -> None:
    known = {device.ae_title for device in hospital.world.house.engines.devices.all()}
    assert (ae_title in known) == (standing == "known")


@then("both hear the same answer")
def _same_answer(story: Story) -> None:
    one, other = story.answers
    assert one.status_code == 404
    assert (one.status_code, one.headers, one.content) == (other.status_code, other.headers, other.content)


@then("both requests are on record as refused")
def _both_recorded(new: Callable[[], list[Entry]]) -> None:
    assert [(entry["action"], entry["outcome"]) for entry in new()] == [("study:read", "refused")] * 2


# --- the record comes first -------------------------------------------------------------------


@when("a radiologist begins to receive that study")
def _begin(hospital: Hospital, story: Story, readings: list[Reading]) -> None:
    begin(hospital, story)
    subject = hospital.subject(Role.RADIOLOGIST)
    retrieval = hospital.world.archive.retrieve.begin(subject, None, picture().study_instance_uid, details={})
    readings.append(Reading(retrieval, retrieval.part10(retrieval.rows[0])))


@then('a begun "study:read" is in the ledger before the first byte')
def _begun(readings: list[Reading], new: Callable[[], list[Entry]]) -> None:
    assert readings[0].received == 0
    assert [(entry["action"], entry["outcome"]) for entry in new()] == [("study:read", "begun")]


@when("the radiologist goes away in the middle")
def _go_away(readings: list[Reading]) -> None:
    with readings[0].retrieval:
        readings[0].received = len(next(readings[0].pieces))
    assert 0 < readings[0].received < len(picture().stream)


@then("the ledger says that the delivery was aborted")
def _aborted(readings: list[Reading], new: Callable[[], list[Entry]]) -> None:
    begun, ended = new()
    assert (ended["action"], ended["outcome"], ended["act"]) == ("study:read", "aborted", begun["act"])
    assert ended["facts"]["bytes"] == readings[0].received


# --- one record an act ------------------------------------------------------------------------


@when(parsers.parse("{what} happens"))
def _happen(hospital: Hospital, story: Story, what: str) -> None:
    begin(hospital, story)
    happenings: dict[str, Callable[[], object]] = {
        "a transfer": lambda: hospital.send("CT1", picture(number=2)),
        "a refused transfer": lambda: hospital.send("CT1", broken("nested too deeply")),
        "a delivery": lambda: hospital.get(RADIOLOGIST, STUDY, PART10),
        "a delivery of metadata": lambda: hospital.get(RADIOLOGIST, f"{STUDY}/metadata"),
        "a delivery of a damaged picture": lambda: _damaged(hospital),
        "a search": lambda: hospital.search(RADIOLOGIST, PatientID=PATIENT_ID),
        "a search for an impossible date": lambda: hospital.search(RADIOLOGIST, StudyDate="then"),
        "a refusal": lambda: hospital.get(DERMATOLOGIST, STUDY, PART10),
        "a probe for what does not exist": lambda: hospital.get(RADIOLOGIST, NOWHERE, PART10),
    }
    happenings[what]()


@then(parsers.re(r'the ledger holds exactly 1 new act, a (?P<outcome>\w+) "(?P<action>[\w:]+)"'))
def _one_act(new: Callable[[], list[Entry]], outcome: str, action: str) -> None:
    entries = new()
    assert len({entry["act"] for entry in entries}) == 1
    assert {entry["action"] for entry in entries} == {action}
    begun = [] if outcome == "refused" else ["begun"]
    assert [entry["outcome"] for entry in entries] == [*begun, outcome]


@then(
    parsers.parse(
        "it says who, in which role, {whose}, when, where from, for which purpose, under which rule and how it came out"
    )
)
def _says_everything(hospital: Hospital, keys: MemoryKeys, new: Callable[[], list[Entry]], whose: str) -> None:
    policy = hospital.world.house.engines.policy.version
    for entry in new():
        device = entry["action"] == "study:create"
        assert entry["role"] in ({"modality"} if device else {"radiologist", "clinician"})
        assert entry["address"] == ("127.0.0.1" if device else "192.0.2.10")
        assert entry["purpose"] == "TREAT" or entry["outcome"] == "refused"
        assert datetime.now(UTC) - timedelta(minutes=1) < datetime.fromisoformat(entry["at"]) <= datetime.now(UTC)
        assert entry["rule"]
        assert entry["policy"] == policy
        details = details_of(keys, entry)
        assert details["subject"] == ("device:CT1" if device else "r.weber")
        assert ("patient" in entry, "study" in entry) == ((whose == "whose"),) * 2
        if whose == "what was searched for":
            assert {details.get("PatientID"), details.get("StudyDate")} & {PATIENT_ID, "then"}
        if whose == "what was asked for":
            assert details["study"] == f"{ROOT}.404"


def _damaged(hospital: Hospital) -> None:
    (stored,) = (path for path in hospital.world.objects.rglob("*") if path.is_file())
    stored.chmod(0o600)
    with stored.open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    with suppress(Tampered):
        assert hospital.get(RADIOLOGIST, STUDY, PART10).status_code == 500


# --- no ledger --------------------------------------------------------------------------------


@when("the ledger cannot be written")
def _no_ledger(hospital: Hospital, keys: MemoryKeys, opened: Opened) -> None:
    hospital.world.house.drop_keys()
    opened.fetched.append(keys.keyring.opening)
    with sqlite3.connect(hospital.world.index_file) as index:
        index.execute("CREATE TRIGGER broken BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'disk error'); END")
    index.close()


@then("not one byte was opened")
def _nothing_opened(keys: MemoryKeys, opened: Opened) -> None:
    # No study key was in memory and none was fetched, so nothing can have been opened.
    assert opened.fetched == [keys.keyring.opening]
