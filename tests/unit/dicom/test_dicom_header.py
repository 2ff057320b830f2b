import struct
import zlib

import pytest

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.dicom.header import Limits, PixelData, scan
from tests.data_sets import (
    BIG_ENDIAN,
    CT,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    INSTANCE,
    JPEG,
    SERIES,
    STUDY,
    Writer,
    big,
    explicit,
    fragments,
    identity,
    image,
    implicit,
    item,
    sequence,
    uid_value,
)

EVERY_NATIVE = [(EXPLICIT, explicit), (IMPLICIT, implicit), (BIG_ENDIAN, big)]


@pytest.mark.parametrize(("syntax", "write"), EVERY_NATIVE)
def test_identity_and_geometry_are_read_in_every_coding(syntax: str, write: Writer) -> None:
    header = scan(image(4, 5, 16, "2", write=write) + write(0x7FE00010, "OW", bytes(80)), syntax)

    assert (header.study_instance_uid, header.series_instance_uid) == (STUDY, SERIES)
    assert (header.sop_instance_uid, header.sop_class_uid) == (INSTANCE, CT)
    assert (header.rows, header.columns, header.bits_allocated, header.samples_per_pixel) == (4, 5, 16, 1)
    assert header.number_of_frames == 2
    assert header.frames.lengths == (40, 40)
    assert header.elements == 10


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_like_data_set_is_scanned(kind: type) -> None:
    assert scan(kind(identity()), EXPLICIT).sop_instance_uid == INSTANCE


def test_a_deflated_data_set_is_scanned_inflated_and_has_no_frame_index() -> None:
    data_set = image() + explicit(0x7FE00010, "OB", bytes(6))
    engine = zlib.compressobj(wbits=-15)

    header = scan(engine.compress(data_set) + engine.flush(), DEFLATED)

    assert header.pixel_data == PixelData(len(data_set) - 6, 6, encapsulated=False)
    assert len(header.frames) == 0


def test_an_unknown_transfer_syntax_is_read_as_encapsulated_explicit_little_endian() -> None:
    header = scan(image() + fragments(b"\xff\xd8"), "1.2.840.113619.5.99")

    assert header.pixel_data is not None
    assert header.pixel_data.encapsulated
    assert header.frames.lengths == (10,)


@pytest.mark.parametrize("missing", [0x00080016, 0x00080018, 0x0020000D, 0x0020000E])
def test_an_identifying_uid_has_to_be_there_and_not_be_empty(missing: int) -> None:
    values = {0x00080016: CT, 0x00080018: INSTANCE, 0x0020000D: STUDY, 0x0020000E: SERIES}
    without = b"".join(explicit(tag, "UI", uid_value(uid)) for tag, uid in values.items() if tag != missing)

    with pytest.raises(Malformed):
        scan(without, EXPLICIT)
    with pytest.raises(Malformed):
        scan(without + explicit(missing, "UI"), EXPLICIT)


def test_an_identifying_uid_must_not_be_repeated() -> None:
    with pytest.raises(Malformed, match="repeated"):
        scan(identity() + explicit(0x00080018, "UI", b"9.9\0"), EXPLICIT)


def test_an_identifying_uid_within_a_sequence_is_somebody_elses() -> None:
    referenced = sequence(0x00081140, item(explicit(0x00080018, "UI", b"9.9\0")))

    assert scan(referenced + identity(), EXPLICIT).sop_instance_uid == INSTANCE


@pytest.mark.parametrize("value", [b"../../etc", b"1.2\\1.3", b"1" * 66, b"1.2.3 4 ", b"\xff\xfe", b"1" * 5_000])
def test_what_is_no_uid_is_refused(value: bytes) -> None:
    with pytest.raises(Malformed):
        scan(
            identity().replace(explicit(0x00080018, "UI", b"1.2.3.4.5\0"), explicit(0x00080018, "UI", value)), EXPLICIT
        )


def test_padding_behind_a_uid_is_taken_off() -> None:
    spaced = identity().replace(b"1.2.3.4.5\0", b"1.2.3.4.5 ")

    assert scan(spaced, EXPLICIT).sop_instance_uid == INSTANCE


def test_an_instance_without_pixel_data_has_no_frames() -> None:
    header = scan(identity(), EXPLICIT)

    assert (header.rows, header.columns, header.number_of_frames) == (0, 0, 0)
    assert header.pixel_data is None
    assert len(header.frames) == 0


@pytest.mark.parametrize("tag", [0x7FE00008, 0x7FE00009])
def test_floating_point_pixels_are_pixel_data_too(tag: int) -> None:
    header = scan(image(bits=32) + explicit(tag, "OF", bytes(24)), EXPLICIT)

    assert header.pixel_data is not None
    assert header.frames.lengths == (24,)


@pytest.mark.parametrize("frames", ["1A", "-2", "\u00b2"])
def test_an_unreadable_number_of_frames_keeps_the_picture_and_leaves_its_frames_untold(frames: str) -> None:
    counted = explicit(0x00280008, "IS", frames.encode("latin-1"))

    header = scan(image() + counted + explicit(0x7FE00010, "OB", bytes(6)), EXPLICIT)

    assert header.number_of_frames == 0
    assert len(header.frames) == 0


def test_pixel_data_in_a_form_its_transfer_syntax_does_not_promise_has_no_frame_index() -> None:
    assert len(scan(image() + explicit(0x7FE00010, "OB", bytes(6)), JPEG).frames) == 0
    assert len(scan(image() + fragments(b"\xff\xd8"), EXPLICIT).frames) == 0


def test_an_extended_offset_table_tells_the_frames_apart() -> None:
    pixels = fragments(b"ab", b"cdef", b"gh")
    offsets = explicit(0x7FE00001, "OV", struct.pack("<2Q", 0, 10))

    header = scan(image(frames="2") + offsets + pixels, JPEG)

    assert header.frames.lengths == (10, 22)


def test_what_is_not_bulk_may_not_outgrow_its_limit() -> None:
    text = explicit(0x00084000, "UT", bytes(2_000))
    bulk = explicit(0x00420011, "OB", bytes(2_000))

    assert scan(identity() + bulk, EXPLICIT, Limits(non_bulk=1_000)).elements == 5
    with pytest.raises(OverLimit):
        scan(identity() + text, EXPLICIT, Limits(non_bulk=1_000))


def test_zero_bytes_that_pad_a_data_set_are_passed_over() -> None:
    assert scan(identity() + bytes(3), EXPLICIT).elements == 4


@pytest.mark.parametrize(("frames", "number"), [("+2", 2), ("0", 1), ("", 1), ("2\\2", 0)])
def test_pixels_that_do_not_say_how_many_frames_they_are_are_one(frames: str, number: int) -> None:
    header = scan(image(frames=frames) + explicit(0x7FE00010, "OB", bytes(12)), EXPLICIT)

    assert header.number_of_frames == len(header.frames) == number


@pytest.mark.parametrize("photometric", [b"YBR_FULL_422", b"YBR_PARTIAL_422 "])
def test_halved_chrominance_is_known_by_its_name(photometric: bytes) -> None:
    data_set = image(2, 4, samples=3) + explicit(0x00280004, "CS", photometric) + explicit(0x7FE00010, "OB", bytes(16))

    assert scan(data_set, EXPLICIT).frames.lengths == (16,)


def test_encapsulated_uncompressed_frames_are_their_fragments() -> None:
    header = scan(image(frames="2") + fragments(b"abcdef", b"ghijkl"), "1.2.840.10008.1.2.1.98")

    assert header.frames.lengths == (14, 14)


def test_pixels_within_an_icon_are_not_the_instances() -> None:
    icon = sequence(0x00880200, item(image(), explicit(0x7FE00010, "OB", bytes(6))))

    assert scan(icon + identity(), EXPLICIT).pixel_data is None


def test_a_short_value_that_is_long_is_refused() -> None:
    with pytest.raises(Malformed, match="too long"):
        scan(identity() + explicit(0x00280008, "IS", b"1" * 70), EXPLICIT)
