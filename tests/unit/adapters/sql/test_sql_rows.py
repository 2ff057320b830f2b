"""How rows are packed, and that what is no such row is not unpacked."""

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.sqlite import dialect

from pacs_secure.adapters.sql import rows
from pacs_secure.adapters.sql.tables import Moment, RandomId
from pacs_secure.core.errors import Tampered
from pacs_secure.core.instance import FrameIndex

SQLITE = dialect()
FRAMES = st.lists(st.tuples(st.integers(0, 1 << 50), st.integers(0, 1 << 40)), max_size=40)


@given(FRAMES)
def test_frames_come_back_wherever_they_lie(frames: list[tuple[int, int]]) -> None:
    index = FrameIndex(tuple(offset for offset, _ in frames), tuple(length for _, length in frames))

    assert rows.unpack_frames(rows.pack_frames(index)) == index


def test_ten_thousand_regular_frames_take_little_room() -> None:
    index = FrameIndex(tuple(range(1000, 1000 + 10_000 * 524_288, 524_288)), (524_288,) * 10_000)

    assert len(rows.pack_frames(index)) < 2000
    assert rows.unpack_frames(rows.pack_frames(index)) == index


@pytest.mark.parametrize(
    "packed",
    [
        b"not compressed",
        zlib.compress(b"1234567"),
        zlib.compress(bytes(24)),
        zlib.compress(bytes(160))[:-5],
        "text",
        7,
    ],
)
def test_what_is_no_frame_index_is_tampered(packed: bytes) -> None:
    with pytest.raises(Tampered):
        rows.unpack_frames(packed)


def test_a_frame_index_that_unpacks_without_end_is_tampered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_PACKED", 1 << 10)

    with pytest.raises(Tampered):
        rows.unpack_frames(zlib.compress(bytes(1 << 20)))


@given(st.frozensets(st.sampled_from(["CT", "MR", "US", "SR", ""])))
def test_modalities_come_back_sorted_and_without_none(modalities: frozenset[str]) -> None:
    assert rows.unpack_modalities(rows.pack_modalities(modalities)) == tuple(sorted(modalities - {""}))


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_comes_back_and_sorts(at: datetime) -> None:
    moment = Moment()
    written = moment.process_bind_param(at, SQLITE)
    later = moment.process_bind_param(at + timedelta(microseconds=1), SQLITE) if at.year < 9999 else None

    assert moment.process_result_value(written, SQLITE) == at
    assert written is not None
    assert later is None or written + 1 == later


def test_a_moment_of_another_zone_is_the_same_moment() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5)))

    assert Moment().process_result_value(Moment().process_bind_param(at, SQLITE), SQLITE) == at


@given(st.uuids())
def test_an_identifier_is_sixteen_bytes(identifier: UUID) -> None:
    written = RandomId().process_bind_param(identifier, SQLITE)

    assert written is not None
    assert (len(written), RandomId().process_result_value(written, SQLITE)) == (16, identifier)


def test_nothing_stays_nothing() -> None:
    for column in (Moment(), RandomId()):
        assert column.process_bind_param(None, SQLITE) is None
        assert column.process_result_value(None, SQLITE) is None


@pytest.mark.parametrize(
    "read",
    [
        lambda: Moment().process_result_value("yesterday", SQLITE),  # type: ignore[arg-type]
        lambda: Moment().process_result_value(1 << 62, SQLITE),
        lambda: RandomId().process_result_value(b"short", SQLITE),
        lambda: RandomId().process_result_value("text", SQLITE),  # type: ignore[arg-type]
        lambda: RandomId().process_result_value(7, SQLITE),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_such_value_is_tampered(read: Callable[[], object]) -> None:
    with pytest.raises(Tampered):
        read()
