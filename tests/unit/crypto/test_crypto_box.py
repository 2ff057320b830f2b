"""The small seal."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Tampered
from pacs_secure.crypto.box import OVERHEAD, derive, fields, open_box, seal_box

KEY = bytes(range(32))


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_a_box_opens_to_what_was_put_in(plaintext: bytes, associated: bytes) -> None:
    box = seal_box(KEY, plaintext, associated, os.urandom)
    assert len(box) == len(plaintext) + OVERHEAD
    assert open_box(KEY, box, associated) == plaintext


def test_no_flipped_bit_opens() -> None:
    box = seal_box(KEY, b"name", b"row", os.urandom)
    for place in range(len(box) * 8):
        broken = bytearray(box)
        broken[place // 8] ^= 1 << place % 8
        with pytest.raises(Tampered):
            open_box(KEY, bytes(broken), b"row")


@pytest.mark.parametrize("length", [0, 1, 11, 12, 27, 28])
def test_a_cut_box_does_not_open(length: int) -> None:
    with pytest.raises(Tampered):
        open_box(KEY, seal_box(KEY, b"name", b"", os.urandom)[:length], b"")


def test_another_key_or_row_does_not_open_a_box() -> None:
    box = seal_box(KEY, b"name", b"row", os.urandom)
    with pytest.raises(Tampered):
        open_box(KEY[::-1], box, b"row")
    with pytest.raises(Tampered):
        open_box(KEY, box, b"other")


def test_the_error_says_nothing_of_what_failed() -> None:
    said = set()
    for box in (b"", bytes(40)):
        with pytest.raises(Tampered) as caught:
            open_box(KEY, box, b"")
        said.add(str(caught.value))
        assert caught.value.__cause__ is None
    assert len(said) == 1


def test_keys_for_different_uses_differ() -> None:
    assert len({derive(KEY, b"a"), derive(KEY, b"b"), derive(KEY[::-1], b"a"), KEY}) == 4


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_different_fields_never_read_alike(one: list[bytes], other: list[bytes]) -> None:
    assert (fields(*one) == fields(*other)) == (one == other)
