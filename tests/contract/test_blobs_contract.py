"""What every store of objects keeps, held against disk, a real object store and memory alike."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.s3_blobs import S3Blobs
from pacs_secure.core.errors import Conflict, NotFound, Tampered
from pacs_secure.core.identifiers import ObjectId, object_id
from pacs_secure.ports import Blobs
from tests.fakes_blobs import MemoryBlobs


@pytest.fixture(params=["disk", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    if request.param == "memory":
        yield MemoryBlobs()
    elif request.param == "s3":
        yield S3Blobs(request.getfixturevalue("s3_place"))
    else:
        disk = DiskBlobs(tmp_path / "objects")
        yield disk
        disk.close()


def new_id() -> ObjectId:
    return object_id(1_790_000_000_000, os.urandom(10))


class TestBlobs:
    def test_what_was_put_is_read_back_whole(self, blobs: Blobs) -> None:
        name = new_id()

        assert blobs.put(name, [b"abc", bytearray(b"def"), memoryview(b"ghi")]) == 9
        with blobs.open(name) as blob:
            assert (blob.length, blob.read_at(0, blob.length)) == (9, b"abcdefghi")

    @pytest.mark.parametrize(
        ("offset", "length", "there"),
        [(0, 1, b"0"), (3, 4, b"3456"), (8, 9, b"89"), (10, 1, b""), (99, 5, b""), (2, 0, b"")],
    )
    def test_any_place_can_be_read_and_the_end_cuts_short(
        self, blobs: Blobs, offset: int, length: int, there: bytes
    ) -> None:
        name = new_id()
        blobs.put(name, [b"0123456789"])

        with blobs.open(name) as blob:
            assert blob.read_at(offset, length) == there

    def test_an_object_may_be_empty(self, blobs: Blobs) -> None:
        name = new_id()

        assert blobs.put(name, iter([b"", b""])) == 0
        with blobs.open(name) as blob:
            assert (blob.length, blob.read_at(0, 1)) == (0, b"")

    def test_an_object_of_several_mebibytes_is_the_same_bytes(self, blobs: Blobs) -> None:
        name, parts = new_id(), [os.urandom(1 << 20) for _ in range(5)]

        assert blobs.put(name, (memoryview(part) for part in parts)) == 5 << 20
        with blobs.open(name) as blob:
            assert blob.read_at(0, 6 << 20) == b"".join(parts)

    def test_a_taken_id_is_a_conflict_and_changes_nothing(self, blobs: Blobs) -> None:
        name = new_id()
        blobs.put(name, [b"first"])

        with pytest.raises(Conflict):
            blobs.put(name, [b"second"])
        with blobs.open(name) as blob:
            assert blob.read_at(0, 99) == b"first"

    def test_of_many_who_put_the_same_id_one_wins_whole(self, blobs: Blobs) -> None:
        name = new_id()

        def put(number: int) -> int | None:
            try:
                return blobs.put(name, [bytes([number]) * 1000] * 3) and number
            except Conflict:
                return None

        with ThreadPoolExecutor(8) as writers:
            winners = [number for number in writers.map(put, range(1, 17)) if number is not None]

        assert len(winners) == 1
        with blobs.open(name) as blob:
            assert blob.read_at(0, 9999) == bytes(winners) * 3000

    def test_many_different_objects_are_put_at_once(self, blobs: Blobs) -> None:
        names = [new_id() for _ in range(64)]
        with ThreadPoolExecutor(8) as writers:
            list(writers.map(lambda name: blobs.put(name, [name.bytes]), names))

        assert {stored.object_id for stored in blobs.names()} == set(names)
        for name in names:
            with blobs.open(name) as blob:
                assert blob.read_at(0, 99) == name.bytes

    def test_what_is_not_there_is_not_found(self, blobs: Blobs) -> None:
        blobs.put(new_id(), [b"another"])

        with pytest.raises(NotFound), blobs.open(new_id()):
            pass

    def test_a_removed_object_is_gone_and_removing_again_does_nothing(self, blobs: Blobs) -> None:
        name = new_id()
        blobs.put(name, [b"abc"])
        blobs.remove(name)
        blobs.remove(name)
        blobs.remove(new_id())

        with pytest.raises(NotFound), blobs.open(name):
            pass
        assert list(blobs.names()) == []

    def test_an_open_object_can_be_read_to_its_end_though_it_is_removed(self, blobs: Blobs) -> None:
        name = new_id()
        blobs.put(name, [b"abc"])

        with blobs.open(name) as blob:
            blobs.remove(name)
            assert blob.read_at(0, 3) == b"abc"

    def test_every_object_is_listed_with_its_length_and_time(self, blobs: Blobs) -> None:
        began = datetime.now(UTC) - timedelta(seconds=2)
        lengths = {new_id(): length for length in (0, 1, 70_000)}
        for name, length in lengths.items():
            blobs.put(name, [bytes(length)])

        stored = list(blobs.names())

        assert {one.object_id: one.length for one in stored} == lengths
        assert all(began <= one.written_at <= datetime.now(UTC) + timedelta(seconds=2) for one in stored)

    def test_objects_may_be_removed_while_they_are_listed(self, blobs: Blobs) -> None:
        for _ in range(20):
            blobs.put(new_id(), [b"abc"])

        for stored in blobs.names():
            blobs.remove(stored.object_id)

        assert list(blobs.names()) == []

    def test_an_error_while_the_parts_are_made_passes_and_stores_nothing(self, blobs: Blobs) -> None:
        name = new_id()

        def parts() -> Iterator[bytes]:
            yield b"abc"
            raise Tampered("half way")

        with pytest.raises(Tampered):
            blobs.put(name, parts())
        assert list(blobs.names()) == []
        blobs.put(name, [b"whole"])
