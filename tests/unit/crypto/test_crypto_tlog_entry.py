"""Ledger entries as bytes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Malformed, OverLimit, Tampered
from pacs_secure.crypto.tlog import LONGEST_ENTRY, NO_ENTRY, compose_entry, leaf_hash, parse_entry, read_draft
from tests.vectors.generate import draft

ALWAYS = "v index prev at act action outcome institution actor role department door address rule policy facts"


def test_an_entry_names_its_place_and_its_predecessor() -> None:
    entry = compose_entry(draft(0), 17, bytes(range(32)))
    content = parse_entry(entry.content)
    assert (content["v"], content["index"], content["prev"]) == (1, 17, bytes(range(32)).hex())
    assert (entry.index, entry.prev_hash, entry.leaf_hash) == (17, bytes(range(32)), leaf_hash(entry.content))


def test_what_is_absent_is_left_out() -> None:
    full, bare = (set(parse_entry(compose_entry(draft(number), 0, NO_ENTRY).content)) for number in (0, 1))
    assert full - bare == {"purpose", "study", "patient", "details"}
    assert bare == set(ALWAYS.split())


def test_times_are_utc_with_microseconds() -> None:
    at = datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert parse_entry(compose_entry(replace(draft(0), at=at), 0, NO_ENTRY).content)["at"] == (
        "2026-02-28T23:00:00.000000Z"
    )


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(Malformed):
        compose_entry(replace(draft(0), at=datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)), 0, NO_ENTRY)


@pytest.mark.parametrize("facts", [{"big": 2**53}, {"text": "\ud800"}, {"\ud800": 1}])
def test_a_fact_that_canonical_json_cannot_hold_is_refused(facts: dict[str, str | int]) -> None:
    with pytest.raises(Malformed):
        compose_entry(replace(draft(0), facts=facts), 0, NO_ENTRY)


def test_the_longest_entry_fits_and_one_byte_more_does_not() -> None:
    room = LONGEST_ENTRY - len(compose_entry(replace(draft(0), facts={"x": ""}), 0, NO_ENTRY).content)
    assert len(compose_entry(replace(draft(0), facts={"x": "a" * room}), 0, NO_ENTRY).content) == LONGEST_ENTRY
    with pytest.raises(OverLimit):
        compose_entry(replace(draft(0), facts={"x": "a" * (room + 1)}), 0, NO_ENTRY)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers(-(2**53) + 1, 2**53 - 1), max_size=5))
def test_facts_come_back_and_other_json_writers_agree(facts: dict[str, str | int]) -> None:
    content = compose_entry(replace(draft(0), facts=facts), 0, NO_ENTRY).content
    parsed = json.loads(content)
    assert parsed["facts"] == facts
    if all(ord(letter) < 0xD800 for name in facts for letter in name):
        assert json.dumps(parsed, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() == content


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"v":2}', b'{"v":1,"v":1}', b'{"v":1', b"\xff", b"[" * 60_000, b'{"v":1}' + b" " * 65_530],
)
def test_bytes_that_are_no_entry_are_refused(content: bytes) -> None:
    with pytest.raises(Tampered):
        parse_entry(content)


@pytest.mark.parametrize("number", [0, 1])
def test_a_draft_is_read_back_as_it_was_written(number: int) -> None:
    written = draft(number)

    assert read_draft(compose_entry(written, 3, NO_ENTRY).content) == written


def entry_with(**changed: object) -> bytes:
    """Write an entry with fields replaced, or left out when None."""
    fields = {**json.loads(compose_entry(draft(0), 0, NO_ENTRY).content), **changed}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


@pytest.mark.parametrize(
    "changed",
    [
        {"act": None},
        {"act": "no act"},
        {"act": 7},
        {"action": "study:explode"},
        {"at": "yesterday"},
        {"facts": 7},
        {"purpose": "CURIOSITY"},
        {"details": "in clear"},
        {"details": {"key": "no key", "box": ""}},
        {"details": {"key": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "box": "*"}},
    ],
)
def test_an_entry_that_no_draft_could_have_made_is_not_read_as_one(changed: dict[str, object]) -> None:
    with pytest.raises(Tampered):
        read_draft(entry_with(**changed))
