"""The walk through index, store and shelf is told by the tests of its verb; here, only its bounds."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pacs_secure.archive import store_check
from pacs_secure.archive.store_check import COPIED_AFTER, NOBODYS
from pacs_secure.core.access import Role
from pacs_secure.core.identifiers import KeyId, ObjectId
from pacs_secure.core.rebuilding import RebuildState
from tests.builders import subject, young_object_id
from tests.fakes_blobs import MemoryBlobs
from tests.fakes_rebuilds import MemoryRebuilds
from tests.unit.archive.instances import data_set, store
from tests.world import World, memory_world


def test_what_is_left_over_is_asked_for_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_check, "AT_ONCE", 2)
    store(world, *(data_set(study) for study in range(1, 6)))
    asked: list[int] = []
    naming = world.records.naming_keys

    def counting(keys: Collection[KeyId]) -> frozenset[KeyId]:
        asked.append(len(keys))
        return naming(keys)

    monkeypatch.setattr(world.records, "naming_keys", counting)
    verdict = world.archive.verify.check_archive(subject(Role.OPERATOR), deep=False)

    assert (verdict.told["keys"], verdict.told["keys_unnamed"], asked) == (5, 0, [2, 2, 1])


def test_the_listing_of_what_is_left_over_ends_where_it_is_too_much(world: World) -> None:
    store(world)
    for _ in range(store_check.MOST_DEAD * 3):
        name = young_object_id()
        world.blobs.put(name, [b"ciphertext"])
        world.blobs._written[name] -= timedelta(days=2)
    verdict = world.archive.verify.check_archive(subject(Role.OPERATOR), deep=False)

    assert [finding.place for finding in verdict.findings] == ["index"]
    assert verdict.told["swept"] == 0


# --- what may be somebody's picture -------------------------------------------------------------


def left(world: World, age: timedelta = timedelta(days=2)) -> ObjectId:
    """Put an object that no row names and that is so old."""
    name = young_object_id()
    world.blobs.put(name, [b"ciphertext"])
    world.blobs._written[name] -= age
    return name


def test_an_object_that_is_too_old_for_a_crash_and_has_no_row_is_a_finding_and_stays(world: World) -> None:
    store(world, data_set(1), data_set(2))
    (first, _) = world.blobs.stored
    world.blobs._written[first] -= timedelta(days=1000)
    del world.records._instances[next(iter(world.records._instances))]  # by an administrator of the database
    verdict = world.archive.verify.check_archive(subject(Role.OPERATOR), deep=True)

    assert [(one.place, one.problem) for one in verdict.findings] == [("store", f"{first}: {NOBODYS}")]
    assert (first in world.blobs.stored, verdict.told["swept"]) == (True, 0)


def test_what_was_there_before_a_restore_or_rebuild_ended_is_a_finding_and_stays(world: World) -> None:
    store(world)
    name = left(world)
    rebuilds = world.house.engines.rebuilds
    assert isinstance(rebuilds, MemoryRebuilds)
    rebuilds.state = RebuildState(datetime.now(UTC), datetime.now(UTC) - timedelta(days=1))
    verdict = world.archive.verify.check_archive(subject(Role.OPERATOR), deep=False)

    assert [one.problem for one in verdict.findings] == [f"{name}: {NOBODYS}"]
    assert (name in world.blobs.stored, verdict.told["swept"]) == (True, 0)


def test_a_clock_that_is_a_day_ahead_sweeps_nothing_that_is_being_taken_in(world: World) -> None:
    store(world, data_set(1))
    name = left(world, timedelta())
    verify = world.archive.verify
    ahead = replace(verify, store=replace(verify.store, now=lambda: verify.now() + timedelta(hours=25)))
    verdict = ahead.check_archive(subject(Role.OPERATOR), deep=False)

    assert (verdict.findings, verdict.told["swept"], name in world.blobs.stored) == ((), 0, True)


def test_what_a_row_names_by_the_time_it_would_be_removed_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world, data_set(1))
    name = left(world)
    answers = [frozenset(), frozenset({name})]
    monkeypatch.setattr(world.records, "naming_objects", lambda _: answers.pop(0))
    verdict = world.archive.verify.check_archive(subject(Role.OPERATOR), deep=False)

    assert (verdict.told["swept"], name in world.blobs.stored, answers) == (0, True, [])


# --- the second store -------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["shallow", "deep"])
def test_the_second_store_is_verified_too_once_it_has_had_time(way: str) -> None:
    deep = way == "deep"
    second = MemoryBlobs()
    world = memory_world(second)
    store(world, data_set(1), data_set(2))
    operator = subject(Role.OPERATOR)
    assert world.archive.verify.check_archive(operator, deep=deep).findings == ()

    instances = world.records._instances
    for key, indexed in instances.items():
        row = replace(indexed.row, received_at=indexed.row.received_at - 2 * COPIED_AFTER)
        instances[key] = replace(indexed, row=row)
    findings = world.archive.verify.check_archive(operator, deep=deep).findings
    assert [finding.place for finding in findings] == ["second store"] * 2
    second.stored = dict(world.blobs.stored)
    assert world.archive.verify.check_archive(operator, deep=deep).findings == ()
    name = next(iter(second.stored))
    second.stored[name] = second.stored[name][:-1]
    (finding,) = world.archive.verify.check_archive(operator, deep=deep).findings
    assert (finding.place, str(name) in finding.problem) == ("second store", True)

    second.down = True
    (finding,) = world.archive.verify.check_archive(operator, deep=deep).findings
    assert (finding.place, finding.problem) == ("second store", "it is out of reach")
