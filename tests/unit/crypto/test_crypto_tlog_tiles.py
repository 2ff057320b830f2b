"""Paths and bundles of C2SP tlog-tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.errors import OverLimit, Tampered
from pacs_secure.crypto.tlog import decode_bundle, encode_bundle, entries_path, tile_path


def entry(content: bytes) -> LedgerEntry:
    return LedgerEntry(0, content, bytes(32), bytes(32))


def test_paths_are_those_of_the_specification() -> None:
    assert tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_path(1, 234, 5) == "tile/1/234.p/5"
    assert tile_path(0, 0) == "tile/0/000"
    assert tile_path(63, 1000, 255) == "tile/63/x001/000.p/255"
    assert entries_path(5) == "tile/entries/005"
    assert entries_path(999_999, 1) == "tile/entries/x999/999.p/1"


@given(st.lists(st.binary(max_size=400), max_size=20))
def test_a_bundle_comes_apart_as_it_was_joined(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(map(entry, entries))) == entries


def test_an_entry_too_long_for_a_bundle_is_refused() -> None:
    assert decode_bundle(encode_bundle([entry(bytes(65_535))])) == [bytes(65_535)]
    with pytest.raises(OverLimit):
        encode_bundle([entry(bytes(65_536))])


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x01", b"\x00\x01a\x00", b"\x00\x02a"])
def test_a_torn_bundle_is_refused(bundle: bytes) -> None:
    with pytest.raises(Tampered):
        decode_bundle(bundle)
