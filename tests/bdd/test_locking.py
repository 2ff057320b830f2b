"""Checkpoints that not even the house can take back, as features/locking.feature tells it: a real object lock."""

import base64
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.adapters.s3_requests import S3Requests
from pacs_secure.adapters.s3_strongroom import S3Strongroom
from pacs_secure.archive.locking import CheckpointLock
from pacs_secure.core.access import Action
from pacs_secure.crypto.tlog import checkpoint_text, sign_note
from tests.bdd.hospital import Hospital
from tests.bdd.pictures import picture
from tests.bdd.story import SUCCESS
from tests.object_store_fixture import ObjectServer
from tests.world import ORIGIN

scenarios("locking.feature")

UNTIL = "x-amz-object-lock-retain-until-date"


@dataclass
class Vaulted:
    """The bucket, and what was locked away in it."""

    place: S3Place
    key: str = ""
    note: bytes = b""
    head: Mapping[str, str] = field(default_factory=dict)

    @property
    def requests(self) -> S3Requests:
        return S3Requests(self.place)

    @property
    def strongroom(self) -> S3Strongroom:
        return S3Strongroom(self.place, 2, lambda: datetime.now(UTC))


@pytest.fixture
def vaulted(object_server: ObjectServer) -> Vaulted:
    return Vaulted(object_server.place(bucket=object_server.locked_bucket))


def look(hospital: Hospital, vaulted: Vaulted) -> None:
    """Do what a running archive does when it starts, and every minute."""

    def alarm(kind: str, facts: Mapping[str, str | int]) -> None:
        hospital.world.archive.guard.alarm(hospital.keys.institution, kind, facts)

    publisher = hospital.world.house.engines.publisher
    CheckpointLock(publisher, vaulted.strongroom, alarm, lambda: datetime.now(UTC)).look()


@given("its checkpoint was locked away")
def _locked(hospital: Hospital, vaulted: Vaulted) -> None:
    look(hospital, vaulted)
    publisher = hospital.world.house.engines.publisher
    vaulted.key = vaulted.place.key(f"checkpoints/{publisher.published():020}")
    vaulted.note = publisher.checkpoint() or b""
    vaulted.head = vaulted.requests.ask("HEAD", vaulted.key).headers


@given("somebody has kept a copy of everything that was published")
def _copy(hospital: Hospital) -> None:
    shutil.copytree(hospital.world.checkpoints, hospital.outside / "kept")


@given(parsers.parse('"{ae_title}" has sent another picture, and its checkpoint was locked away'))
def _another(hospital: Hospital, vaulted: Vaulted, ae_title: str) -> None:
    assert hospital.send(ae_title, picture(number=2)) == [SUCCESS]
    hospital.world.notary.attest()
    look(hospital, vaulted)


@when("somebody with the house's own credentials tries to delete, overwrite and unlock it")
def _attack(vaulted: Vaulted) -> None:
    requests, version = vaulted.requests, vaulted.head["x-amz-version-id"]
    bypass = {"x-amz-bypass-governance-retention": "true"}
    soon = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = f"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>{soon}</RetainUntilDate></Retention>".encode()
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    unlocking = requests.ask(
        "PUT", vaulted.key, {"retention": "", "versionId": version}, {**bypass, "content-md5": digest}, body
    )
    deleting = requests.ask("DELETE", vaulted.key, {"versionId": version}, bypass)
    assert [unlocking.status, deleting.status] == [HTTPStatus.FORBIDDEN] * 2
    requests.ask("PUT", vaulted.key, body=b"another history")
    requests.ask("DELETE", vaulted.key)


@when("everything that was published is put back as it was")
def _put_back(hospital: Hospital, vaulted: Vaulted) -> None:
    shutil.rmtree(hospital.world.checkpoints)
    shutil.copytree(hospital.outside / "kept", hospital.world.checkpoints)
    look(hospital, vaulted)


@when("the newest checkpoint is forged with the log's own key")
def _forge(hospital: Hospital, vaulted: Vaulted) -> None:
    signer, size = hospital.keys.signer, hospital.world.house.engines.publisher.published()
    text = checkpoint_text(ORIGIN, size, hashlib.sha256(b"another history").digest())
    (hospital.world.checkpoints / "checkpoint").write_bytes(
        sign_note(text, ORIGIN, signer.public_key(), signer.sign(text))
    )
    look(hospital, vaulted)


@then("the checkpoint is still what it was")
def _still(vaulted: Vaulted) -> None:
    kind, size = vaulted.key.rpartition("/")[0].rpartition("/")[2], vaulted.key.rpartition("/")[2]
    assert vaulted.strongroom.read(f"{kind}/{size}") == vaulted.note != b""


@then("its time has not become shorter")
def _no_shorter(vaulted: Vaulted) -> None:
    version = {"versionId": vaulted.head["x-amz-version-id"]}
    now = vaulted.requests.ask("HEAD", vaulted.key, version).headers
    assert (now[UNTIL], now["x-amz-object-lock-mode"]) == (vaulted.head[UNTIL], "COMPLIANCE")


@then(parsers.parse("an alarm on record says that {problem}"))
def _alarm(hospital: Hospital, problem: str) -> None:
    alarms = [entry["facts"] for entry in hospital.entries() if entry["action"] == Action.SYSTEM_ALARM]
    assert [facts["problem"] for facts in alarms] == [problem]
