"""A row is the same bytes on every engine, and comes back as it was."""

from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.adapters.sql.row_codec import decode_row, encode_row, read_rows, write_row
from pacs_secure.core.errors import Tampered

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=["Cs"])), st.binary(), st.uuids(),
    st.datetimes(timezones=st.just(UTC)),
)  # fmt: skip


@given(st.lists(VALUES))
def test_a_row_comes_back_as_it_was(values: list[object]) -> None:
    again = decode_row(encode_row(values))

    assert list(again) == values
    assert list(map(type, again)) == list(map(type, values))


def test_no_two_rows_are_the_same_bytes() -> None:
    rows: list[list[object]] = [[], [None], [b""], [""], [b"", b""], ["1"], [1], [True], [False], [0], [UUID(int=0)]]
    rows.append([datetime(2026, 5, 4, tzinfo=UTC)])

    assert len({encode_row(row) for row in rows}) == len(rows)


def test_a_value_that_no_column_holds_is_refused() -> None:
    with pytest.raises(Tampered):
        encode_row([1.5])


@pytest.mark.parametrize(
    "row", [b"i", b"i\0\0\0\x021", b"x\0\0\0\0", b"i\0\0\0\x01x", b"s\0\0\0\x01\xff", b"u\0\0\0\x01u", b"d\0\0\0\x01d"]
)
def test_what_is_no_row_is_refused(row: bytes) -> None:
    with pytest.raises(Tampered):
        decode_row(row)


def test_rows_of_a_file_are_read_one_by_one_and_a_cut_is_seen() -> None:
    stream = BytesIO()
    for row in (b"one", b"", b"three"):
        write_row(stream, row)
    whole = stream.getvalue()

    assert list(read_rows(BytesIO(whole))) == [b"one", b"", b"three"]
    for cut in (1, 3, 6, len(whole) - 1):
        with pytest.raises(Tampered):
            list(read_rows(BytesIO(whole[:cut])))
    with pytest.raises(Tampered):
        list(read_rows(BytesIO(b"\xff\xff\xff\xff")))
