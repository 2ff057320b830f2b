"""No key goes without its tombstone, and no tombstone comes late."""

import pytest

from pacs_secure.archive.burying import Burying
from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import Shelf, Tombstone
from tests.builders import HERE, NOW
from tests.fakes_keys import FakeKeyring
from tests.fakes_tombstones import MemoryTombstones


def test_a_key_is_buried_then_deleted_and_again_if_need_be() -> None:
    keyring, tombstones = FakeKeyring(), MemoryTombstones()
    key_ids = [keyring.mint(HERE, Shelf.LEDGER).key_id for _ in range(3)]
    burying = Burying(keyring, tombstones, lambda: NOW)

    for _ in range(2):
        burying.erase(HERE, Shelf.LEDGER, key_ids)

    assert list(tombstones.all()) == [Tombstone(key_id, HERE, Shelf.LEDGER, NOW) for key_id in key_ids]
    assert keyring.lying(HERE, Shelf.LEDGER, key_ids) == frozenset()


def test_without_a_tombstone_nothing_is_deleted() -> None:
    keyring, tombstones = FakeKeyring(), MemoryTombstones()
    key_id = keyring.mint(HERE, Shelf.STUDY).key_id
    tombstones.down = True

    with pytest.raises(Unavailable):
        Burying(keyring, tombstones, lambda: NOW).erase(HERE, Shelf.STUDY, [key_id])
    assert keyring.lying(HERE, Shelf.STUDY, [key_id]) == {key_id}


def test_what_could_not_be_deleted_has_its_tombstone_all_the_same() -> None:
    keyring, tombstones = FakeKeyring(), MemoryTombstones()
    key_id = keyring.mint(HERE, Shelf.STUDY).key_id
    keyring.sealed = True

    with pytest.raises(Unavailable):
        Burying(keyring, tombstones, lambda: NOW).erase(HERE, Shelf.STUDY, [key_id])
    assert tombstones.holds(HERE, Shelf.STUDY, key_id)
