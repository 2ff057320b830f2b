"""The second store follows the first: what is put is copied, what was removed goes, and nothing else ever goes."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from pacs_secure.archive import replication as module
from pacs_secure.archive.copies import Copies
from pacs_secure.archive.left_over import DEAD_AFTER, YOUNG_FOR
from pacs_secure.archive.replication import ALARM_AFTER, COMPARED_EVERY, TRIED_AGAIN_AFTER, Replication
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Denied, Unavailable
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.core.rebuilding import RebuildState
from tests.builders import subject, young_object_id
from tests.fakes_blobs import MemoryBlobs
from tests.fakes_rebuilds import MemoryRebuilds
from tests.unit.archive.instances import acts, data_set, store
from tests.world import World, memory_world

OPERATOR = subject(Role.OPERATOR)
NOTE = {"protocol": "test"}


class Pair:
    """An archive with two stores, and a clock that a test may set."""

    def __init__(self) -> None:
        self.second = MemoryBlobs()
        self.world: World = memory_world(self.second)
        self.first = self.world.blobs
        self.now = datetime.now(UTC)
        self.copies = Copies([self.first, self.second], lambda: 0.0)
        self.rebuilds = MemoryRebuilds(self.world.records)
        guard, records = self.world.archive.guard, self.world.records
        self.replication = Replication(
            guard, records, self.first, self.second, self.copies, self.rebuilds, lambda: self.now
        )
        self.alarms: list[Mapping[str, str | int]] = []

    def put(self, content: bytes = b"abc") -> ObjectId:
        name = young_object_id()
        self.first.put(name, [content])
        self.replication.stored(name)
        return name

    def alarm(self, kind: str, facts: Mapping[str, str | int]) -> None:
        assert kind == "objects"
        self.alarms.append(facts)

    def look(self, *, leads: bool = False) -> None:
        self.replication.look(OPERATOR, self.alarm, leads=leads)

    def age(self, blobs: MemoryBlobs, by: timedelta = 2 * DEAD_AFTER) -> None:
        blobs._written = {name: at - by for name, at in blobs._written.items()}


@pytest.fixture
def pair() -> Pair:
    return Pair()


# --- what is put ------------------------------------------------------------------------------


def test_what_an_archive_stores_is_copied_byte_for_byte_and_read_from_either(pair: Pair) -> None:
    store(pair.world, data_set(pixels=b"0123456789" * 300_000, frames=60))
    replication = pair.world.archive.replication
    assert replication is not None
    assert replication.standing().waiting == 1

    assert (replication.step(), replication.step()) == (1, 0)
    assert pair.second.stored == pair.first.stored
    assert replication.standing().waiting == 0


def test_the_oldest_object_that_waits_says_how_far_behind_the_second_store_is(pair: Pair) -> None:
    assert pair.replication.standing().lag(pair.now) == 0
    pair.put()
    pair.now += timedelta(seconds=30)
    pair.put()

    standing = pair.replication.standing()
    assert (standing.waiting, standing.lag(pair.now), standing.compared) == (2, 30, None)


def test_while_the_second_store_is_away_objects_wait_and_are_copied_afterwards(pair: Pair) -> None:
    names = [pair.put() for _ in range(3)]
    pair.second.down = True
    for _ in range(4):
        with pytest.raises(Unavailable):
            pair.look()
    assert pair.replication.standing().waiting == 3

    pair.second.down = False
    pair.look()
    assert set(pair.second.stored) == set(names)


def test_one_object_that_cannot_be_read_holds_up_no_other(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = pair.put(), pair.put()
    whole = MemoryBlobs.put

    def put(self: MemoryBlobs, object_id: ObjectId, parts: Iterable[bytes]) -> int:
        if object_id == bad:
            raise Unavailable("a bad sector")
        return whole(self, object_id, parts)

    monkeypatch.setattr(MemoryBlobs, "put", put)
    for _ in range(2):
        with pytest.raises(Unavailable):
            pair.replication.step()
    assert set(pair.second.stored) == {good}
    assert pair.replication.standing().waiting == 1


def test_an_object_that_gives_fewer_bytes_than_it_is_long_is_not_copied(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.put()
    monkeypatch.setattr("tests.fakes_blobs.MemoryBlob.read_at", lambda *_: b"a")

    with pytest.raises(Unavailable):
        pair.replication.step()
    assert pair.second.stored == {}


def test_an_object_that_is_there_already_or_was_removed_meanwhile_is_no_error(pair: Pair) -> None:
    there, gone = pair.put(), pair.put()
    pair.second.put(there, [b"abc"])
    pair.first.remove(gone)

    assert pair.replication.step() == 0
    assert set(pair.second.stored) == {there}


def test_an_object_that_is_removed_while_it_is_copied_is_in_neither_store(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, whole = pair.put(), MemoryBlobs.put

    def put(self: MemoryBlobs, object_id: ObjectId, parts: Iterable[bytes]) -> int:
        pair.first.remove(name)
        pair.replication.removed(name)
        return whole(self, object_id, parts)

    monkeypatch.setattr(MemoryBlobs, "put", put)
    assert pair.replication.step() == 0
    assert (pair.first.stored, pair.second.stored) == ({}, {})


def test_an_object_that_is_put_off_and_removed_meanwhile_no_longer_waits(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = pair.put()

    def put(self: MemoryBlobs, object_id: ObjectId, parts: Iterable[bytes]) -> int:
        pair.replication.removed(name)
        raise Unavailable("away")

    monkeypatch.setattr(MemoryBlobs, "put", put)
    with pytest.raises(Unavailable):
        pair.replication.step()
    assert pair.replication.standing().waiting == 0


def test_what_the_queue_cannot_hold_is_found_by_comparing(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.look(leads=True)
    monkeypatch.setattr(module, "MOST_WAITING", 1)
    pair.put()
    pair.put()
    assert pair.replication.standing() == module.Standing(1, pair.now, None)

    pair.now += TRIED_AGAIN_AFTER
    pair.look(leads=True)
    assert len(pair.second.stored) == 2


# --- what is removed --------------------------------------------------------------------------


def test_what_the_archive_removes_goes_from_the_first_store_and_then_from_the_second(pair: Pair) -> None:
    store(pair.world)
    archive, blobs = pair.world.archive, pair.world.archive.ingest.blobs
    assert archive.replication is not None
    archive.replication.step()
    (name,) = pair.second.stored

    pair.first.down = True
    with pytest.raises(Unavailable):
        blobs.remove(name)
    assert set(pair.second.stored) == {name}
    pair.first.down, pair.second.down = False, True
    with pytest.raises(Unavailable):
        blobs.remove(name)
    assert pair.first.stored == {}
    pair.second.down = False
    blobs.remove(name)
    assert pair.second.stored == {}


def test_what_a_crash_left_in_the_second_store_only_goes_after_a_day(pair: Pair) -> None:
    store(pair.world)  # which the index names
    name = pair.put()
    pair.look(leads=True)
    pair.first.remove(name)

    assert pair.replication.mend(OPERATOR, details=NOTE).removed == 0
    pair.age(pair.second)
    found = pair.replication.mend(OPERATOR, details=NOTE)
    assert (found.extra, found.removed, pair.second.stored) == (1, 1, pair.first.stored)


def test_what_is_older_than_what_a_crash_leaves_stays_in_the_second_store_and_is_an_alarm(pair: Pair) -> None:
    store(pair.world)
    name = pair.put()
    pair.look(leads=True)
    pair.first.remove(name)
    pair.age(pair.second, YOUNG_FOR + timedelta(minutes=1))
    pair.now += COMPARED_EVERY

    pair.look(leads=True)
    assert name in pair.second.stored
    assert pair.alarms == [{"store": "first", "refused": 1}]


@pytest.mark.parametrize("ended", [True, False])
def test_what_is_from_before_a_restore_or_rebuild_stays_in_the_second_store(pair: Pair, *, ended: bool) -> None:
    store(pair.world)
    name = pair.put()
    pair.look(leads=True)
    pair.first.remove(name)
    pair.age(pair.second)
    pair.rebuilds.state = RebuildState(pair.now, pair.now if ended else None)

    found = pair.replication.mend(OPERATOR, details=NOTE)
    assert (found.removed, found.refused, name in pair.second.stored) == (0, 1, True)


def test_what_a_row_names_by_now_stays_in_the_second_store(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    store(pair.world)
    name = pair.put()
    pair.look(leads=True)
    pair.first.remove(name)
    pair.age(pair.second)
    monkeypatch.setattr(pair.world.records, "naming_objects", frozenset)

    found = pair.replication.mend(OPERATOR, details=NOTE)
    assert (found.removed, name in pair.second.stored) == (0, True)


def test_a_first_store_that_lost_everything_is_filled_again_from_the_second(pair: Pair) -> None:
    store(pair.world, data_set(1), data_set(2))
    pair.replication.mend(OPERATOR, details=NOTE)
    kept = dict(pair.second.stored)
    pair.first.stored.clear()
    pair.age(pair.second)

    found = pair.replication.mend(OPERATOR, details=NOTE)
    assert (found.restored, found.removed) == (2, 0)
    assert pair.first.stored == pair.second.stored == kept
    pair.look()
    assert (pair.alarms[0]["store"], pair.alarms[0]["damaged"]) == ("first", 2)


def test_an_index_that_names_none_of_many_empties_nothing_and_is_an_alarm(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DEAD", 2)
    for _ in range(3):
        pair.second.put(young_object_id(), [b"abc"])
    pair.age(pair.second)

    pair.look(leads=True)
    assert len(pair.second.stored) == 3
    assert pair.alarms == [{"store": "first", "refused": 3}]


# --- comparing --------------------------------------------------------------------------------


def test_comparing_says_what_differs_and_changes_nothing(pair: Pair) -> None:
    same, other, missing, extra = (young_object_id() for _ in range(4))
    for name in (same, other, missing):
        pair.first.put(name, [b"abc"])
    for name, content in ((same, b"abc"), (other, b"ab"), (extra, b"abc")):
        pair.second.put(name, [content])
    pair.age(pair.second)
    before = dict(pair.second.stored)
    steps: list[int] = []

    found = pair.replication.compare(OPERATOR, details=NOTE, progress=steps.append)
    assert (found.objects, found.octets, found.missing, found.differing, found.extra) == (3, 9, 1, 1, 1)
    assert (found.copied, found.removed, pair.second.stored, len(steps)) == (0, 0, before, 3)
    assert acts(pair.world) == [("archive:verify", "begun"), ("archive:verify", "completed")]

    mended = pair.replication.mend(OPERATOR, details=NOTE)
    assert (mended.copied, mended.removed, set(pair.second.stored)) == (1, 1, {same, other, missing})
    pair.look()
    assert pair.alarms == [{"store": "second", "damaged": 1, "objects": str(other)}]


def test_only_who_may_verify_compares(pair: Pair) -> None:
    with pytest.raises(Denied):
        pair.replication.compare(subject(Role.CLINICIAN), details=NOTE)


def test_a_comparison_that_fails_is_on_record_and_tried_again_after_a_while(pair: Pair) -> None:
    pair.second.down = True
    with pytest.raises(Unavailable):
        pair.look(leads=True)
    pair.look(leads=True)
    assert acts(pair.world) == [("archive:verify", "begun"), ("archive:verify", "failed")]

    pair.second.down = False
    pair.now += TRIED_AGAIN_AFTER
    pair.look(leads=True)
    assert pair.replication.standing().compared == pair.now


def test_the_archive_that_leads_compares_when_it_starts_and_once_a_day(pair: Pair) -> None:
    name = young_object_id()
    pair.first.put(name, [b"abc"])  # by a process that is no more
    pair.look()
    assert pair.second.stored == {}

    pair.look(leads=True)
    assert set(pair.second.stored) == {name}
    pair.now += COMPARED_EVERY - timedelta(seconds=1)
    pair.look(leads=True)
    pair.now += timedelta(seconds=1)
    pair.look(leads=True)
    assert len(acts(pair.world)) == 4


def test_what_is_put_while_both_stores_are_compared_does_not_wait_for_the_end(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPARED_AT_ONCE", 2)
    for _ in range(6):
        pair.first.put(young_object_id(), [b"abc"])
    put: list[ObjectId] = []
    waiting: list[int] = []

    def progress(_: int) -> None:
        waiting.append(pair.replication.standing().waiting)
        if len(waiting) == 1:
            put.append(pair.put())

    pair.replication.mend(OPERATOR, details=NOTE, progress=progress)
    assert waiting[:3] == [0, 1, 0]
    assert put[0] in pair.second.stored


def test_an_archive_that_ends_does_not_wait_for_a_long_comparison(pair: Pair) -> None:
    for _ in range(5):
        pair.first.put(young_object_id(), [b"abc"])
    seen: list[int] = []

    def progress(count: int) -> None:
        seen.append(count)
        pair.replication.stop()

    with pytest.raises(Unavailable):
        pair.replication.mend(OPERATOR, details=NOTE, progress=progress)
    assert len(seen) == 1
    assert acts(pair.world)[-1] == ("archive:verify", "failed")


# --- alarms -----------------------------------------------------------------------------------


def test_objects_that_wait_for_too_long_are_an_alarm_until_they_are_copied(pair: Pair) -> None:
    pair.put()
    pair.second.down = True
    for passed in (timedelta(0), ALARM_AFTER, timedelta(hours=1)):
        pair.now += passed
        with pytest.raises(Unavailable):
            pair.look()
    ((alarm),) = pair.alarms
    assert (alarm["store"], alarm["waiting"]) == ("second", 1)

    pair.second.down = False
    pair.look()
    pair.look()
    assert pair.alarms[1:] == [{"store": "second", "recovered": "yes"}]
