"""A key with a tombstone opens nothing, wherever it lies."""

import pytest

from pacs_secure.archive.living_keys import LivingKeys
from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import Shelf, Tombstone
from tests.builders import ELSEWHERE, HERE, NOW
from tests.fakes_keys import FakeKeyring
from tests.fakes_tombstones import MemoryTombstones


def test_forgotten_keys_are_left_out_though_they_are_on_the_shelf() -> None:
    keyring, tombstones = FakeKeyring(), MemoryTombstones()
    kept, forgotten = (keyring.mint(HERE, Shelf.STUDY) for _ in range(2))
    tombstones.bury([Tombstone(forgotten.key_id, HERE, Shelf.STUDY, NOW)])
    living = LivingKeys(keyring, tombstones)

    assert living.fetch(HERE, Shelf.STUDY, [kept.key_id, forgotten.key_id]) == {kept.key_id: kept}
    fetched = keyring.fetched
    assert living.fetch(HERE, Shelf.STUDY, [forgotten.key_id]) == {}
    assert keyring.fetched == fetched


def test_a_tombstone_of_another_shelf_or_house_closes_no_key_of_the_same_name() -> None:
    keyring, tombstones = FakeKeyring(), MemoryTombstones()
    kept = keyring.mint(HERE, Shelf.STUDY)
    there = [(ELSEWHERE, Shelf.STUDY), (HERE, Shelf.INDEX)]
    tombstones.bury([Tombstone(kept.key_id, of, shelf, NOW) for of, shelf in there])

    assert LivingKeys(keyring, tombstones).fetch(HERE, Shelf.STUDY, [kept.key_id]) == {kept.key_id: kept}


def test_without_the_tombstones_no_key_is_to_be_had() -> None:
    keyring, tombstones = FakeKeyring(), MemoryTombstones()
    kept = keyring.mint(HERE, Shelf.STUDY)
    tombstones.down = True

    with pytest.raises(Unavailable):
        LivingKeys(keyring, tombstones).fetch(HERE, Shelf.STUDY, [kept.key_id])
