"""What is logged names nobody, as features/confidentiality.feature tells it."""

import socket
from contextlib import suppress
from dataclasses import replace

import pytest
from pytest_bdd import scenarios, then, when

from pacs_secure.core.access import Purpose, Role
from tests.bdd.hospital import API, PART10, Hospital, Person
from tests.bdd.pictures import PATIENT_ID, WORDS, picture
from tests.bdd.story import STUDY
from tests.bdd.traces import traces

scenarios("confidentiality.feature")

RADIOLOGIST = Person(Role.RADIOLOGIST)
OFFICER = Person(Role.DPO, "", name="d.schutz")
NAMES = ("Erika", *WORDS)
QUESTIONS = (
    f"/studies?PatientID={PATIENT_ID}",
    f"/studies?PatientName=Mustermann&PatientName=Mustermann&limit={PATIENT_ID}",
    f"/studies?Mustermann={PATIENT_ID}",
    f"/studies/{PATIENT_ID}/metadata",
    f"/{PATIENT_ID}/Mustermann",
    STUDY,
)


@pytest.fixture
def asked() -> list[int]:
    """Collect the statuses of all answers, so that nobody can think that nothing was asked."""
    return []


@when("a radiologist searches for her in every way there is, and opens her pictures")
def _search(hospital: Hospital, asked: list[int]) -> None:
    for wanted in (
        {"PatientID": PATIENT_ID},
        {"PatientName": "Mustermann*"},
        {"PatientName": "mustermann", "fuzzymatching": "true"},
        {"PatientBirthDate": "19640812"},
        {"AccessionNumber": "ACC-CANARY"},
        {"ReferringPhysicianName": "Drübenschön*"},
    ):
        asked.append(hospital.search(RADIOLOGIST, **wanted).status_code)
        asked.append(hospital.search(RADIOLOGIST, "instances", **wanted).status_code)
    paths = (STUDY, f"{STUDY}/metadata", picture().path, f"{picture().path}/frames/1")
    asked += [hospital.get(RADIOLOGIST, path, PART10).status_code for path in paths]
    assert 200 in asked


@when("strangers, broken requests and unwanted pictures name her too")
def _misuse(hospital: Hospital, asked: list[int]) -> None:
    nobody, curious = Person(Role.STRANGER), Person(Role.CLINICIAN, "surgery", name="k.neugier")
    for person in (nobody, curious, replace(RADIOLOGIST, purpose=Purpose.HEALTH_RESEARCH)):
        headers = {"X-Patient": PATIENT_ID, "Accept": "Mustermann"}
        asked += [hospital.get(person, question, headers).status_code for question in QUESTIONS]
        asked.append(hospital.upload(person, picture()).status_code)
    bodies: tuple[object, ...] = ({"patient_id": PATIENT_ID}, {"Mustermann": PATIENT_ID}, [PATIENT_ID])
    asked += [hospital.call_api(curious, "POST", "/break-glass", body).status_code for body in bodies]
    statuses = hospital.send("CT1", picture(), picture("US"), replace(picture(), stream=picture().stream[:-100]))
    assert len(statuses) == 3
    with suppress(OSError), socket.create_connection(("127.0.0.1", hospital.port), 5) as stranger:
        stranger.sendall(f"GET /{PATIENT_ID}/Mustermann HTTP/1.1\r\n\r\n".encode())  # to the DICOM door
        stranger.recv(1000)
    assert {400, 401, 404} <= set(asked)


@when("the data-protection officer looks up who came to her pictures")
def _look_up(hospital: Hospital, asked: list[int]) -> None:
    questions: tuple[tuple[str, object], ...] = (
        ("/ledger/searches", {"patient_id": PATIENT_ID, "details": True}),
        ("/ledger/searches", {"patient_id": "Mustermann"}),
        ("/ledger/patient-trails", {"patient_id": PATIENT_ID}),
        ("/ledger/patient-trails", {"Mustermann": PATIENT_ID}),
    )
    asked += [hospital.call_api(OFFICER, "POST", path, body).status_code for path, body in questions]
    assert asked[-4:-3] == [200]


@then("the log of the archive, at its most talkative, has lines about it")
def _lines(hospital: Hospital, asked: list[int]) -> None:
    lines = (hospital.directory / "archive.log").read_text(encoding="utf-8").splitlines()
    assert len(asked) > 30
    assert len(lines) > 10


@then("none of them holds her name, her number, her birth date or a piece of her pictures")
def _no_names(hospital: Hospital) -> None:
    log = hospital.outside / "log"
    log.mkdir()
    content = (hospital.directory / "archive.log").read_bytes()
    (log / "archive.log").write_bytes(content)
    assert traces([log], NAMES, picture().frames) == []
    # The same search finds each of them where they do stand.
    (log / "archive.log").write_bytes(content + " ".join(NAMES).encode() + picture().stream)
    assert {found.partition(" in ")[0] for found in traces([log], NAMES, [])} >= set(NAMES)


@then("none of them holds the address of a request or the identifier of a study")
def _no_addresses(hospital: Hospital) -> None:
    text = (hospital.directory / "archive.log").read_text(encoding="utf-8")
    sent = picture()
    for told in (
        sent.study_instance_uid,
        sent.series_instance_uid,
        sent.sop_instance_uid,
        "/dicom-web",
        API,
        "?Patient",
    ):
        assert told not in text, told
