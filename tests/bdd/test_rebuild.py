"""Making a lost index anew, as features/rebuild.feature tells it."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure import serving
from pacs_secure.adapters.tokens import JoseAuthenticator
from pacs_secure.core.access import Purpose, Role
from pacs_secure.core.audit import Verdict
from pacs_secure.core.classification import Reclassification
from pacs_secure.core.errors import Conflict, Unavailable
from pacs_secure.core.identifiers import KeyId, ObjectId, Uid, uid
from pacs_secure.core.instance import Identity
from pacs_secure.crypto.envelope import LABEL_AT, seal_envelope
from pacs_secure.crypto.stream import seal
from pacs_secure.house import House
from pacs_secure.ports import Blob, ForgettableKey, Shelf
from pacs_secure.settings import Settings
from pacs_secure.web.app import create_app
from tests.bdd.hospital import Entry, Hospital, Person
from tests.bdd.pictures import PATIENT_ID, picture
from tests.bdd.story import SUCCESS
from tests.builders import new_object_id
from tests.world import disk_world

scenarios("rebuild.feature")

PICTURES = {kind: picture(kind) for kind in ("CT", "US", "DX")}
STUDIES = {kind: one.study_instance_uid for kind, one in PICTURES.items()}


@dataclass
class Loss:
    """What there was before the database was lost, and what came of the rebuild."""

    hospital: Hospital
    stack: ExitStack
    objects: dict[str, Path]
    """Kind of picture -> its object."""
    before: list[Entry] = field(default_factory=list)
    published: int = 0
    verdict: Verdict | None = None
    strange: str = ""
    """Name of the object that a hostile hand has touched, and of which study it is."""
    of: str = ""

    def lose(self) -> None:
        """Lose the database and all that belongs to it, and open the archive with an empty one."""
        hospital, keys = self.hospital, self.hospital.keys
        self.before = hospital.entries()
        self.published = hospital.world.house.engines.publisher.published()
        hospital.world.database.close()
        for file in hospital.world.directory.glob("index.db*"):
            file.unlink()
        hospital.world = self.stack.enter_context(
            disk_world(
                hospital.world.directory,
                keys.wrapper,
                keys.unwrapper,
                keys.signer,
                hospital.pki,
                keys.eraser,
                keys.institution,
                key_list=keys.key_list,
            )
        )
        authenticator = JoseAuthenticator([hospital.issuer.trusted([keys.institution])])
        hospital.app = create_app(hospital.world.archive, authenticator, keys.institution, lambda: None)

    def rebuild(self) -> Verdict:
        self.verdict = self.hospital.world.archive.rebuild.run(self.hospital.subject(Role.OPERATOR))
        return self.verdict

    def told(self, name: str) -> int | str:
        assert self.verdict is not None
        return self.verdict.told[name]

    def found(self, **asked: str) -> set[str]:
        """Return the studies that a radiologist finds who acts on the patient's own request."""
        answer = self.hospital.search(Person(Role.RADIOLOGIST, purpose=Purpose.PATIENT_REQUEST), **asked)
        return {hit["0020000D"]["Value"][0] for hit in orjson.loads(answer.content or b"[]")}


@given('"CT1" has sent an ultrasound and a radiograph of hers', target_fixture="loss")
def _sent_more(hospital: Hospital) -> Iterator[Loss]:
    assert hospital.send("CT1", PICTURES["US"], PICTURES["DX"]) == [SUCCESS, SUCCESS]
    records, of = hospital.world.house.engines.records, hospital.keys.institution
    names = {kind: str(records.instances(of, uid(study))[0].sealed.object_id) for kind, study in STUDIES.items()}
    paths = {path.name: path for path in hospital.world.objects.rglob("*") if path.is_file()}
    with ExitStack() as stack:
        yield Loss(hospital, stack, {kind: paths[name] for kind, name in names.items()})


@when("the database is lost and the index is made anew")
def _lose_and_rebuild(loss: Loss) -> None:
    loss.lose()
    loss.rebuild()


@when("the database is lost")
def _lose(loss: Loss) -> None:
    loss.lose()


@then("the archive does not open its doors, and says how to go on")
def _no_second_history(loss: Loss) -> None:
    with pytest.raises(Unavailable, match=r"restore it, or run .*--rebuild-index"):
        serving._recover(cast("Settings", None), loss.hospital.world.house)
    assert loss.hospital.entries() == []


# --- pictures ---------------------------------------------------------------------------------


@then("every study is found again by name, Patient ID and date")
def _found(loss: Loss) -> None:
    every = set(STUDIES.values())
    assert loss.found(PatientID=PATIENT_ID) == every
    assert loss.found(PatientName="Mustermann*") == every
    assert loss.found(StudyDate="19000101-20991231") == every
    assert loss.told("adopted") == loss.told("studies") == len(every) - int(loss.told("known"))


@then("nobody receives a picture before an officer has looked")
def _restricted(loss: Loss) -> None:
    for one in PICTURES.values():
        for role in (Role.RADIOLOGIST, Role.CLINICIAN, Role.TECHNOLOGIST):
            assert loss.hospital.get(Person(role), f"/studies/{one.study_instance_uid}").status_code in {403, 404}


@when("an officer lifts the restriction")
def _lift(loss: Loss) -> None:
    officer, classify = loss.hospital.subject(Role.OFFICER), loss.hospital.world.archive.classify
    for study in STUDIES.values():
        shown = classify.show(officer, None, study)
        assert (shown.restricted, shown.department) == (True, "unassigned")
        change = Reclassification(department="radiology", restricted=False)
        classify.change(officer, None, study, change, "seen after the rebuild")


@then("a radiologist receives every picture byte for byte")
def _byte_for_byte(loss: Loss) -> None:
    retrieve, radiologist = loss.hospital.world.archive.retrieve, loss.hospital.subject(Role.RADIOLOGIST)
    for one in PICTURES.values():
        with retrieve.begin(radiologist, None, one.study_instance_uid, details={}) as retrieval:
            (row,) = retrieval.rows
            assert b"".join(retrieval.data_set(row)) == one.data_set
    metadata = loss.hospital.get(Person(Role.RADIOLOGIST), f"/studies/{STUDIES['CT']}/metadata")
    assert orjson.loads(metadata.content)[0]["00100020"]["Value"] == [PATIENT_ID]


@then("the archive is sound, objects and proofs")
def _sound(loss: Loss) -> None:
    assert loss.verdict is not None
    assert loss.verdict.findings == ()
    operator = loss.hospital.subject(Role.OPERATOR)
    verdict = loss.hospital.world.archive.verify.check_archive(operator, deep=True)
    assert (verdict.checked, verdict.findings) == (3, ())


# --- the ledger -------------------------------------------------------------------------------


@given("an entry was said after the last publication")
def _unpublished(hospital: Hospital) -> None:
    hospital.get(Person(Role.RADIOLOGIST, name="p.late"), f"/studies/{STUDIES['CT']}")
    hospital.get(Person(Role.RADIOLOGIST), f"/studies/{STUDIES['CT']}")


@then("the ledger holds what was published, entry for entry")
def _taken_back(loss: Loss) -> None:
    assert 0 < loss.published < len(loss.before)
    assert loss.hospital.entries()[: loss.published] == loss.before[: loss.published]


@then("the entry that was not published is missing, and the rebuild says how far the ledger goes")
def _missing(loss: Loss) -> None:
    assert loss.told("entries") == loss.published
    first_new = loss.hospital.entries()[loss.published]
    assert (first_new["action"], first_new["outcome"]) == ("archive:rebuild", "begun")


@then("the same person has the same pseudonym as before")
def _same_pseudonym(loss: Loss) -> None:
    assert loss.told("pseudonyms") == "go on"
    loss.hospital.get(Person(Role.RADIOLOGIST), f"/studies/{STUDIES['CT']}")
    now = {entry["actor"] for entry in loss.hospital.entries() if entry["action"] == "study:read"}
    assert now <= {entry["actor"] for entry in loss.before if entry["action"] == "study:read"}


@then("the ledger is sound, and goes on growing where it was published")
def _grows(loss: Loss) -> None:
    world = loss.hospital.world
    world.notary.attest()
    assert world.house.engines.publisher.published() == len(loss.hospital.entries()) > loss.published
    assert world.archive.verify.check_ledger(loss.hospital.subject(Role.DPO)).findings == ()


# --- what must not come back ------------------------------------------------------------------


@given("the keys of the ultrasound were forgotten")
def _forgotten(hospital: Hospital, loss: Loss) -> None:
    of = hospital.keys.institution
    rows = hospital.world.house.engines.records.instances(of, uid(STUDIES["US"]))
    hospital.keys.eraser.erase(of, Shelf.STUDY, {row.sealed.study_key_id for row in rows})


@then("the ultrasound is not found, and its object is counted as one without a key")
def _stays_erased(loss: Loss) -> None:
    assert loss.found(PatientID=PATIENT_ID) == {STUDIES["CT"], STUDIES["DX"]}
    assert (loss.told("adopted"), loss.told("keyless"), loss.told("wanting")) == (2, 1, 0)


@given(parsers.parse("someone with access to the store {does}"))
def _hostile(loss: Loss, does: str) -> None:
    ways: dict[str, Callable[[Loss], None]] = {
        "stores a picture sealed under a key of its own": _inject,
        "copies the CT under another name": _copy,
        "gives the CT the name of the study of another patient": _swap_headers,
        "flips a byte of the CT's label": lambda loss: _flip(loss, LABEL_AT + 20),
        "flips a byte of the CT's wrapped key": lambda loss: _flip(loss, 70),
        "flips a byte of the CT's pixels": lambda loss: _flip(loss, -5000),
        "cuts the end off the CT": _cut,
        "puts a file of its own among the objects": _put_file,
    }
    ways[does](loss)


def _write(loss: Loss, kind: str, content: bytes) -> None:
    path = loss.objects[kind]
    path.chmod(0o600)
    path.write_bytes(content)
    loss.strange, loss.of = path.name, STUDIES[kind]


def _put(loss: Loss, name: ObjectId, content: bytes) -> None:
    loss.hospital.world.house.engines.blobs.put(name, [content])
    loss.strange = str(name)


def _inject(loss: Loss) -> None:
    """Seal a picture as the archive would, under a key that claims to be the CT's."""
    kept = loss.objects["CT"].read_bytes()
    stolen = ForgettableKey(KeyId(UUID(bytes=kept[24:40])), os.urandom(32))
    other = picture("US", 9, study=77)
    identity = Identity(
        loss.hospital.keys.institution,
        cast("Uid", other.study_instance_uid),
        cast("Uid", other.series_instance_uid),
        cast("Uid", other.sop_instance_uid),
        uid("1.2.840.10008.5.1.4.1.1.6.1"),
    )
    name = new_object_id()
    envelope = seal_envelope(stolen, identity, name, uid("1.2.840.10008.1.2.1"), bytes.fromhex(other.sha256))
    body = seal(envelope.dek, envelope.context, [other.stream])
    _put(loss, name, envelope.header + b"".join(map(bytes, body)))


def _copy(loss: Loss) -> None:
    _put(loss, new_object_id(), loss.objects["CT"].read_bytes())


def _swap_headers(loss: Loss) -> None:
    """Put the head of another study's object before the CT's body, with the CT's own name in it."""
    ct, us = (loss.objects[kind].read_bytes() for kind in ("CT", "US"))
    end = [LABEL_AT + int.from_bytes(one[100:104], "big") for one in (ct, us)]
    _write(loss, "CT", us[:8] + ct[8:24] + us[24 : end[1]] + ct[end[0] :])


def _flip(loss: Loss, at: int) -> None:
    content = bytearray(loss.objects["CT"].read_bytes())
    content[at] ^= 1
    _write(loss, "CT", bytes(content))


def _cut(loss: Loss) -> None:
    _write(loss, "CT", loss.objects["CT"].read_bytes()[:-1000])


def _put_file(loss: Loss) -> None:
    _put(loss, new_object_id(), b"MZ" + os.urandom(5000))


@then("that object is a finding and no row")
def _finding(loss: Loss) -> None:
    assert loss.verdict is not None
    (finding,) = loss.verdict.findings
    assert finding.problem.startswith(loss.strange)
    rows = loss.hospital.rows()
    assert rows == loss.told("adopted") == len(PICTURES) - bool(loss.of)


@then("every other study is found again")
def _others(loss: Loss) -> None:
    assert loss.found(PatientID=PATIENT_ID) == set(STUDIES.values()) - {loss.of}


# --- interruptions ----------------------------------------------------------------------------


@when("the database is lost and the rebuild is interrupted twice")
def _interrupted(loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    loss.lose()
    blobs = loss.hospital.world.house.engines.blobs
    opened, calls = blobs.open, iter(range(1000))

    def failing(name: ObjectId) -> AbstractContextManager[Blob]:
        # Each object is opened twice, first for its header only.
        if next(calls) in {2, 5}:
            raise Unavailable("the disk is gone")
        return opened(name)

    monkeypatch.setattr(blobs, "open", failing)
    for rows in (1, 2):
        with pytest.raises(Unavailable):
            loss.rebuild()
        assert loss.hospital.rows() == rows
    monkeypatch.setattr(blobs, "open", opened)


@then("the archive does not open its doors")
def _closed(loss: Loss) -> None:
    house: House = loss.hospital.world.house
    nothing = cast("Settings", None)
    with pytest.raises(Unavailable, match="being rebuilt"):
        serving._recover(nothing, house)


@then("nothing is swept meanwhile")
def _unswept(loss: Loss) -> None:
    for path in loss.objects.values():
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - timedelta(days=3).total_seconds()))
    operator = loss.hospital.subject(Role.OPERATOR)
    verdict = loss.hospital.world.archive.verify.check_archive(operator, deep=False)
    assert [finding.place for finding in verdict.findings] == ["index"]
    assert all(path.exists() for path in loss.objects.values())


@when("the rebuild is run to its end")
def _to_the_end(loss: Loss) -> None:
    assert loss.rebuild().findings == ()


@then("no picture is there twice")
def _once(loss: Loss) -> None:
    assert loss.hospital.rows() == len(PICTURES)
    assert (loss.told("known"), loss.told("duplicates")) == (2, 0)


@when("somebody asks for a rebuild of the index that is there", target_fixture="refused")
def _not_empty(loss: Loss) -> tuple[int, Any]:
    entries = len(loss.hospital.entries())
    with pytest.raises(Conflict) as refused:
        loss.rebuild()
    return entries, refused.value


@then("it is refused, and nothing has changed")
def _refused(loss: Loss, refused: tuple[int, Any]) -> None:
    entries, error = refused
    assert "empty" in str(error)
    assert (len(loss.hospital.entries()), loss.hospital.rows()) == (entries, len(PICTURES))
    assert loss.hospital.world.house.engines.rebuilds.newest() is None
