"""The walk along the ledger: every tampering is found, at its first position, and said once."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_secure.archive.ledger_check import MOST_FINDINGS, LedgerCheck
from pacs_secure.archive.writer_check import WriterCheck, WriterKey
from pacs_secure.core.access import Action, Role
from pacs_secure.core.audit import Authorship, Draft, Finding, LedgerEntry, Outcome, Statement
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Certificate
from pacs_secure.crypto.tlog import (
    NO_ENTRY,
    Author,
    Frontier,
    certificate_text,
    certifier,
    checkpoint_text,
    compose_entry,
    leaf_hash,
    parse_entry,
    root,
    sign_note,
    state,
)
from pacs_secure.ports import Shelf
from tests.builders import HERE, draft
from tests.fakes import MemoryLedger, MemoryPublisher
from tests.fakes_keys import FakeKeyring
from tests.world import ORIGIN

Entries = list[LedgerEntry]
Tamper = Callable[[Entries], object]

SIZE = 300
SIGNED = (1, 50, 100, 101, 200, 250)
PUBLISHED = 250
SPLIT = 200


class Log:
    """A ledger of 300 entries, six checkpoints over it, the last of them published."""

    def __init__(self) -> None:
        self.keyring = FakeKeyring()
        ledger = MemoryLedger()
        ledger.author(lambda: self.keyring.mint(HERE, Shelf.LEDGER))
        for _ in range(SIZE):
            ledger.append(draft())
        self.true: Entries = ledger.kept
        self.notes = {size: self.note(size) for size in SIGNED}
        self.publisher = MemoryPublisher()
        self.publisher.publish(self.true[:PUBLISHED], PUBLISHED, self.notes[PUBLISHED])

    def note(self, size: int, entries: Entries | None = None, origin: str = ORIGIN) -> bytes:
        frontier = Frontier()
        for entry in (entries or self.true)[:size]:
            frontier.append(entry.leaf_hash)
        text = checkpoint_text(origin, size, frontier.root())
        return sign_note(text, origin, self.keyring.public_key(), self.keyring.sign(text))

    def writer_key(self, writer: KeyId) -> bytes | None:
        found = self.keyring.fetch(HERE, Shelf.LEDGER, [writer]).get(writer)
        return found.key if found else None

    def check(
        self,
        entries: Entries,
        notes: list[bytes] | None = None,
        publisher: MemoryPublisher | None = None,
        key_of: WriterKey | None = None,
    ) -> list[Finding]:
        check = LedgerCheck(ORIGIN, self.keyring.public_key(), WriterCheck(key_of or self.writer_key))
        check.published(publisher or self.publisher)
        for note in list(self.notes.values()) if notes is None else notes:
            check.kept(note)
        for entry in entries:
            check.entry(entry)
        check.end()
        return check.findings


LOG = Log()
NOWHERE = MemoryPublisher()


def places(findings: list[Finding]) -> list[tuple[str, int | None]]:
    return [(finding.place, finding.position) for finding in findings]


def renamed(content: bytes, **changed: str | int) -> bytes:
    """Write an entry anew with fields of its envelope changed, or its address."""
    fields = json.loads(content)
    if "address" in changed:
        fields["said"]["address"] = changed.pop("address")
    return rfc8785.dumps({**fields, **changed})


def entry_of(content: bytes, place: int, prev: bytes) -> LedgerEntry:
    written = renamed(content, index=place, prev=prev.hex())
    return LedgerEntry(place, written, leaf_hash(written), prev)


def edit(at: int) -> Tamper:
    def tamper(entries: Entries) -> None:
        entries[at] = replace(entries[at], content=renamed(entries[at].content, address="203.0.113.7"))

    return tamper


def edit_with_hash(at: int) -> Tamper:
    def tamper(entries: Entries) -> None:
        content = renamed(entries[at].content, address="203.0.113.7")
        entries[at] = replace(entries[at], content=content, leaf_hash=leaf_hash(content))

    return tamper


def rewrite_from(at: int) -> Tamper:
    def tamper(entries: Entries) -> None:
        edit_with_hash(at)(entries)
        for place in range(at + 1, len(entries)):
            entries[place] = entry_of(entries[place].content, place, entries[place - 1].leaf_hash)

    return tamper


def remove(at: int) -> Tamper:
    return lambda entries: entries.pop(at)


def remove_and_close_ranks(at: int) -> Tamper:
    def tamper(entries: Entries) -> None:
        del entries[at]
        entries[at:] = [replace(entry, index=entry.index - 1) for entry in entries[at:]]

    return tamper


def insert(at: int) -> Tamper:
    def tamper(entries: Entries) -> None:
        forged = entry_of(renamed(entries[at].content, address="203.0.113.7"), at, entries[at].prev_hash)
        entries[at:] = [forged, *(replace(entry, index=entry.index + 1) for entry in entries[at:])]

    return tamper


def swap(at: int) -> Tamper:
    def tamper(entries: Entries) -> None:
        one, other = entries[at], entries[at + 1]
        entries[at], entries[at + 1] = replace(other, index=at), replace(one, index=at + 1)

    return tamper


def cut(at: int) -> Tamper:
    def tamper(entries: Entries) -> None:
        del entries[at:]

    return tamper


def unreadable(at: int) -> Tamper:
    def tamper(entries: Entries) -> None:
        entries[at] = replace(entries[at], content=b"{", leaf_hash=leaf_hash(b"{"))

    return tamper


def test_an_untouched_ledger_is_sound() -> None:
    assert LOG.check(LOG.true) == []
    assert LOG.check(LOG.true, [], NOWHERE) == []


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (edit(120), [("entry", 120), ("checkpoint", 200)]),
        (edit_with_hash(120), [("tree", 120), ("checkpoint", 200)]),
        (rewrite_from(120), [("tree", 120), ("checkpoint", 200)]),
        (remove(120), [("chain", 120), ("checkpoint", 200)]),
        (remove_and_close_ranks(120), [("chain", 120), ("checkpoint", 200)]),
        (insert(120), [("tree", 120), ("chain", 121), ("checkpoint", 200)]),
        (swap(120), [("chain", 120), ("chain", 121), ("checkpoint", 200), ("chain", 122)]),
        (cut(120), [("tree", 120)]),
        (unreadable(120), [("chain", 120), ("checkpoint", 200)]),
        (edit(0), [("entry", 0), ("checkpoint", 1)]),
        (remove(0), [("chain", 0), ("checkpoint", 1)]),
        (edit(260), [("entry", 260)]),
        (remove(260), [("chain", 260)]),
        (remove_and_close_ranks(260), [("chain", 260)]),
    ],
)
def test_a_tampering_is_named_by_its_first_position_and_said_once(tamper: Tamper, found: list[tuple[str, int]]) -> None:
    entries = list(LOG.true)
    tamper(entries)

    assert sorted(places(LOG.check(entries))) == sorted(found)
    assert LOG.check(entries)[0].position == found[0][1]


def test_two_tamperings_are_two_findings() -> None:
    entries = list(LOG.true)
    edit(30)(entries)
    edit(180)(entries)

    assert places(LOG.check(entries)) == [("entry", 30), ("checkpoint", 50), ("entry", 180)]


def test_without_anything_published_signatures_alone_find_a_rewrite() -> None:
    entries = list(LOG.true)
    rewrite_from(120)(entries)

    assert places(LOG.check(entries, publisher=NOWHERE)) == [("writer", 120), ("checkpoint", 200)]


def test_without_any_signature_the_chain_alone_finds_an_edit() -> None:
    entries = list(LOG.true)
    edit_with_hash(120)(entries)

    assert places(LOG.check(entries, [], NOWHERE)) == [("writer", 120), ("chain", 121)]


def test_behind_an_unpublished_gap_the_chain_is_taken_up_where_it_goes_on() -> None:
    entries = list(LOG.true)
    del entries[255:259]

    (finding,) = LOG.check(entries)
    assert (finding.place, finding.position) == ("chain", 255)
    assert finding.problem == "entries 255 to 258 are missing"


# --- writers and time ---------------------------------------------------------------------------


def left_out(at: int, more: int = 1) -> Entries:
    """Drop entries before they get their place: everything behind them is chained as if they had never been."""
    entries = LOG.true[:at]
    for entry in LOG.true[at + more :]:
        said = parse_entry(entry.content).statement
        entries.append(compose_entry(said, len(entries), entries[-1].leaf_hash if entries else NO_ENTRY))
    return entries


def test_an_entry_left_out_before_it_got_its_place_is_found_by_its_writers_numbers() -> None:
    (finding,) = LOG.check(left_out(120), [], NOWHERE)
    assert (finding.place, finding.position) == ("writer", 120)
    assert finding.problem == "1 entries that its writer made before it are missing"
    assert places(LOG.check(left_out(0, 7), [], NOWHERE)) == [("writer", 0)]


def test_an_entry_given_two_places_is_found() -> None:
    entries = LOG.true[:120]
    for entry in (LOG.true[119], *LOG.true[120:130]):
        entries.append(compose_entry(parse_entry(entry.content).statement, len(entries), entries[-1].leaf_hash))

    (finding,) = LOG.check(entries, [], NOWHERE)
    assert (finding.place, finding.position) == ("writer", 120)
    assert "used its number before" in finding.problem


def forged(at: int, by: Authorship | None) -> Entries:
    """Append one entry in somebody's name, chained as any other."""
    return [*LOG.true[:at], compose_entry(replace(state(draft()), authorship=by), at, LOG.true[at - 1].leaf_hash)]


def test_an_entry_that_no_writer_signed_is_found() -> None:
    own = parse_entry(LOG.true[200].content).statement.authorship
    assert own is not None
    stranger = replace(own, writer=KeyId(uuid4()), number=0)

    for by, problem in (
        (replace(own, mac=bytes(16)), "not what its writer signed"),
        (stranger, "has no key on the shelf"),
        (None, "nobody signed the entry, and it may not stand unsigned"),
    ):
        (finding,) = LOG.check(forged(200, by), [], NOWHERE)
        assert (finding.place, finding.position) == ("writer", 200)
        assert problem in finding.problem


@pytest.mark.parametrize(
    "unsigned",
    [
        draft(Outcome.REFUSED, details=None),
        replace(draft(Outcome.REFUSED, details=b"somebody"), actor=""),
        replace(draft(Outcome.COMPLETED, details=None, facts={"actor": "", "objects": 12}), actor=""),
        replace(draft(Outcome.COMPLETED, details=None, action=Action.SYSTEM_STOP), actor=""),
    ],
)
def test_nothing_that_accuses_somebody_or_covers_something_up_may_stand_unsigned(unsigned: Draft) -> None:
    entries = [*LOG.true[:200], compose_entry(state(unsigned), 200, LOG.true[199].leaf_hash)]
    (finding,) = LOG.check(entries, [], NOWHERE)
    assert (finding.place, finding.problem) == ("writer", "nobody signed the entry, and it may not stand unsigned")


@pytest.mark.parametrize("said", [b'{"actor":"",}', b'{"actor":""}', b"{}"])
def test_what_nobody_signed_and_nobody_can_read_is_found(said: bytes) -> None:
    at = parse_entry(LOG.true[199].content).statement.at
    entries = [*LOG.true[:200], compose_entry(Statement(at, said), 200, LOG.true[199].leaf_hash)]
    assert places(LOG.check(entries, [], NOWHERE)) == [("writer", 200)]

    own = parse_entry(LOG.true[200].content).statement.authorship
    entries[200] = compose_entry(Statement(at, said, own), 200, LOG.true[199].leaf_hash)

    def away(_: KeyId) -> bytes:
        raise Unavailable("the vault is away")

    check = WriterCheck(away)
    check.signatures = False
    assert "cannot be read" in check.problem(Statement(at, said, own), 200, resume=True)


def succession(said: object) -> Entries:
    """Let another writer go on behind entry 199, and say whom it continues."""
    first = LOG.keyring.mint(HERE, Shelf.LEDGER)
    author = Author(first.key_id, first.key)
    statement = author.sign(state(draft(facts={"continues": str(said)})))
    return [*LOG.true[:200], compose_entry(statement, 200, LOG.true[199].leaf_hash)]


def test_a_writer_that_goes_on_under_another_name_loses_nothing_unnoticed() -> None:
    own = parse_entry(LOG.true[0].content).statement.authorship
    assert own is not None
    assert LOG.check(succession(f"{own.writer} 200"), [], NOWHERE) == []
    assert LOG.check(succession(f"{own.writer} 198"), [], NOWHERE) == []  # more was kept than was known
    (finding,) = LOG.check(succession(f"{own.writer} 203"), [], NOWHERE)
    assert (finding.place, finding.position) == ("writer", 200)
    assert finding.problem == "3 entries that its writer made before, under another name, are missing"
    assert "continues nothing" in LOG.check(succession("nobody 3"), [], NOWHERE)[0].problem
    assert "7 entries" in LOG.check(succession(f"{uuid4()} 7"), [], NOWHERE)[0].problem


def test_small_steps_back_do_not_add_up() -> None:
    entries = LOG.true[:200]
    at = datetime.fromisoformat(parse_entry(LOG.true[199].content).statement.at)
    for step in range(1, 4):
        said = state(replace(draft(Outcome.REFUSED, details=None, at=at - step * timedelta(minutes=4)), actor=""))
        entries.append(compose_entry(said, len(entries), entries[-1].leaf_hash))
    assert places(LOG.check(entries, [], NOWHERE)) == [("time", 201)]


def test_what_nobody_signed_is_borne_where_it_accuses_nobody() -> None:
    said = state(replace(draft(Outcome.REFUSED, details=None), actor=""))
    entries = [*LOG.true[:200], compose_entry(said, 200, LOG.true[199].leaf_hash)]

    assert LOG.check(entries, [], NOWHERE) == []


def test_without_the_vault_numbers_are_verified_and_signatures_are_not() -> None:
    own = parse_entry(LOG.true[200].content).statement.authorship
    assert own is not None

    def away(_: KeyId) -> bytes:
        raise Unavailable("the vault is away")

    assert LOG.check(LOG.true, key_of=away) == []
    assert LOG.check(forged(200, replace(own, mac=bytes(16))), [], NOWHERE, away) == []
    assert places(LOG.check(left_out(120), [], NOWHERE, away)) == [("writer", 120)]


def test_a_writers_key_that_was_changed_on_the_shelf_is_found() -> None:
    def changed(_: KeyId) -> bytes:
        raise Tampered("does not unwrap")

    check = LedgerCheck(ORIGIN, LOG.keyring.public_key(), WriterCheck(changed))
    check.entry(LOG.true[0])
    assert places(check.findings) == [("writer", 0)]


def test_from_the_middle_on_a_writer_is_taken_at_its_number() -> None:
    writers = WriterCheck(LOG.writer_key, from_the_start=False)
    numbers = [writers.problem(parse_entry(entry.content).statement, entry.index) for entry in LOG.true[50:60]]
    assert numbers == [""] * 10
    assert "missing" in writers.problem(parse_entry(LOG.true[70].content).statement, 70)
    assert WriterCheck(None).problem(parse_entry(LOG.true[0].content).statement, 0) == ""


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("2026-03-01T11:54:00.000000Z", [("time", 200)]),
        ("2026-99-01T11:54:00.000000Z", [("writer", 200), ("time", 200)]),
        ("2026-03-01T11:58:00.000000Z", []),
    ],
)
def test_an_entry_dated_back_is_found_and_clocks_that_differ_a_little_are_borne(
    at: str, found: list[tuple[str, int]]
) -> None:
    said = replace(state(replace(draft(Outcome.REFUSED, details=None), actor="")), at=at)
    entries = [*LOG.true[:200], compose_entry(said, 200, LOG.true[199].leaf_hash)]

    assert places(LOG.check(entries, [], NOWHERE)) == found


def test_a_gap_costs_no_more_for_being_claimed_to_be_endless() -> None:
    entries = [*LOG.true[:10], replace(LOG.true[10], index=1 << 62)]

    assert ("chain", 10) in places(LOG.check(entries))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([edit, edit_with_hash, rewrite_from, remove, remove_and_close_ranks, insert, swap, cut]),
    st.integers(0, PUBLISHED - 2),
)
def test_whatever_is_tampered_with_below_a_checkpoint_is_found_at_its_position(
    kind: Callable[[int], Tamper], at: int
) -> None:
    entries = list(LOG.true)
    kind(at)(entries)
    findings = LOG.check(entries)

    assert min(finding.position for finding in findings if finding.position is not None) == at
    assert findings[0].position == at
    assert len(findings) <= 4


# --- checkpoints --------------------------------------------------------------------------------


def test_a_fork_shows_as_two_roots_of_one_size() -> None:
    other = [*LOG.true[:90], *LOG.true[91:]]
    notes = [*LOG.notes.values(), LOG.note(100, other)]

    assert places(LOG.check(LOG.true, notes)) == [("checkpoint", 100)]
    assert "fork" in LOG.check(LOG.true, notes)[0].problem


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"no note at all\n",
        LOG.notes[50][:-3] + b"==\n",
        LOG.notes[50].replace(b"\n50\n", b"\n51\n"),
        LOG.note(50, origin="other.example/ledger"),
    ],
)
def test_a_checkpoint_that_proves_nothing_is_found(note: bytes) -> None:
    assert places(LOG.check(LOG.true, [note])) == [("checkpoint", None)]


def test_a_published_checkpoint_with_a_bad_signature_commits_to_nothing() -> None:
    publisher = MemoryPublisher()
    publisher.publish(LOG.true[:50], 50, LOG.notes[50])
    publisher.note = LOG.notes[50].replace(b"50", b"51")

    assert places(LOG.check(LOG.true, [], publisher)) == [("checkpoint", None)]


def test_what_was_published_and_is_torn_is_found() -> None:
    class Torn(MemoryPublisher):
        def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
            yield LOG.true[0].leaf_hash
            raise Tampered("a published tile is missing")

    publisher = Torn()
    publisher.publish(LOG.true[:50], 50, LOG.notes[50])

    assert places(LOG.check(LOG.true, [], publisher)) == [("tree", None)]


def test_findings_are_bounded() -> None:
    entries = [replace(entry, content=renamed(entry.content, address="203.0.113.7")) for entry in LOG.true]
    assert len(entries) > MOST_FINDINGS
    assert len(LOG.check(entries)) == MOST_FINDINGS


def test_what_is_found_again_and_again_is_said_once_and_takes_no_room() -> None:
    assert places(LOG.check(LOG.true, [b""] * 2 * MOST_FINDINGS)) == [("checkpoint", None)]
    check = LedgerCheck(ORIGIN, LOG.keyring.public_key(), WriterCheck(LOG.writer_key))
    check.kept(LOG.notes[250])
    for entry in LOG.true[:100]:
        check.entry(entry)
        check.end()
    assert places(check.findings) == [("tree", 1)]


class TestExpired:
    """Behind entries that expired under a certificate; what databases and directories can do is in tests/security."""

    def certificate(self, root_of: list[bytes]) -> bytes:
        now = datetime.now(UTC)
        text = certificate_text(
            ORIGIN, Certificate(1, 0, len(root_of), root(root_of), now, 0, "", Role.OPERATOR, now, {})
        )
        return sign_note(text, certifier(ORIGIN), LOG.keyring.public_key(), LOG.keyring.sign(text))

    def check(self, signed: list[bytes], kept: list[bytes], publisher: MemoryPublisher = NOWHERE) -> list[Finding]:
        check = LedgerCheck(ORIGIN, LOG.keyring.public_key(), WriterCheck(None, from_the_start=False))
        check.published(publisher)
        for note in LOG.notes.values():
            check.kept(note)
        check.certified([self.certificate(signed)], lambda start, stop: iter(kept[start:stop]))
        for entry in LOG.true[SPLIT:]:
            check.entry(entry)
        check.end()
        return check.findings

    def test_leaf_hashes_stand_for_what_has_gone(self) -> None:
        leaves = [entry.leaf_hash for entry in LOG.true[:SPLIT]]

        assert self.check(leaves, leaves, LOG.publisher) == []

    def test_a_certificate_over_another_tree_is_a_fork(self) -> None:
        leaves = [entry.leaf_hash for entry in LOG.true[:SPLIT]]

        found = self.check([*leaves[:-1], bytes(32)], leaves)

        assert ("certificate", SPLIT) in places(found)

    def test_a_leaf_hash_that_is_not_the_published_one_is_found_once(self) -> None:
        leaves = [entry.leaf_hash for entry in LOG.true[:SPLIT]]
        other = [*leaves[:1], bytes(32), bytes(32), *leaves[3:]]

        found = places(self.check(leaves, other, LOG.publisher))

        assert found.count(("tree", 1)) == 1
        assert ("tree", 2) not in found
