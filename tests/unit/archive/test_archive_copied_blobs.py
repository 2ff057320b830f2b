"""The first store, written to as if it were alone."""

from datetime import timedelta

import pytest

from pacs_secure.archive.copied_blobs import CopiedBlobs
from pacs_secure.archive.copies import Copies
from pacs_secure.archive.replication import Replication
from pacs_secure.core.errors import NotFound, Unavailable
from tests.builders import NOW, new_object_id
from tests.fakes_blobs import MemoryBlobs
from tests.fakes_rebuilds import MemoryRebuilds
from tests.world import World


@pytest.fixture
def stores(world: World) -> tuple[CopiedBlobs, MemoryBlobs, MemoryBlobs]:
    first, second = MemoryBlobs(), MemoryBlobs()
    copies = Copies([first, second], lambda: 0.0)
    replication = Replication(
        world.archive.guard, world.records, first, second, copies, MemoryRebuilds(world.records), lambda: NOW
    )
    return CopiedBlobs(first, replication), first, second


Stores = tuple[CopiedBlobs, MemoryBlobs, MemoryBlobs]


def test_putting_does_not_wait_for_the_second_store(stores: Stores) -> None:
    blobs, first, second = stores
    second.down = True
    name = new_object_id()

    assert blobs.put(name, [b"abc"]) == 3
    assert first.stored == {name: b"abc"}


def test_reading_and_listing_are_the_first_stores_own(stores: Stores) -> None:
    blobs, _, second = stores
    here, there = new_object_id(), new_object_id()
    blobs.put(here, [b"abc"])
    second.put(there, [b"abc"])

    with blobs.open(here) as blob:
        assert blob.read_at(0, 3) == b"abc"
    with pytest.raises(NotFound), blobs.open(there):
        pass
    assert [stored.object_id for stored in blobs.names()] == [here]
    assert blobs.sweep_temporary(timedelta(hours=1)) == 0


def test_nothing_is_put_into_the_second_store_when_the_first_is_away(stores: Stores) -> None:
    blobs, first, second = stores
    first.down = True

    with pytest.raises(Unavailable):
        blobs.put(new_object_id(), [b"abc"])
    assert second.stored == {}
