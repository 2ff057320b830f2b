"""Ledger entries as bytes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.audit import Authorship, Draft, Statement
from pacs_secure.core.errors import Malformed, OverLimit, Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import LONGEST_ENTRY, NO_ENTRY, compose_entry, leaf_hash, parse_entry, read_draft, state
from tests.vectors.generate import draft

ALWAYS = "act action outcome institution actor role department door address rule policy facts"
BY = Authorship(KeyId(UUID(int=5)), 3, bytes(range(16)))


def written(one: Draft, index: int = 0, by: Authorship | None = BY) -> bytes:
    return compose_entry(replace(state(one), authorship=by), index, NO_ENTRY).content


def canonical(content: bytes) -> bytes:
    """Write JSON as RFC 8785 does where no name is beyond the basic plane, by another writer."""
    return json.dumps(json.loads(content), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("by", [None, BY])
def test_an_entry_names_its_place_its_predecessor_and_its_writer(by: Authorship | None) -> None:
    said = replace(state(draft(0)), authorship=by)
    entry = compose_entry(said, 17, bytes(range(32)))

    parsed = parse_entry(entry.content)
    assert (parsed.index, parsed.prev_hash, parsed.statement) == (17, bytes(range(32)), said)
    assert (entry.index, entry.prev_hash, entry.leaf_hash) == (17, bytes(range(32)), leaf_hash(entry.content))
    assert canonical(entry.content) == entry.content
    signed = {"mac", "seq", "writer"} if by else set()
    assert set(json.loads(entry.content)) == {"at", "index", "prev", "said", "v"} | signed


def test_what_is_absent_is_left_out() -> None:
    full, bare = (set(json.loads(state(draft(number)).said)) for number in (0, 1))
    assert full - bare == {"purpose", "study", "patient", "details"}
    assert bare == set(ALWAYS.split())


def test_times_are_utc_with_microseconds() -> None:
    at = datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert state(replace(draft(0), at=at)).at == "2026-02-28T23:00:00.000000Z"


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(Malformed):
        state(replace(draft(0), at=datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)))


@pytest.mark.parametrize("facts", [{"big": 2**53}, {"text": "\ud800"}, {"\ud800": 1}])
def test_a_fact_that_canonical_json_cannot_hold_is_refused(facts: dict[str, str | int]) -> None:
    with pytest.raises(Malformed):
        state(replace(draft(0), facts=facts))


def test_the_longest_entry_fits_and_one_byte_more_does_not() -> None:
    room = LONGEST_ENTRY - len(written(replace(draft(0), facts={"x": ""})))
    assert len(written(replace(draft(0), facts={"x": "a" * room}))) == LONGEST_ENTRY
    with pytest.raises(OverLimit):
        written(replace(draft(0), facts={"x": "a" * (room + 1)}))


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers(-(2**53) + 1, 2**53 - 1), max_size=5))
def test_facts_come_back_and_other_json_writers_agree(facts: dict[str, str | int]) -> None:
    content = written(replace(draft(0), facts=facts))
    assert json.loads(content)["said"]["facts"] == facts
    assert read_draft(content).facts == facts
    if all(ord(letter) < 0xD800 for name in facts for letter in name):
        assert canonical(content) == content


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
    | st.sampled_from(['},"v":2}', '"},"seq":1,"v":2,"writer":"', '{"at":"', ',"v":2}', "\n\r\u2028"])
)
def test_nothing_that_is_said_passes_for_the_envelope(text: str) -> None:
    said = replace(draft(0), rule=text, facts={text or "x": text, "v": 2})
    for by in (None, BY):
        content = written(said, by=by)
        assert read_draft(content) == said
        assert parse_entry(content).statement == replace(state(said), authorship=by)


SIGNED = written(draft(0))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"v":2}',
        b"\xff",
        b"[" * 60_000,
        SIGNED + b" ",
        SIGNED[:-1],
        SIGNED.replace(b'"v":2', b'"v":1'),
        SIGNED.replace(b'"v":2', b'"v":3'),
        SIGNED.replace(b'"index":0', b'"index":00'),
        SIGNED.replace(b'"index":0', b'"index":-1'),
        SIGNED.replace(b'"index":0', b'"index":true'),
        SIGNED.replace(b'"prev":"0', b'"prev":"G'),
        SIGNED.replace(b',"seq":3', b""),
        SIGNED.replace(b'"mac":"000102030405060708090a0b0c0d0e0f",', b""),
        SIGNED.replace(b',"writer":"00000000-0000-0000-0000-000000000005"', b""),
        SIGNED.replace(b"00000000-0000-0000-0000-000000000005", b"-" * 36),
        SIGNED.replace(b'"at":"', b'"at": "'),
        b'{"at":"2026-01-31T23:59:58.000007Z",' + b" " * 65_530,
    ],
)
def test_bytes_that_are_no_entry_are_refused(content: bytes) -> None:
    assert parse_entry(SIGNED).index == 0
    with pytest.raises(Tampered):
        parse_entry(content)


@pytest.mark.parametrize("number", [0, 1])
def test_a_draft_is_read_back_as_it_was_written(number: int) -> None:
    assert read_draft(written(draft(number), 3)) == draft(number)


def entry_with(at: str | None = None, **changed: object) -> bytes:
    """Write an entry with fields of what was said replaced, or left out when None."""
    statement = state(draft(0))
    fields = {**json.loads(statement.said), **changed}
    said = json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
    return compose_entry(Statement(at or statement.at, said), 0, NO_ENTRY).content


@pytest.mark.parametrize(
    "changed",
    [
        {"act": None},
        {"act": "no act"},
        {"act": 7},
        {"action": "study:explode"},
        {"at": "2026-99-31T23:59:58.000007Z"},
        {"facts": 7},
        {"purpose": "CURIOSITY"},
        {"details": "in clear"},
        {"details": {"key": "no key", "box": ""}},
        {"details": {"key": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "box": "*"}},
    ],
)
def test_an_entry_that_no_draft_could_have_made_is_not_read_as_one(changed: dict[str, str]) -> None:
    assert read_draft(entry_with()) == draft(0)
    with pytest.raises(Tampered):
        read_draft(entry_with(**changed))


@pytest.mark.parametrize("said", [b'{"act":1,"act":1}', b"{" * 60_000 + b"}", b'{"act":}', b'{"act":"\xff"}'])
def test_what_is_no_json_or_says_a_thing_twice_is_not_read(said: bytes) -> None:
    content = compose_entry(Statement(state(draft(0)).at, said), 0, NO_ENTRY).content
    with pytest.raises(Tampered):
        read_draft(content)
