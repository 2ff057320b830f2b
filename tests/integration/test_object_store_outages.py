"""The object store is killed, stopped, full, or refuses: senders are told to try again, and nothing is lost.

A real SeaweedFS behind both doors; it is started again after each blow, and the archive never is.
"""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacs_secure.adapters.s3_blobs import S3Blobs
from pacs_secure.archive.replication import Replication
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import ObjectId
from tests.bdd.hospital import PART10, Hospital, Person, hospital_below
from tests.bdd.keys import MemoryKeys
from tests.bdd.pictures import Picture, picture
from tests.builders import new_object_id, subject
from tests.fakes_rebuilds import MemoryRebuilds
from tests.object_store_fixture import SECRET, ObjectServer
from tests.world import memory_world

pytestmark = pytest.mark.real

SUCCESS, TRY_AGAIN = 0x0000, 0xA700
RADIOLOGIST = Person(Role.RADIOLOGIST)
LONGEST_ANSWER = 15.0
"""Seconds in which a door answers when one request to the store may last one: a modality waits for longer."""


@pytest.fixture
def hospital(object_server: ObjectServer, tmp_path: Path) -> Iterator[Hospital]:
    with hospital_below(tmp_path, MemoryKeys(), S3Blobs(object_server.place(seconds=1))) as hospital:
        hospital.enrol("CT1", "radiology")
        eventually(lambda: hospital.send("CT1", picture(number=1)) == [SUCCESS])
        yield hospital


def read(hospital: Hospital, one: Picture) -> bytes:
    path = f"/studies/{one.study_instance_uid}/series/{one.series_instance_uid}/instances/{one.sop_instance_uid}"
    answer = hospital.get(RADIOLOGIST, path, PART10)
    assert answer.status_code == 200, answer.status_code
    return answer.content


def demand_away(hospital: Hospital) -> None:
    """Hold both doors to what is promised while the store does not do its work."""
    rows, began = hospital.rows(), time.monotonic()
    assert hospital.send("CT1", picture(number=2)) == [TRY_AGAIN]
    answer = hospital.upload(RADIOLOGIST, picture(number=3))
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert time.monotonic() - began < 2 * LONGEST_ANSWER
    assert hospital.rows() == rows
    assert hospital.search(RADIOLOGIST).status_code == 200


def demand_whole(hospital: Hospital) -> None:
    """Find what was acknowledged, and what is sent again, without a restart."""
    for number in (2, 3):
        assert hospital.send("CT1", picture(number=number)) == [SUCCESS]
    for number in (1, 2, 3):
        assert picture(number=number).data_set in read(hospital, picture(number=number))
    verdict = hospital.world.archive.verify.check_archive(hospital.subject(Role.OPERATOR), deep=True)
    assert (verdict.checked, verdict.findings) == (3, ())


def unreadable(hospital: Hospital) -> int:
    one = picture(number=1)
    return hospital.get(RADIOLOGIST, f"/studies/{one.study_instance_uid}", PART10).status_code


def test_while_the_store_is_gone_senders_keep_their_pictures_and_what_was_stored_is_there_afterwards(
    hospital: Hospital, object_server: ObjectServer
) -> None:
    object_server.kill()
    try:
        demand_away(hospital)
        assert unreadable(hospital) == 503
    finally:
        object_server.start()

    eventually(lambda: hospital.send("CT1", picture(number=2)) == [SUCCESS])
    demand_whole(hospital)


def test_a_store_that_takes_connections_and_says_nothing_is_not_waited_for(
    hospital: Hospital, object_server: ObjectServer
) -> None:
    object_server.pause()
    try:
        demand_away(hospital)
        assert unreadable(hospital) == 503
    finally:
        object_server.resume()

    eventually(lambda: hospital.send("CT1", picture(number=2)) == [SUCCESS])
    demand_whole(hospital)


def test_a_full_store_takes_nothing_and_still_gives_what_it_has(
    hospital: Hospital, object_server: ObjectServer
) -> None:
    object_server.kill()
    object_server.start("-volume.minFreeSpace=100")
    try:
        eventually(lambda: unreadable(hospital) == 200)
        demand_away(hospital)
        assert picture(number=1).data_set in read(hospital, picture(number=1))
    finally:
        object_server.kill()
        object_server.start()

    eventually(lambda: hospital.send("CT1", picture(number=2)) == [SUCCESS])
    demand_whole(hospital)


def test_refused_credentials_are_an_outage_until_the_file_is_mended(
    hospital: Hospital, object_server: ObjectServer
) -> None:
    object_server.write_credentials("not-the-secret")
    try:
        demand_away(hospital)
        assert unreadable(hospital) == 503
    finally:
        object_server.write_credentials(SECRET)

    demand_whole(hospital)


def eventually(true: Callable[[], bool], seconds: float = 20) -> None:
    patience = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < patience, "it did not come back"
        time.sleep(0.1)


def test_a_copying_that_is_cut_off_goes_on_where_it_was(object_server: ObjectServer) -> None:
    """The second store is killed half way; a process that knows nothing of the first one's queue ends the work."""
    second = S3Blobs(object_server.place(seconds=2))
    world = memory_world(second)
    names = [new_object_id() for _ in range(60)]
    for name in names:
        world.archive.ingest.blobs.put(name, [name.bytes * 5000])
    replication = world.archive.replication
    assert replication is not None
    killer = threading.Timer(0.1, object_server.kill)
    killer.start()
    try:
        with pytest.raises(Unavailable):
            copy_for_ever(replication, names)
    finally:
        killer.join()
        object_server.start()

    anew = Replication(
        world.archive.guard,
        world.records,
        world.blobs,
        second,
        world.archive.copies,
        MemoryRebuilds(world.records),
        lambda: datetime.now(UTC),
    )
    eventually(lambda: mended(anew))
    assert {stored.object_id: stored.length for stored in second.names()} == dict.fromkeys(names, 80_000)
    for name in names:
        with second.open(name) as blob:
            assert blob.read_at(0, blob.length) == world.blobs.stored[name]


def copy_for_ever(replication: Replication, names: list[ObjectId]) -> None:
    while True:
        replication.step()
        replication.stored(names[-1])


def mended(replication: Replication) -> bool:
    try:
        replication.mend(subject(Role.OPERATOR), details={})
    except Unavailable:
        return False
    return True
