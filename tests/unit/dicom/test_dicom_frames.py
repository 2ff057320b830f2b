import struct

import pytest

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.core.instance import FrameIndex
from pacs_secure.dicom.fragments import find_fragments, strip_item_headers
from pacs_secure.dicom.frames import Geometry, encapsulated_frames, native_frames
from pacs_secure.dicom.limits import Limits
from tests.data_sets import ITEM, SEQUENCE_END, mark


def geometry(
    rows: int = 2, columns: int = 3, samples: int = 1, bits: int = 8, frames: int = 1, *, halved: bool = False
) -> Geometry:
    return Geometry(rows, columns, samples, bits, frames, halved)


def encapsulate(*values: bytes, table: bytes = b"") -> bytes:
    return b"".join(mark(ITEM, len(value)) + value for value in (table, *values)) + mark(SEQUENCE_END)


def frames(value: bytes, number: int, extended: bytes | None = None) -> list[bytes]:
    """Return what each frame of an encapsulated value is delivered as."""
    data = memoryview(value)
    found = encapsulated_frames(
        data, find_fragments(data, 0, len(data), 100), number, None if extended is None else memoryview(extended)
    )
    return [
        strip_item_headers(data[offset : offset + length])
        for offset, length in zip(found.offsets, found.lengths, strict=True)
    ]


def test_native_frames_follow_one_another() -> None:
    assert native_frames(100, 36, geometry(samples=3, frames=2)) == FrameIndex((100, 118), (18, 18))


def test_native_pixel_data_that_is_too_short_keeps_the_frames_it_has() -> None:
    assert len(native_frames(0, 17, geometry(frames=3))) == 2
    assert len(native_frames(0, 5, geometry(frames=3))) == 0


def test_one_bit_frames_can_be_told_only_when_they_end_on_a_byte() -> None:
    assert native_frames(0, 8, geometry(4, 4, bits=1, frames=4)).lengths == (2, 2, 2, 2)
    assert len(native_frames(0, 8, geometry(3, 3, bits=1, frames=4))) == 0
    assert native_frames(0, 2, geometry(3, 3, bits=1)).lengths == (2,)


def test_halved_chrominance_takes_two_samples_a_pixel() -> None:
    assert native_frames(0, 24, geometry(2, 6, 3, halved=True)).lengths == (24,)


def test_no_geometry_is_no_frame() -> None:
    assert len(native_frames(0, 100, geometry(rows=0))) == 0


@pytest.mark.parametrize(
    "declared",
    [
        geometry(65_535, 65_535, 1, 8),
        geometry(65_535, 65_535, 65_535, 65_535),
        geometry(30_000, 30_000, 1, 8, 200_000),
        geometry(frames=10**12),
    ],
)
def test_dimensions_no_decoder_should_believe_are_refused(declared: Geometry) -> None:
    with pytest.raises(OverLimit):
        declared.check(Limits())


def test_one_frame_takes_every_fragment_whatever_the_table_says() -> None:
    assert frames(encapsulate(b"ab", b"cd", b"ef", table=b"\xff" * 4), 1) == [b"abcdef"]


def test_as_many_fragments_as_frames_are_one_each() -> None:
    assert frames(encapsulate(b"ab", b"cdef", b"gh"), 3) == [b"ab", b"cdef", b"gh"]


def test_a_basic_offset_table_joins_the_fragments_of_each_frame() -> None:
    table = struct.pack("<2L", 0, 20)

    assert frames(encapsulate(b"ab", b"cd", b"ef", table=table), 2) == [b"abcd", b"ef"]


def test_an_extended_offset_table_comes_first() -> None:
    value = encapsulate(b"ab", b"cd", b"ef", table=struct.pack("<2L", 0, 20))

    assert frames(value, 2, struct.pack("<2Q", 0, 10)) == [b"ab", b"cdef"]


@pytest.mark.parametrize("offsets", [(0, 5), (10, 20), (0, 0), (20, 0), (0, 30), (0, 10, 20)])
def test_an_offset_table_that_points_beside_the_fragments_is_not_believed(offsets: tuple[int, ...]) -> None:
    table = struct.pack(f"<{len(offsets)}L", *offsets)

    assert frames(encapsulate(b"ab", b"cd", b"ef", table=table), 2) == []
    assert frames(encapsulate(b"ab", b"cd", table=table), 2) == [b"ab", b"cd"]


def test_frames_that_only_a_codec_could_tell_apart_are_not_guessed() -> None:
    assert frames(encapsulate(b"ab", b"cd", b"ef"), 2) == []
    assert frames(encapsulate(b"ab"), 300) == []
    assert frames(encapsulate(), 1) == []
    assert frames(encapsulate(b"ab"), 0) == []


@pytest.mark.parametrize(
    "span", [b"\xfe\xff\x00", mark(ITEM, 4) + b"ab", b"notanitem", mark(SEQUENCE_END), mark(ITEM) + b"a"]
)
def test_a_span_that_is_not_made_of_fragments_is_refused(span: bytes) -> None:
    with pytest.raises(Malformed):
        strip_item_headers(span)


def test_an_empty_span_holds_nothing() -> None:
    assert strip_item_headers(b"") == b""


JPEG_START, JPEG_END = b"\xff\xd8\xff\xe0", b"\xff\xd9"
J2K_START = b"\xff\x4f\xff\x51"


def test_streams_that_begin_and_end_by_their_markers_are_told_apart_without_a_table() -> None:
    one, other = JPEG_START + b"one" + JPEG_END, J2K_START + b"other" + JPEG_END + b"\0"
    value = encapsulate(one[:5], one[5:], other[:6], other[6:], one)

    assert frames(value, 3) == [one, other, one]


def test_markers_that_do_not_add_up_tell_nothing() -> None:
    start, end = JPEG_START, b"ab" + JPEG_END

    assert frames(encapsulate(start, end, start, b"ab"), 3) == []
    assert frames(encapsulate(start, b"abcd", start, end), 2) == []
    assert frames(encapsulate(b"ab" + JPEG_END, start, end, start, end), 2) == []
