"""Taking in pictures, as features/ingest.feature tells it."""

import hashlib
import json
import socket
import sqlite3
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pytest_bdd import parsers, scenarios, then, when

from pacs_secure.core.access import Role
from pacs_secure.core.errors import Conflict, Denied, Malformed, OverLimit, Unavailable
from pacs_secure.dimse.statuses import store_status
from pacs_secure.dimse.tls import client_context
from tests.bdd.hospital import AE_TITLE, HOST, PART10, Entry, Hospital, Person
from tests.bdd.pictures import WORDS, broken, picture
from tests.bdd.story import RADIOLOGIST, STUDY, SUCCESS, Story, begin
from tests.bdd.traces import traces
from tests.certificates import Authority

scenarios("ingest.feature")

VERDICTS = {"malformed": Malformed("any"), "too much": OverLimit("any")}


@when(parsers.parse('"{ae_title}" sends the CT of Erika Mustermann'))
@when(parsers.parse('"{ae_title}" sends the CT of Erika Mustermann again'))
def _send(hospital: Hospital, story: Story, ae_title: str) -> None:
    begin(hospital, story)
    story.statuses = hospital.send(ae_title, picture())


@when('"CT1" sends other bytes under the same SOP Instance UID')
def _send_other(hospital: Hospital, story: Story) -> None:
    other = picture(version=2)
    assert other.sop_instance_uid == picture().sop_instance_uid
    assert other.sha256 != picture().sha256
    story.statuses = hospital.send("CT1", other)


@when('"CT1" sends 5 pictures of one study in one association')
def _send_five(hospital: Hospital, story: Story) -> None:
    begin(hospital, story)
    story.sent = [picture("US", number, study=1) for number in range(1, 6)]
    story.statuses = hospital.send("CT1", *story.sent)


@when(parsers.parse('"CT1" sends a picture that is {how}'))
def _send_broken(hospital: Hospital, story: Story, how: str) -> None:
    story.statuses = hospital.send("CT1", broken(how))


@when("a technologist uploads the X-ray of Erika Mustermann over the web")
def _upload(hospital: Hospital) -> None:
    assert hospital.upload(Person(Role.TECHNOLOGIST), picture("DX")).status_code == 200


@when('a radiologist searches for patients whose name begins with "Mustermann"')
def _search(hospital: Hospital) -> None:
    answer = hospital.search(RADIOLOGIST, PatientName="Mustermann*")
    assert len(answer.json()) == 2


@when("a radiologist receives that study")
def _receive(hospital: Hospital) -> None:
    assert hospital.get(RADIOLOGIST, STUDY, PART10).content.endswith(picture().data_set)


@when("someone of another department asks for that study")
def _ask_in_vain(hospital: Hospital) -> None:
    assert hospital.get(Person(Role.CLINICIAN, "dermatology"), STUDY, PART10).status_code == 404


@when(parsers.parse('a node calls as "{ae_title}" {how}'))
def _call(hospital: Hospital, story: Story, tmp_path: Path, ae_title: str, how: str) -> None:
    begin(hospital, story)
    if how == "without encryption":
        _call_in_clear(hospital.port)
        return
    context = _contexts(hospital, tmp_path)[how]
    with pytest.raises((Denied, Unavailable)) as caught:
        hospital.call(ae_title, context, picture())
    story.error = caught.value


@then("it hears Success")
def _success(story: Story) -> None:
    assert set(story.statuses) == {SUCCESS}


@then("it hears that there is a conflict")
def _conflict(story: Story) -> None:
    assert story.statuses == [store_status(Conflict("any")).code]


@then(parsers.parse("it hears that the picture is {verdict}"))
def _verdict(story: Story, verdict: str) -> None:
    assert story.statuses == [store_status(VERDICTS[verdict]).code]


@then("the ledger says that 1 instance was a duplicate")
def _duplicate(new: Callable[[], list[Entry]]) -> None:
    account = new()[-1]["facts"]
    assert (account["new"], account["duplicates"]) == (0, 1)


@then("neither does a backup of its database")
def _backup(hospital: Hospital, tmp_path: Path) -> None:
    directory = tmp_path / "backup"
    directory.mkdir()
    index = sqlite3.connect(hospital.world.index_file)
    copy = sqlite3.connect(directory / "index.db")
    index.backup(copy)
    assert copy.execute("SELECT count(*) FROM instances").fetchone() == (2,)
    copy.close()
    index.close()

    assert traces([directory], WORDS, picture().frames) == []


@then("no temporary file is left")
def _nothing_temporary(hospital: Hospital) -> None:
    assert list((hospital.directory / "tmp").iterdir()) == []
    assert [path for path in hospital.directory.rglob("*") if path.name.startswith(".") and "new" in path.name] == []


@then('the ledger holds one begun and one completed "study:create" for that study')
def _begun_and_completed(new: Callable[[], list[Entry]]) -> None:
    entries = new()
    assert [(entry["action"], entry["outcome"]) for entry in entries] == [
        ("study:create", "begun"),
        ("study:create", "completed"),
    ]
    assert len({(entry["act"], entry["study"], entry["patient"]) for entry in entries}) == 1


@then("the completed entry counts 5 new instances and carries their digest")
def _account(hospital: Hospital, story: Story, new: Callable[[], list[Entry]]) -> None:
    account = new()[-1]["facts"]
    seal = hospital.world.archive.search.seals.index(hospital.keys.institution)
    digests = sorted(seal.fingerprint(hashlib.sha256(one.data_set).digest()) for one in story.sent)
    assert (account["new"], account["duplicates"]) == (5, 0)
    assert account["bytes"] == sum(len(one.data_set) for one in story.sent)
    assert account["fingerprint"] == hashlib.sha256(b"".join(digests)).hexdigest()


@then("the entry says who, in which role, when, where from, for which purpose and under which rule")
def _entry_says(hospital: Hospital, new: Callable[[], list[Entry]]) -> None:
    for entry in new():
        assert (entry["role"], entry["department"], entry["purpose"]) == ("modality", "radiology", "TREAT")
        assert (entry["door"], entry["address"]) == ("dimse", "127.0.0.1")
        assert entry["at"].endswith("Z")
        assert entry["rule"] == "p, sender, study:create, TREAT, department, *, allow"
        assert entry["policy"] == hospital.world.house.engines.policy.version
        assert len(entry["actor"]) == 32
        assert "CT1" not in json.dumps(entry)


@then("the association is not opened")
def _not_opened(story: Story) -> None:
    assert story.error is None or isinstance(story.error, Denied | Unavailable)


@then(parsers.parse('it says that the reason was "{reason}"'))
def _reason(new: Callable[[], list[Entry]], reason: str) -> None:
    assert new()[0]["facts"]["reason"] == reason


def _contexts(hospital: Hospital, tmp_path: Path) -> dict[str, ssl.SSLContext]:
    """Return what each kind of caller brings along."""
    ca, known = str(hospital.authority.file), hospital.devices["CT1"]
    unknown, foreign = hospital.authority.issue("unknown"), Authority(tmp_path, "foreign").issue("CT1")
    without = ssl.create_default_context(cafile=ca)
    without.check_hostname = False
    return {
        'with the certificate of "CT1"': client_context(str(known.certificate), str(known.key), ca),
        "with a certificate that nobody enrolled": client_context(str(unknown.certificate), str(unknown.key), ca),
        "with a certificate of an untrusted authority": client_context(str(foreign.certificate), str(foreign.key), ca),
        "without a certificate": without,
    }


def _call_in_clear(port: int) -> None:
    """Ask for an association as any node without TLS would (PS3.8 Table 9-11); nothing may come back."""
    body = b"\0\1\0\0" + AE_TITLE.encode().ljust(16) + b"CT1".ljust(16) + bytes(32)
    with socket.create_connection((HOST, port), timeout=5) as connection:
        connection.sendall(b"\1\0" + len(body).to_bytes(4, "big") + body)
        with suppress(ConnectionError):
            assert not connection.recv(1024).startswith(b"\2")
