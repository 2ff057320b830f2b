"""Hostile Data Sets end quickly, in little memory and in a refusal, whatever their lengths say (DESIGN 11)."""

import re
import struct
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pacs_secure.core.errors import ArchiveError, Malformed, OverLimit
from pacs_secure.dicom.fragments import strip_item_headers
from pacs_secure.dicom.header import Header, scan
from pacs_secure.dicom.limits import STANDARD
from pacs_secure.dicom.metadata import describe
from pacs_secure.dicom.part10 import split
from tests.data_sets import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    JPEG,
    SEQUENCE_END,
    UNDEFINED,
    big,
    explicit,
    file_meta,
    fragments,
    identity,
    image,
    implicit,
    item,
    mark,
    part10,
    real,
    sequence,
)

MEBIBYTE = 1 << 20
SECONDS = 1.0
"""What a refusal may take, on a machine that is no slower than `at_most` supposes."""
SLACK = 4
"""How much more than an element of an honest Data Set one of a hostile one may cost."""

SEQUENCE, PRIVATE = 0x00081140, 0x00091001
_PEAK = re.compile(rb"VmHWM:\s+([0-9]+) kB")


def deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(9, wbits=-15)
    return engine.compress(data) + engine.flush()


def bomb(mebibytes: int, before: bytes = b"") -> bytes:
    """Deflate so many times 1 MiB of zeros behind a beginning: each block is the one before, repeated."""
    engine = zlib.compressobj(9, wbits=-15)
    first = engine.compress(before) + engine.flush(zlib.Z_FULL_FLUSH)
    block = engine.compress(bytes(MEBIBYTE)) + engine.flush(zlib.Z_FULL_FLUSH)
    return first + block * mebibytes + engine.flush()


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = sequence(SEQUENCE, item(data))
    return data


def distinct(number: int) -> int:
    """Return one of many tags of vendors, each another."""
    return 0x00110000 + (number >> 15 << 17) + 0x1000 + (number & 0x7FFF)


def peak_memory() -> int | None:
    """Return the most bytes this process has held since `forget_peak`; None where the system does not tell."""
    status = Path("/proc/self/status")
    found = _PEAK.search(status.read_bytes()) if status.exists() else None
    return int(found[1]) * 1024 if found else None


def forget_peak() -> None:
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5", encoding="ascii")


def seconds_of(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def at_most(read: Callable[[bytes, str], object]) -> float:
    """Return what reading as many elements as the limits allow may take: a second, or more where honest ones do."""
    honest = real("693_UNCI.dcm")
    data_set, syntax = honest.data_set.tobytes(), honest.transfer_syntax_uid
    pace = min(seconds_of(lambda: read(data_set, syntax)) for _ in range(20)) / scan(data_set, syntax).elements
    return max(SECONDS, SLACK * pace * STANDARD.elements)


def costs(read: Callable[[bytes, str], object], data_set: bytes, syntax: str) -> tuple[float, int]:
    """Return by how many seconds reading was too slow in the best of three tries, and by how much memory grew."""
    forget_peak()
    before = peak_memory()
    late = []
    for _ in range(3):
        late.append(seconds_of(lambda: read(data_set, syntax)) - at_most(read))
        if late[-1] < 0:
            break
    after = peak_memory()
    return max(min(late), 0), 0 if before is None or after is None else after - before


def refusal(data_set: bytes, syntax: str) -> ArchiveError | None:
    try:
        scan(data_set, syntax)
    except ArchiveError as error:
        return error
    return None


REFUSED: dict[str, tuple[Callable[[], bytes], str, type[ArchiveError]]] = {
    "depth, with lengths": (lambda: identity() + nested(300), EXPLICIT, OverLimit),
    "depth, without lengths": (
        lambda: identity() + explicit(SEQUENCE, "SQ", mark(ITEM, UNDEFINED), UNDEFINED) * 100_000,
        EXPLICIT,
        OverLimit,
    ),
    "depth of UN": (
        lambda: identity(implicit) + implicit(PRIVATE, "UN", mark(ITEM, UNDEFINED), UNDEFINED) * 100_000,
        IMPLICIT,
        OverLimit,
    ),
    "a million empty items": (lambda: explicit(SEQUENCE, "SQ", mark(ITEM) * 1_000_000), EXPLICIT, OverLimit),
    "a million empty items in many sequences": (
        lambda: identity() + explicit(SEQUENCE, "SQ", mark(ITEM) * 40_000) * 25,
        EXPLICIT,
        OverLimit,
    ),
    "a million empty elements": (lambda: identity() + explicit(PRIVATE, "LO") * 1_000_000, EXPLICIT, OverLimit),
    "three million empty fragments": (
        lambda: image() + explicit(0x7FE00010, "OB", mark(ITEM) * 3_000_000, UNDEFINED),
        JPEG,
        OverLimit,
    ),
    "three million fragments of many elements": (
        lambda: image() + explicit(PRIVATE, "OB", mark(ITEM) * 30_000 + mark(SEQUENCE_END), UNDEFINED) * 100,
        JPEG,
        OverLimit,
    ),
    "a length beyond the end": (lambda: explicit(0x00420011, "OB", bytes(100), 0xFFFFFFF0), EXPLICIT, Malformed),
    "a length beyond the end of an item": (
        lambda: identity() + sequence(SEQUENCE, item(explicit(PRIVATE, "UN", b"", 0x7FFFFFFF))),
        EXPLICIT,
        Malformed,
    ),
    "an item longer than its sequence": (lambda: explicit(SEQUENCE, "SQ", mark(ITEM, 0xFFFFFFF0)), EXPLICIT, Malformed),
    "a fragment beyond the end": (
        lambda: image() + explicit(0x7FE00010, "OB", mark(ITEM, 0xFFFFFFF0), UNDEFINED),
        JPEG,
        Malformed,
    ),
    "a sequence that never ends": (
        lambda: identity() + explicit(SEQUENCE, "SQ", (mark(ITEM)) * 40_000, UNDEFINED),
        EXPLICIT,
        Malformed,
    ),
    "a gigabyte in a megabyte": (lambda: bomb(1_024), DEFLATED, OverLimit),
    "a bomb behind an honest identity": (lambda: bomb(400, identity()), DEFLATED, OverLimit),
    "a deflated stream in a deflated stream": (lambda: deflate(bomb(100)), DEFLATED, Malformed),
    "more text than any header holds": (
        lambda: identity() + explicit(PRIVATE, "UC", b"\\" * (65 * MEBIBYTE)),
        EXPLICIT,
        OverLimit,
    ),
    "more frames than there are numbers": (lambda: image(frames="9" * 64) + fragments(b""), JPEG, OverLimit),
    "pixels for a terabyte": (lambda: image(65_535, 65_535, 64, "200000", 4), EXPLICIT, OverLimit),
    "zeros": (lambda: bytes(8 * MEBIBYTE), EXPLICIT, OverLimit),
    "a short value that is megabytes": (
        lambda: explicit(0x00280008, "UT", b"1" * (60 * MEBIBYTE)) + identity(),
        EXPLICIT,
        Malformed,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bomb_is_refused_within_a_second_and_in_little_memory(name: str) -> None:
    make, syntax, error = REFUSED[name]
    data_set = make()

    late, grown = costs(refusal, data_set, syntax)

    assert type(refusal(data_set, syntax)) is error
    assert late == 0
    assert grown < 300 * MEBIBYTE


def at_the_limit(count: int) -> bytes:
    return identity() + b"".join(explicit(distinct(number), "LO", b"ab") for number in range(count))


TAKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "as many elements as may be": (lambda: at_the_limit(199_990), EXPLICIT),
    "as many items as may be": (lambda: identity() + explicit(SEQUENCE, "SQ", mark(ITEM) * 49_990) * 3, EXPLICIT),
    "elements of vendors, without VRs": (
        lambda: (
            identity(implicit)
            + implicit(0x00110010, "LO", b"GEMS_IDEN_01")
            + b"".join(implicit(0x00111000 + number % 200, "UN", b"ab") for number in range(199_000))
        ),
        IMPLICIT,
    ),
    "a small bulk value in each element": (
        lambda: identity() + b"".join(explicit(distinct(number), "OB", bytes(300)) for number in range(199_000)),
        EXPLICIT,
    ),
    "a million values in each element": (
        lambda: identity() + b"".join(explicit(distinct(n), "UC", b"a" + b"\\" * (MEBIBYTE - 1)) for n in range(60)),
        EXPLICIT,
    ),
    "a million numbers in a value": (
        lambda: identity() + explicit(0x30060050, "UN", b"1\\" * (MEBIBYTE // 2)),
        EXPLICIT,
    ),
    "a million escapes": (
        lambda: (
            identity()
            + explicit(0x00080005, "CS", b"\\ISO 2022 IR 87 ")
            + b"".join(explicit(distinct(number), "UC", b"\x1b$B" * (MEBIBYTE // 4)) for number in range(4))
        ),
        EXPLICIT,
    ),
    "as many fragments as may be": (lambda: image(frames="199990") + fragments(*[b""] * 199_990), JPEG),
    "an offset table that points nowhere": (
        lambda: image(frames="190000") + fragments(*[b""] * 190_001, table=struct.pack("<190000L", *range(190_000))),
        JPEG,
    ),
}


def read(data_set: bytes, syntax: str) -> None:
    describe(data_set, syntax, scan(data_set, syntax))


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_just_within_the_limits_is_taken_in_bounded_time_and_memory(name: str) -> None:
    make, syntax = TAKEN[name]
    data_set = make()

    late, grown = costs(read, data_set, syntax)

    assert late == 0
    assert grown < 300 * MEBIBYTE


WHOLE = {
    EXPLICIT: image(4, 5, frames="2")
    + sequence(SEQUENCE, item(nested(2)), undefined=True)
    + explicit(0x7FE00010, "OW", bytes(40)),
    IMPLICIT: image(write=implicit) + implicit(0x7FE00010, "OW", bytes(6)),
    BIG_ENDIAN: image(write=big) + big(0x7FE00010, "OW", bytes(6)),
    JPEG: image(frames="2") + fragments(b"ab", b"cd", table=struct.pack("<2L", 0, 10)),
}


def take(data_set: bytes, syntax: str) -> Header:
    """Do all that ingest does with a Data Set before it is sealed, and deliver its frames."""
    header = scan(data_set, syntax)
    describe(data_set, syntax, header)
    for offset, length in zip(header.frames.offsets, header.frames.lengths, strict=True):
        assert 0 <= offset <= offset + length <= len(data_set)
        if syntax == JPEG:
            strip_item_headers(data_set[offset : offset + length])
    return header


@pytest.mark.parametrize("syntax", WHOLE)
def test_a_data_set_cut_at_any_byte_is_refused_or_ends_between_two_elements(syntax: str) -> None:
    whole = WHOLE[syntax]
    frames = take(whole, syntax).frames
    taken = []

    for end in range(len(whole)):
        try:
            header = take(whole[:end], syntax)
        except ArchiveError:
            continue
        taken.append(end)
        assert len(header.frames) == 0

    assert len(frames) > 0
    assert 1 <= len(taken) <= 10  # behind each element that follows the identity


def test_a_deflated_data_set_cut_at_any_byte_is_refused() -> None:
    whole = deflate(WHOLE[EXPLICIT])

    assert scan(whole, DEFLATED).number_of_frames == 2
    assert all(isinstance(refusal(whole[:end], DEFLATED), ArchiveError) for end in range(len(whole)))


@pytest.mark.parametrize("end", range(0, len(part10(b"")), 3))
def test_a_part_10_stream_cut_within_its_file_meta_information_is_refused(end: int) -> None:
    def take_in() -> Header:
        stream = split(part10(identity())[:end])
        return scan(stream.data_set, stream.transfer_syntax_uid)

    with pytest.raises(ArchiveError):
        take_in()


syntaxes = st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG])


@given(st.binary(max_size=400), syntaxes)
@example(b"\0" * 7, IMPLICIT)
@example(mark(ITEM, UNDEFINED), EXPLICIT)
@settings(max_examples=1_000, deadline=1_000)
def test_no_bytes_raise_anything_but_a_refusal(data: bytes, syntax: str) -> None:
    for data_set in (data, identity() + data, data + identity()):
        try:
            take(data_set, syntax)
        except (Malformed, OverLimit):
            continue


@cache
def seeds() -> list[tuple[bytes, str]]:
    """Return the beginnings of real Data Sets of many kinds, and small whole ones."""
    names = ("CT_small.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "emri_small.dcm", "693_J2KI.dcm", "reportsi.dcm")
    streams = [real(name) for name in names]
    return [
        *((stream.data_set[:3_000].tobytes(), stream.transfer_syntax_uid) for stream in streams),
        *((data_set, syntax) for syntax, data_set in WHOLE.items()),
    ]


@st.composite
def mutations(draw: st.DrawFn) -> tuple[bytes, str]:
    data_set, syntax = draw(st.sampled_from(seeds()))
    data = bytearray(data_set)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(data) - 1))
        change = draw(
            st.sampled_from(
                [b"\0", b"\xff", b"\xff\xff\xff\xff", mark(ITEM), mark(SEQUENCE_END), b"SQ", b"UN", b"\x1b$B"]
            )
            | st.binary(min_size=1, max_size=8)
        )
        data[place : place + draw(st.sampled_from([len(change), 0]))] = change
    return bytes(data), draw(st.sampled_from([syntax, syntax, syntax, EXPLICIT, IMPLICIT, BIG_ENDIAN]))


@given(mutations())
@settings(max_examples=800, deadline=1_000)
def test_no_mutation_of_a_real_data_set_raises_anything_but_a_refusal(mutation: tuple[bytes, str]) -> None:
    data_set, syntax = mutation
    try:
        take(data_set, syntax)
    except (Malformed, OverLimit):
        return


@given(st.binary(max_size=300))
@settings(max_examples=500, deadline=1_000)
def test_no_part_10_stream_raises_anything_but_a_refusal(data: bytes) -> None:
    for stream in (data, part10(data, b""), part10(identity(), file_meta() + data)):
        try:
            split(stream)
        except (Malformed, OverLimit):
            continue


def test_a_refusal_repeats_nothing_of_what_was_refused() -> None:
    for data_set in (
        identity().replace(b"1.2.3.4.5\0", b"Doe^John  "),
        explicit(0x00100010, "PN", b"Doe^John", 99),
        identity() + explicit(0x00280008, "IS", b"Doe^John" * 20),
    ):
        assert "Doe" not in str(refusal(data_set, EXPLICIT))
        assert isinstance(refusal(data_set, EXPLICIT), Malformed)
