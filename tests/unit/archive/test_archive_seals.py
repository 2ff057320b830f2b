"""Sealing and opening: nothing opens without a Grant for that very study, nor when a byte of it changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from uuid import uuid4

import pytest

from pacs_secure.archive.copies import Copies
from pacs_secure.archive.seals import PIECE, Opener, Sealer
from pacs_secure.core.access import Action, Grant, Role
from pacs_secure.core.errors import ArchiveError, Conflict, Denied, NotFound, Tampered, Unavailable
from pacs_secure.core.identifiers import KeyId, ObjectId, Uid
from pacs_secure.core.instance import InstanceRow
from pacs_secure.crypto.envelope import is_packed
from pacs_secure.crypto.stream import opened_length
from pacs_secure.ports import Shelf
from tests.builders import ELSEWHERE, HERE, grant, new_object_id, study_facts, subject
from tests.fakes_blobs import MemoryBlob, MemoryBlobs
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import World, memory_world

SIZES = (0, 1, 16_384, 3 * PIECE + 5)


def opener_of(world: World) -> Opener:
    return world.archive.retrieve.opener


def rows_of(world: World, study: int = 1) -> list[InstanceRow]:
    return list(world.records.instances(HERE, study_facts(study_uid(study)).study_instance_uid))


def granted(study: int = 1) -> Grant:
    return grant(study=study_facts(study_uid(study)))


def kept(world: World, content: bytes | None = None) -> InstanceRow:
    store(world, content or data_set(pixels=b"0123456789" * 5_000))
    return rows_of(world)[0]


WAYS: dict[str, Callable[[Opener, Grant, InstanceRow], Iterator[bytes]]] = {
    "whole": lambda opener, given, row: opener.whole(given, row),
    "span": lambda opener, given, row: opener.span(given, row, 0, row.sealed.plaintext_length),
    "metadata": lambda opener, given, row: opener.metadata(given, [row]),
}


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_opens_to_the_same_bytes(world: World, size: int) -> None:
    content = data_set() + b"\xe0\x7f\x10\0OB\0\0" + (size + size % 2).to_bytes(4, "little") + bytes(size + size % 2)
    row = kept(world, content)
    whole = b"".join(opener_of(world).whole(granted(), row))

    assert whole[128:132] == b"DICM"
    assert whole[row.data_set_offset :] == content
    assert b"".join(opener_of(world).span(granted(), row, row.data_set_offset, len(whole))) == content


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 1), (5, 20_000), (16_384, 16_385), (40_000, 50_000)])
def test_any_span_opens_alone(world: World, start: int, stop: int) -> None:
    row = kept(world)
    whole = b"".join(opener_of(world).whole(granted(), row))

    assert b"".join(opener_of(world).span(granted(), row, start, stop)) == whole[start:stop]


def test_memory_stays_flat_whatever_the_object_s_size(world: World) -> None:
    row = kept(world, data_set(pixels=bytes(60_000) * 80, frames=80))
    opened = opener_of(world)

    assert max(map(len, opened.whole(granted(), row))) <= PIECE + 16_384
    assert max(map(len, opened.span(granted(), row, 7, row.sealed.plaintext_length))) <= PIECE


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "other",
    [
        grant(study=study_facts(study_uid(2))),
        grant(subject(of=ELSEWHERE), study=study_facts(study_uid(1), of=ELSEWHERE)),
        grant(action=Action.STUDY_SEARCH),
        grant(),
    ],
    ids=["another study", "another institution", "a search", "no study"],
)
def test_nothing_opens_without_a_grant_for_that_very_study(world: World, way: str, other: Grant) -> None:
    row = kept(world)
    world.house.drop_keys()
    fetched = world.keyring.fetched

    with pytest.raises(Denied):
        list(WAYS[way](opener_of(world), other, row))
    assert world.keyring.fetched == fetched


def test_one_row_of_another_study_keeps_all_metadata_closed(world: World) -> None:
    store(world, data_set(1), data_set(2))

    with pytest.raises(Denied):
        next(opener_of(world).metadata(granted(), [*rows_of(world, 1), *rows_of(world, 2)]))


def test_verification_may_open_everything(world: World) -> None:
    row = kept(world)
    operator = grant(subject(Role.OPERATOR), Action.ARCHIVE_VERIFY)

    opener_of(world).prove(operator, row)
    assert list(opener_of(world).metadata(operator, [row]))


# --- every way to tamper ------------------------------------------------------------------------


def flip(world: World, row: InstanceRow, place: int) -> None:
    content = bytearray(world.blobs.stored[row.sealed.object_id])
    content[place] ^= 1
    world.blobs.stored[row.sealed.object_id] = bytes(content)


def test_a_flipped_byte_anywhere_in_the_body_opens_nothing_changed(world: World) -> None:
    row = kept(world)
    true = b"".join(opener_of(world).whole(granted(), row))
    for place in range(row.sealed.header_length, row.sealed.stored_length, 997):
        flip(world, row, place)
        released = bytearray()
        with pytest.raises(Tampered):
            take(opener_of(world).whole(granted(), row), released)
        assert true.startswith(released)
        with pytest.raises(Tampered):
            opener_of(world).prove(granted(), row)
        flip(world, row, place)


def take(pieces: Iterator[bytes], released: bytearray) -> None:
    for piece in pieces:
        released.extend(piece)


def cut_end(world: World, row: InstanceRow) -> InstanceRow:
    world.blobs.stored[row.sealed.object_id] = world.blobs.stored[row.sealed.object_id][:-1]
    return row


def remove(world: World, row: InstanceRow) -> InstanceRow:
    del world.blobs.stored[row.sealed.object_id]
    return row


def other_object(world: World, row: InstanceRow) -> InstanceRow:
    """Put a whole object of the same study and length in its place."""
    store(world, data_set(1, 2, pixels=b"9876543210" * 5_000))
    other = rows_of(world)[1]
    world.blobs.stored[row.sealed.object_id] = world.blobs.stored[other.sealed.object_id]
    return row


def shorter_and_row_too(world: World, row: InstanceRow) -> InstanceRow:
    cut_end(world, row)
    return replace(row, sealed=replace(row.sealed, stored_length=row.sealed.stored_length - 1))


def other_identity(_: World, row: InstanceRow) -> InstanceRow:
    return replace(row, identity=replace(row.identity, sop_instance_uid=row.identity.series_instance_uid))


def other_commitment(_: World, row: InstanceRow) -> InstanceRow:
    return replace(row, sealed=replace(row.sealed, commitment=bytes(32)))


def other_key(world: World, row: InstanceRow) -> InstanceRow:
    store(world, data_set(2))
    return replace(row, sealed=replace(row.sealed, study_key_id=rows_of(world, 2)[0].sealed.study_key_id))


@pytest.mark.parametrize("way", ["whole", "span"])
@pytest.mark.parametrize(
    "tamper", [cut_end, remove, other_object, shorter_and_row_too, other_identity, other_commitment, other_key]
)
def test_a_swapped_cut_or_relabelled_object_does_not_open(
    world: World, way: str, tamper: Callable[[World, InstanceRow], InstanceRow]
) -> None:
    row = tamper(world, kept(world))

    with pytest.raises(Tampered):
        list(WAYS[way](opener_of(world), granted(), row))


def test_metadata_of_another_instance_does_not_open(world: World) -> None:
    store(world, data_set(1, 1), data_set(1, 2))
    one, other = rows_of(world)

    with pytest.raises(Tampered):
        list(opener_of(world).metadata(granted(), [replace(one, metadata_box=other.metadata_box)]))
    with pytest.raises(Tampered):
        opener_of(world).prove(granted(), replace(one, metadata_box=other.metadata_box))


def test_what_is_proved_is_the_digest_of_the_data_set(world: World) -> None:
    row = kept(world)

    assert world.archive.search.seals.index(HERE).fingerprint(opener_of(world).prove(granted(), row).sha256) == (
        row.data_set_fingerprint
    )


@pytest.mark.parametrize("size", [0, 100, 2 * PIECE])
def test_what_is_untouched_proves(world: World, size: int) -> None:
    opener_of(world).prove(granted(), kept(world, data_set(pixels=bytes(size), frames=max(1, size // 16_384))))


@pytest.mark.parametrize("way", WAYS)
def test_what_was_forgotten_is_not_found(world: World, way: str) -> None:
    row = kept(world)
    world.house.drop_keys()
    world.keyring.forget(row.sealed.study_key_id)

    with pytest.raises(NotFound) as gone:
        list(WAYS[way](opener_of(world), granted(), row))
    assert type(gone.value) is NotFound


@pytest.mark.parametrize("engine", ["keyring", "blobs"])
def test_what_is_out_of_reach_is_unavailable_not_tampered(world: World, engine: str) -> None:
    row = kept(world)
    world.house.drop_keys()
    world.keyring.sealed, world.blobs.down = engine == "keyring", engine == "blobs"

    with pytest.raises(Unavailable):
        list(opener_of(world).whole(granted(), row))


def test_the_metadata_of_a_study_costs_one_fetch_of_keys(world: World) -> None:
    store(world, data_set(1, 1))
    world.house.drop_keys()  # the next object gets another key
    store(world, data_set(1, 2))
    world.house.drop_keys()
    fetched = world.keyring.fetched
    rows = rows_of(world)

    assert len(list(opener_of(world).metadata(granted(), rows))) == 2
    assert len({row.sealed.study_key_id for row in rows}) == 2
    assert world.keyring.fetched == fetched + 1


def test_no_two_objects_share_a_data_encryption_key(world: World) -> None:
    store(world, data_set(1, 1), data_set(1, 2))
    one, other = rows_of(world)

    assert one.sealed.study_key_id == other.sealed.study_key_id
    assert one.sealed.wrapped_dek != other.sealed.wrapped_dek
    assert one.sealed.commitment != other.sealed.commitment


def test_an_object_id_that_is_taken_is_never_written_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = kept(world)
    before = dict(world.blobs.stored)
    monkeypatch.setattr(world.archive.ingest.sealer, "_new_object_id", lambda: row.sealed.object_id)

    with pytest.raises(Conflict):
        store(world, data_set(1, 2))
    assert world.blobs.stored == before


def test_an_unknown_key_id_is_not_found(world: World) -> None:
    row = kept(world)
    unknown = replace(row, sealed=replace(row.sealed, study_key_id=KeyId(uuid4())))

    with pytest.raises(ArchiveError):
        list(opener_of(world).whole(granted(), unknown))


# --- two stores -------------------------------------------------------------------------------


NOISE = Random(7).randbytes(3_000_000)
SLOW = bytes(at for number in range(1_500_000) for at in (NOISE[number], number // 90_000))
"""16-bit pixels whose high bytes change slowly: worth packing."""


@pytest.mark.parametrize("way", ["whole", "span"])
@pytest.mark.parametrize("pixels", [NOISE, SLOW], ids=["plain", "packed"])
@pytest.mark.parametrize("place", [5, 700, 100_000, 1_400_000, -20, -1], ids=str)
def test_a_damaged_copy_is_made_good_from_the_second_store_half_way_through(
    way: str, pixels: bytes, place: int
) -> None:
    second = MemoryBlobs()
    world = memory_world(second)
    row = kept(world, data_set(pixels=pixels, frames=60))
    name = row.sealed.object_id
    second.stored[name] = content = world.blobs.stored[name]
    damaged = bytearray(content)
    damaged[place] ^= 1
    intact = b"".join(WAYS[way](opener_of(world), granted(), row))
    world.blobs.stored[name] = bytes(damaged)

    assert is_packed(row.sealed) == (pixels is SLOW)
    assert b"".join(WAYS[way](opener_of(world), granted(), row)) == intact
    told: list[object] = []
    world.archive.copies.tell(lambda kind, facts: told.append((kind, facts["objects"])))
    # What is before the body is a label: no reader looks at it.
    assert told == ([] if 0 <= place < row.sealed.header_length else [("objects", str(name))])


def test_an_object_is_given_while_either_store_is_away_and_not_when_both_are() -> None:
    second = MemoryBlobs()
    world = memory_world(second)
    row = kept(world)
    second.stored = dict(world.blobs.stored)
    intact = b"".join(opener_of(world).whole(granted(), row))

    for away in (world.blobs, second):
        away.down = True
        assert b"".join(opener_of(world).whole(granted(), row)) == intact
        away.down = False
    world.blobs.down = second.down = True
    with pytest.raises(Unavailable):
        b"".join(opener_of(world).whole(granted(), row))


def test_verifying_finds_a_damaged_first_copy_though_the_second_is_whole() -> None:
    second = MemoryBlobs()
    world = memory_world(second)
    kept(world)
    second.stored = dict(world.blobs.stored)
    world.blobs.damage()

    verdict = world.archive.verify.check_archive(subject(Role.OPERATOR), deep=True)
    assert (verdict.checked, len(verdict.findings)) == (1, 1)


# --- packed before sealing --------------------------------------------------------------------


class CountingBlobs(MemoryBlobs):
    """Counts the bytes that are read."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        super().__init__()
        self.stored, self.read = blobs.stored, 0

    @contextmanager
    def open(self, object_id: ObjectId) -> Iterator[MemoryBlob]:
        with super().open(object_id) as blob:
            yield self.counting(blob)

    def counting(self, blob: MemoryBlob) -> MemoryBlob:
        outer = self

        class Counting(MemoryBlob):
            def read_at(self, offset: int, length: int) -> bytes:
                content = blob.read_at(offset, length)
                outer.read += len(content)
                return content

        return Counting(blob.content)


def test_what_is_packed_is_smaller_and_any_part_of_it_opens_alone(world: World) -> None:
    content = data_set(pixels=SLOW, frames=60)
    row = kept(world, content)
    counting = CountingBlobs(world.blobs)
    opener = Opener(world.archive.retrieve.opener._keys, Copies([counting], lambda: 0.0))

    assert row.sealed.stored_length < 0.6 * len(content)
    assert b"".join(opener.span(granted(), row, row.data_set_offset, row.sealed.plaintext_length)) == content
    whole = counting.read
    counting.read = 0
    start, length = row.frames.offsets[30], row.frames.lengths[30]
    assert b"".join(opener.span(granted(), row, start, start + length)) == SLOW[30 * 50_000 : 31 * 50_000]
    assert counting.read < whole / 10


def test_only_what_is_not_compressed_already_is_packed_and_only_where_it_is_wanted(world: World) -> None:
    key, parts, of = world.archive.ingest.sealer._keys, [b"prefix", SLOW], kept(world).identity
    ids = iter([new_object_id() for _ in range(9)])
    for packs, syntax, packed in (
        (True, "1.2.840.10008.1.2", True),
        (True, "1.2.840.10008.1.2.1", True),
        (True, "1.2.840.10008.1.2.2", True),
        (True, "1.2.840.10008.1.2.1.99", False),
        (True, "1.2.840.10008.1.2.4.70", False),
        (False, "1.2.840.10008.1.2.1", False),
    ):
        sealer = Sealer(key, world.blobs, lambda: next(ids), packs=packs)
        sealed = sealer.seal(of, Uid(syntax), bytes(32), parts, b"{}").sealed
        assert is_packed(sealed) == packed
        assert world.blobs.stored[sealed.object_id].startswith(b"PXENC\x00\x02\n" if packed else b"PXENC\x00\x01\n")


@pytest.mark.parametrize("pixels", [NOISE[:60_000], SLOW[:60_000]], ids=["plain", "packed"])
def test_an_object_of_one_version_opens_as_no_other(world: World, pixels: bytes) -> None:
    row = kept(world, data_set(pixels=pixels))
    length = row.sealed.plaintext_length + 1
    if is_packed(row.sealed):
        length = opened_length(row.sealed.stored_length - row.sealed.header_length)
    other = replace(row.sealed, plaintext_length=length)

    assert is_packed(other) != is_packed(row.sealed)
    with pytest.raises(Tampered):
        b"".join(opener_of(world).whole(granted(), replace(row, sealed=other)))


@pytest.mark.parametrize("pixels", [NOISE[:60_000], SLOW[:60_000]], ids=["plain", "packed"])
def test_whose_object_it_is_can_be_told_of_either_version(world: World, pixels: bytes) -> None:
    row = kept(world, data_set(pixels=pixels))
    key_id = row.sealed.study_key_id
    key = world.keyring.fetch(HERE, Shelf.STUDY, [key_id])[key_id]

    assert is_packed(row.sealed) == (pixels == SLOW[:60_000])
    assert opener_of(world).is_of(row, key)
    assert not opener_of(world).is_of(row, replace(key, key=bytes(32)))
