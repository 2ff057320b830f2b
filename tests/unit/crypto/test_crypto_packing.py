"""What is packed before sealing comes back as it was, whole or in parts, and nothing else comes back."""

import os
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_secure.core.errors import Tampered
from pacs_secure.crypto.packing import GROUP, PIECE, SAMPLE, Form, Unpacker, form_for, pack, unpack

NOISE = random.Random(7).randbytes(3 * GROUP)


def pixels(length: int) -> bytes:
    """Write 16-bit pixels whose low bytes are noise and whose high bytes change slowly."""
    return b"".join(bytes((NOISE[at % len(NOISE)], at // 5000 % 8)) for at in range(length // 2))


def opened(packed: bytes, plain_length: int, start: int, stop: int) -> bytes:
    low, high = Unpacker.table_range(plain_length, len(packed))
    unpacker = Unpacker(packed[low:high], plain_length, len(packed))
    begin, end = unpacker.covering(start, stop)
    return unpacker.open(start, stop, packed[begin:end])


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("length", [1, 2, 133, GROUP - 1, GROUP, GROUP + 1, 2 * GROUP, PIECE + 3 * GROUP + 5], ids=str)
@pytest.mark.parametrize("kind", ["pixels", "noise", "zeros"])
def test_what_was_packed_comes_back_whatever_it_is(form: Form, length: int, kind: str) -> None:
    plain = {"pixels": pixels(2 * length), "noise": NOISE * 9, "zeros": bytes(2 * length)}[kind][:length]
    packed = b"".join(pack([plain], form))

    assert b"".join(unpack(packed)) == plain
    for start, stop in ((0, 1), (length - 1, length), (length // 3, length), (0, length)):
        assert opened(packed, length, start, max(stop, start + 1)) == plain[start : max(stop, start + 1)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, GROUP + 9), max_size=5), st.sampled_from(Form), st.randoms(use_true_random=False))
def test_it_does_not_matter_in_which_parts_a_stream_comes(
    lengths: list[int], form: Form, chance: random.Random
) -> None:
    parts: list[bytes | bytearray | memoryview] = [
        kind(chance.randbytes(16) * (length // 16) + bytes(length % 16))
        for length, kind in zip(lengths, [bytes, bytearray, memoryview, bytes, bytes], strict=False)
    ]
    plain = b"".join(parts)

    packed = b"".join(pack(parts, form))
    assert packed == b"".join(pack([plain], form))
    assert b"".join(unpack(packed)) == plain
    assert len(packed) != len(plain)


def test_a_stream_is_packed_where_that_pays_and_in_the_form_that_pays_most() -> None:
    text = b"A report of many words that come again and again. " * 4000

    assert form_for([b"prefix", pixels(4 * SAMPLE)]) is Form.PLANES
    assert form_for([text]) is Form.ZSTD
    assert form_for([NOISE]) is Form.STORED
    assert form_for([]) is form_for([b""]) is Form.STORED
    assert form_for([b"a" * 100]) is not Form.STORED


def test_pixels_are_packed_to_much_less_and_noise_to_hardly_more() -> None:
    plain = pixels(8 * GROUP)

    planes, zstd = (sum(map(len, pack([plain], form))) for form in (Form.PLANES, Form.ZSTD))
    assert planes < 0.55 * len(plain)
    assert planes < zstd
    assert sum(map(len, pack([NOISE], Form.ZSTD))) == len(NOISE) + 3 * 4 + 8


def test_a_small_read_takes_the_groups_it_touches_and_no_others() -> None:
    plain = pixels(8 * GROUP)
    packed = b"".join(pack([plain], Form.PLANES))
    low, high = Unpacker.table_range(len(plain), len(packed))
    unpacker = Unpacker(packed[low:high], len(plain), len(packed))

    begin, end = unpacker.covering(3 * GROUP + 5, 4 * GROUP)
    assert end - begin < GROUP
    assert unpacker.open(3 * GROUP + 5, 4 * GROUP, packed[begin:end]) == plain[3 * GROUP + 5 : 4 * GROUP]
    two = unpacker.covering(4 * GROUP - 1, 4 * GROUP + 1)
    assert two[0] == begin
    assert unpacker.open(4 * GROUP - 1, 4 * GROUP + 1, packed[slice(*two)]) == plain[4 * GROUP - 1 : 4 * GROUP + 1]


def frame(content: bytes) -> bytes:
    """Write a zstd frame of one raw block by hand (RFC 8878 3.1)."""
    header = 1 | len(content) << 3
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(content)) + header.to_bytes(3, "little") + content


def container(*groups: tuple[int, bytes], plain: int, over: bytes = b"") -> bytes:
    """Write a packed stream by hand, from the table in the module."""
    table = b"".join(struct.pack(">I", form << 30 | len(content)) for form, content in groups)
    return b"".join(content for _, content in groups) + over + table + struct.pack(">Q", plain)


def test_a_packed_stream_that_was_written_by_hand_is_read() -> None:
    first, second = NOISE[:GROUP], b"ABCDEFG"
    zstd = container((1, frame(first)), (2, frame(b"ACEGBDF")), plain=GROUP + 7)

    assert b"".join(unpack(zstd)) == first + second
    assert b"".join(unpack(container((0, b"abc"), plain=3, over=b"\0"))) == b"abc"
    assert b"".join(unpack(container(plain=0))) == b""


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"1234567",
        struct.pack(">Q", 1),
        struct.pack(">Q", 1 << 63),
        container((0, b"abc"), plain=4),
        container((0, b"abc"), plain=2),
        container((0, b"abc"), plain=3, over=b"12"),
        container((0, b"abc"), plain=GROUP + 1),
        container((3, b"abc"), plain=3),
        container((1, b"abc"), plain=3),
        container((1, frame(b"abcd")), plain=3),
        container((1, frame(b"abc")[:-1]), plain=3),
        container((2, frame(b"ab")), plain=3),
        container((1, frame(b"abc")[:-3] + b"\xff\xff\xff"), plain=3, over=b"12"),
    ],
    ids=[f"case {number}" for number in range(14)],
)
def test_what_is_no_packed_stream_is_tampered_with(packed: bytes) -> None:
    with pytest.raises(Tampered):
        b"".join(unpack(packed))


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 0), (2, 1), (0, 4)])
def test_what_is_not_there_is_not_read(start: int, stop: int) -> None:
    with pytest.raises(Tampered):
        opened(container((0, b"abc"), plain=3), 3, start, stop)


def test_a_stream_that_would_be_as_long_as_the_plain_one_gets_one_byte_more() -> None:
    # A group of zeros and one of noise, cut so that what the first saves is what the table costs.
    for zeros in range(20, 60):
        plain = bytes(zeros)
        packed = b"".join(pack([plain], Form.ZSTD))
        assert len(packed) != len(plain)
        assert b"".join(unpack(packed)) == plain


def test_nothing_is_read_of_random_bytes() -> None:
    for _ in range(200):
        with pytest.raises(Tampered):
            b"".join(unpack(os.urandom(300)))
