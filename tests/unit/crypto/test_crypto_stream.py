"""The large seal, whole and by range, held to each other."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_secure.core.errors import Tampered
from pacs_secure.crypto.stream import (
    BODY_HEADER,
    CHUNK,
    LONGEST,
    PIECE,
    SEALED_CHUNK,
    RangeOpener,
    final_chunk,
    open_stream,
    opened_length,
    seal,
    sealed_length,
)

KEY = bytes(range(32))
CONTEXT = b"context"
LENGTHS = [0, 1, 15, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 700, 3 * CHUNK - 1]


def body_of(plaintext: bytes) -> bytes:
    return b"".join(seal(KEY, CONTEXT, [plaintext]))


def opened(body: bytes, commitment: bytes | None = None) -> bytes:
    return b"".join(open_stream(KEY, CONTEXT, [body], commitment))


def ranged(body: bytes, start: int, stop: int, commitment: bytes | None = None) -> bytes:
    opener = RangeOpener(KEY, CONTEXT, body[:BODY_HEADER], commitment)
    offset, length = opener.covering(start, stop)
    return opener.open(start, stop, body[offset : offset + length])


@pytest.mark.parametrize("length", LENGTHS)
def test_a_body_opens_whole_and_by_range_to_what_was_sealed(length: int) -> None:
    plaintext = os.urandom(length)
    stream = seal(KEY, CONTEXT, [plaintext])
    body = b"".join(stream)
    assert len(body) == sealed_length(length)
    assert stream.plaintext_length == length
    assert body[24:BODY_HEADER] == stream.commitment
    assert opened(body) == opened(body, stream.commitment) == plaintext
    if length:
        assert ranged(body, 0, length, stream.commitment) == plaintext
    offset, rest = final_chunk(length)
    assert offset + rest == len(body)
    RangeOpener(KEY, CONTEXT, body[:BODY_HEADER]).check_end(length, body[offset:])


PLAINTEXT = os.urandom(3 * CHUNK + 5)
BODY = body_of(PLAINTEXT)


@given(st.data())
def test_any_range_opens_to_the_same_bytes_as_the_whole(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(PLAINTEXT) - 1))
    stop = data.draw(st.integers(start + 1, len(PLAINTEXT)))
    assert ranged(BODY, start, stop) == PLAINTEXT[start:stop]


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=40_000), max_size=5), st.integers(1, 40_000))
def test_how_the_bytes_arrive_changes_nothing(parts: list[bytes], cut: int) -> None:
    body = b"".join(seal(KEY, CONTEXT, (bytearray(part) for part in parts)))
    pieces = (memoryview(body)[place : place + cut] for place in range(0, len(body), cut))
    assert b"".join(open_stream(KEY, CONTEXT, pieces, body[24:56])) == b"".join(parts)


def test_pieces_stay_small_and_the_commitment_is_known_before_the_first_part() -> None:
    def parts() -> Iterator[bytes]:
        asked.append(True)
        yield bytes(5 * PIECE)

    asked: list[bool] = []
    stream = seal(KEY, CONTEXT, parts())
    assert len(stream.commitment) == 32
    assert not asked
    pieces = list(stream)
    assert max(map(len, pieces)) <= PIECE + PIECE // CHUNK * 16 + CHUNK
    assert pieces[0][24:] == stream.commitment


def test_every_seal_has_its_own_salt() -> None:
    assert len({body_of(b"same")[:24] for _ in range(8)}) == 8


def ranged_to_the_end(body: bytes, length: int) -> None:
    ranged(body, 0, length)
    offset, rest = final_chunk(length)
    RangeOpener(KEY, CONTEXT, body[:BODY_HEADER]).check_end(length, body[offset : offset + rest + 1])


def chunks(body: bytes) -> list[bytes]:
    return [body[place : place + SEALED_CHUNK] for place in range(BODY_HEADER, len(body), SEALED_CHUNK)]


@pytest.mark.parametrize("length", [CHUNK - 1, 2 * CHUNK, 3 * CHUNK + 5])
def test_chunks_cut_dropped_repeated_or_swapped_do_not_open(length: int) -> None:
    body = body_of(os.urandom(length))
    header, parts = body[:BODY_HEADER], chunks(body)
    attacks = [header + b"".join(parts[:kept]) for kept in range(len(parts))]
    for at in range(len(parts)):
        attacks.append(header + b"".join(parts[:at] + parts[at + 1 :]))
        attacks.append(header + b"".join([*parts[: at + 1], *parts[at:]]))
        for other in range(at):
            swapped = parts.copy()
            swapped[at], swapped[other] = swapped[other], swapped[at]
            attacks.append(header + b"".join(swapped))
    for attacked in attacks:
        with pytest.raises(Tampered):
            opened(attacked)
        with pytest.raises(Tampered):
            ranged_to_the_end(attacked, length)


@pytest.mark.parametrize("cut", [0, 1, 24, 55, 56, 57, 71])
def test_a_body_cut_in_its_head_does_not_open(cut: int) -> None:
    for commitment in (None, bytes(32)):
        with pytest.raises(Tampered):
            opened(body_of(b"text")[:cut], commitment)


def test_no_flipped_bit_in_head_or_chunk_opens() -> None:
    body = body_of(b"pixels")
    for place in range(len(body) * 8):
        broken = bytearray(body)
        broken[place // 8] ^= 1 << place % 8
        with pytest.raises(Tampered):
            opened(bytes(broken))
        with pytest.raises(Tampered):
            ranged(bytes(broken), 0, 6)


def test_another_key_context_or_witness_does_not_open() -> None:
    header = BODY[:BODY_HEADER]
    for key, context, witness in ((KEY[::-1], CONTEXT, None), (KEY, b"other", None), (KEY, CONTEXT, bytes(32))):
        with pytest.raises(Tampered):
            b"".join(open_stream(key, context, [BODY], witness))
        with pytest.raises(Tampered):
            RangeOpener(key, context, header, witness)


def test_a_body_sealed_anew_under_the_same_key_is_not_the_one_the_row_names() -> None:
    other = body_of(PLAINTEXT)
    with pytest.raises(Tampered):
        opened(other, BODY[24:56])
    with pytest.raises(Tampered):
        ranged(other, 0, 5, BODY[24:56])
    with pytest.raises(Tampered):
        RangeOpener(KEY, CONTEXT, other[:24] + BODY[24:56], BODY[24:56])
    with pytest.raises(Tampered):
        RangeOpener(KEY, CONTEXT, BODY[:24] + other[24:56], BODY[24:56])


def test_nothing_is_released_before_its_chunk_is_verified() -> None:
    broken = bytearray(BODY)
    broken[BODY_HEADER + SEALED_CHUNK] ^= 1
    got: list[bytes] = []
    with pytest.raises(Tampered):
        got.extend(open_stream(KEY, CONTEXT, (broken[place : place + 999] for place in range(0, len(broken), 999))))
    assert b"".join(got) == PLAINTEXT[:CHUNK]


@pytest.mark.parametrize(("start", "stop"), [(-1, 4), (4, 4), (5, 4), (0, LONGEST + 1)])
def test_a_range_that_cannot_be_is_refused(start: int, stop: int) -> None:
    opener = RangeOpener(KEY, CONTEXT, BODY[:BODY_HEADER])
    with pytest.raises(Tampered):
        opener.covering(start, stop)
    with pytest.raises(Tampered):
        opener.open(start, stop, BODY[BODY_HEADER:])


@pytest.mark.parametrize("length", [0, 5, SEALED_CHUNK, SEALED_CHUNK + 5])
def test_a_range_from_too_few_bytes_is_refused(length: int) -> None:
    opener = RangeOpener(KEY, CONTEXT, BODY[:BODY_HEADER])
    with pytest.raises(Tampered):
        opener.open(0, CHUNK + 1, BODY[BODY_HEADER : BODY_HEADER + length])


def test_a_range_beyond_the_end_is_refused() -> None:
    with pytest.raises(Tampered):
        ranged(BODY, len(PLAINTEXT) - 2, len(PLAINTEXT) + 1)
    with pytest.raises(Tampered):
        ranged(BODY, 4 * CHUNK, 4 * CHUNK + 1)


@pytest.mark.parametrize("claimed", [0, CHUNK, len(PLAINTEXT) - 1, len(PLAINTEXT) + 1, len(PLAINTEXT) + CHUNK])
def test_a_false_length_is_found_from_the_last_chunk(claimed: int) -> None:
    opener = RangeOpener(KEY, CONTEXT, BODY[:BODY_HEADER])
    offset, length = final_chunk(claimed)
    with pytest.raises(Tampered):
        opener.check_end(claimed, BODY[offset : offset + length])
    with pytest.raises(Tampered):
        opener.check_end(claimed, BODY[offset : offset + SEALED_CHUNK])


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 1_234_567])
def test_the_length_of_a_body_says_how_much_it_holds(length: int) -> None:
    assert opened_length(sealed_length(length)) == length


@pytest.mark.parametrize("body_length", [-1, 0, BODY_HEADER, BODY_HEADER + 15, BODY_HEADER + SEALED_CHUNK + 15])
def test_no_body_is_so_long(body_length: int) -> None:
    with pytest.raises(Tampered):
        opened_length(body_length)
