"""The walk through index, store and shelf is told by the tests of its verb; here, only its bounds."""

from collections.abc import Collection
from datetime import timedelta

import pytest

from pacs_secure.archive import store_check
from pacs_secure.core.access import Role
from pacs_secure.core.identifiers import KeyId
from tests.builders import new_object_id, subject
from tests.unit.archive.instances import data_set, store
from tests.world import World


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
        name = new_object_id()
        world.blobs.put(name, [b"ciphertext"])
        world.blobs._written[name] -= timedelta(days=2)
    verdict = world.archive.verify.check_archive(subject(Role.OPERATOR), deep=False)

    assert [finding.place for finding in verdict.findings] == ["index"]
    assert verdict.told["swept"] == 0
