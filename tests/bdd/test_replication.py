"""A second store of pictures, as features/replication.feature tells it: two places in a real object store."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.s3_blobs import S3Blobs
from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.adapters.s3_requests import S3Requests
from pacs_secure.archive.replication import ALARM_AFTER, Replication
from pacs_secure.core.access import Action, Role
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.ports import Blobs
from tests.bdd.hospital import PART10, Hospital, hospital_below
from tests.bdd.keys import MemoryKeys
from tests.bdd.pictures import picture
from tests.bdd.story import RADIOLOGIST, STUDY, SUCCESS, TRY_AGAIN, Story
from tests.object_store_fixture import SECRET, ObjectServer

scenarios("replication.feature")


@dataclass
class Store:
    """One of the two stores; it goes when its credentials are refused."""

    server: ObjectServer
    place: S3Place

    @property
    def blobs(self) -> S3Blobs:
        return S3Blobs(self.place)

    def go(self) -> None:
        self.server.write_credentials("not-the-secret", self.place.credentials_file)

    def come_back(self) -> None:
        self.server.write_credentials(SECRET, self.place.credentials_file)

    def objects(self) -> dict[ObjectId, bytes]:
        found = {}
        for stored in self.blobs.names():
            with self.blobs.open(stored.object_id) as blob:
                found[stored.object_id] = blob.read_at(0, blob.length)
        return found


Stores = tuple[Store, Store]


@pytest.fixture
def stores(object_server: ObjectServer, tmp_path: Path) -> Stores:
    made = []
    for name in ("first", "second"):
        file = object_server.write_credentials(SECRET, tmp_path / f"{name}.json")
        made.append(Store(object_server, replace(object_server.place(), credentials_file=file)))
    return made[0], made[1]


@pytest.fixture
def hospital(stores: Stores, tmp_path: Path) -> Iterator[Hospital]:
    first, second = stores
    with hospital_below(tmp_path, MemoryKeys(), first.blobs, second=second.blobs) as hospital:
        yield hospital


@pytest.fixture
def replication(hospital: Hospital) -> Replication:
    kept = hospital.world.archive.replication
    assert kept is not None
    return kept


def look(hospital: Hospital, replication: Replication) -> None:
    """Do what a running archive does every second."""

    def alarm(kind: str, facts: dict[str, str | int]) -> None:
        hospital.world.archive.guard.alarm(hospital.keys.institution, kind, facts)

    replication.look(hospital.subject(Role.OPERATOR), alarm, leads=False)  # type: ignore[arg-type]


def alarms(hospital: Hospital) -> list[dict[str, object]]:
    return [entry["facts"] for entry in hospital.entries() if entry["action"] == Action.SYSTEM_ALARM]


@given(parsers.parse('an archive with a second store of pictures and the modality "{ae_title}" of {department}'))
def _archive(hospital: Hospital, ae_title: str, department: str) -> None:
    hospital.enrol(ae_title, department)


# --- given and when ---------------------------------------------------------------------------


@given("the second store has caught up")
@when("the second store has caught up")
def _caught_up(hospital: Hospital, replication: Replication) -> None:
    look(hospital, replication)


@when("the first store is gone")
def _first_gone(stores: Stores) -> None:
    stores[0].go()


@given("the second store is gone")
def _second_gone(stores: Stores) -> None:
    stores[1].go()


@when("the second store is back and has caught up")
def _second_back(stores: Stores, hospital: Hospital, replication: Replication) -> None:
    stores[1].come_back()
    look(hospital, replication)


@when(parsers.re("someone (?P<touches>flips a byte of|cuts the end off|removes) the object in the first store"))
def _touch(stores: Stores, touches: str) -> None:
    ((name, content),) = stores[0].objects().items()
    stores[0].blobs.remove(name)
    changed = bytearray(content)
    if touches == "flips a byte of":
        changed[len(content) * 9 // 10] ^= 1
    elif touches == "cuts the end off":
        del changed[-1000:]
    if touches != "removes":
        stores[0].blobs.put(name, [changed])


@when('"CT1" sends the next picture')
def _next(hospital: Hospital, story: Story) -> None:
    story.statuses = hospital.send("CT1", picture(number=2))


@when("the object is removed from the archive")
def _remove(hospital: Hospital, stores: Stores) -> None:
    blobs: Blobs = hospital.world.archive.ingest.blobs
    for name in stores[0].objects():
        blobs.remove(name)


@when("somebody empties the first store")
def _empty(stores: Stores) -> None:
    requests = S3Requests(stores[0].place)
    for name in stores[0].objects():
        requests.ask("DELETE", stores[0].place.key("objects", name.hex[-2:], str(name)))
    assert stores[0].objects() == {}


@when("both stores are compared")
def _compare(hospital: Hospital, replication: Replication) -> None:
    replication.mend(hospital.subject(Role.OPERATOR), details={})
    look(hospital, replication)


# --- then -------------------------------------------------------------------------------------


@then("both stores hold the same sealed objects")
def _same(stores: Stores, hospital: Hospital) -> None:
    first, second = (store.objects() for store in stores)
    assert first == second
    assert len(first) == hospital.rows() > 0


@then("nothing waits to be copied")
def _nothing_waits(replication: Replication) -> None:
    assert replication.standing().waiting == 0


@then("a radiologist receives the picture unchanged")
def _unchanged(hospital: Hospital) -> None:
    answer = hospital.get(RADIOLOGIST, f"{STUDY}", PART10)
    assert answer.status_code == 200
    assert picture().data_set in answer.content


@then('"CT1" is told to try again later')
def _try_again(hospital: Hospital) -> None:
    assert hospital.send("CT1", picture(number=2)) == [TRY_AGAIN]


@then("an alarm on record says that a copy in the first store is damaged")
def _damage_alarm(hospital: Hospital, replication: Replication) -> None:
    look(hospital, replication)
    (facts,) = alarms(hospital)
    assert (facts["alarm"], facts["store"], facts["damaged"]) == ("objects", "first", 1)


@then("a deep verification still finds it wanting")
def _found(hospital: Hospital) -> None:
    verdict = hospital.world.archive.verify.check_archive(hospital.subject(Role.OPERATOR), deep=True)
    assert (verdict.checked, len(verdict.findings)) == (1, 1)


@then("it is taken in")
def _taken_in(story: Story) -> None:
    assert story.statuses == [SUCCESS]


@then("two pictures wait to be copied")
def _two_wait(replication: Replication) -> None:
    assert replication.standing().waiting == 2


@then("the officer hears of it when they have waited too long")
def _late(hospital: Hospital, replication: Replication, monkeypatch: pytest.MonkeyPatch) -> None:
    now = replication._now
    monkeypatch.setattr(replication, "_now", lambda: now() + ALARM_AFTER + timedelta(seconds=1))
    with pytest.raises(Unavailable):
        look(hospital, replication)
    (facts,) = alarms(hospital)
    assert (facts["store"], facts["waiting"]) == ("second", 2)


@then("the officer hears that it is over")
def _over(hospital: Hospital) -> None:
    assert alarms(hospital)[-1]["recovered"] == "yes"


@then("it is in neither store")
def _in_neither(stores: Stores) -> None:
    assert (stores[0].objects(), stores[1].objects()) == ({}, {})
