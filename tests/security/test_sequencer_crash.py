"""Writers and sequencers that are killed at each step: what was acknowledged gets its place once, and nothing forks."""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import LiteralString

import pytest

from pacs_secure.adapters.sql import Database, SqlLedger
from pacs_secure.adapters.sql.outbox_tables import audit_outbox
from pacs_secure.adapters.sql.sequencer import LOCK
from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import NO_ENTRY, AuthorCheck, leaf_hash, parse_entry, read_draft
from tests.builders import draft
from tests.postgres_fixture import TEMPLATE, PostgresServer

ROOT = Path(__file__).parents[2]

WORKER = """
import json, os, signal, sys, threading, time
from uuid import uuid4
from pacs_secure.adapters.sql import Database, SqlLedger, outbox, sequencer
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import ForgettableKey
from tests.builders import draft

url, part, step, after = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
speaking = threading.Lock()

def say(**words):
    with speaking:
        print(json.dumps(words), flush=True)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

database = Database(url)

def write(thread):
    ledger = SqlLedger(database)
    for number in range(100_000):
        name = f"{part} {thread} {number}"
        ledger.append(draft(facts={"name": name}))
        say(kept=name)

def die_when(module, name, *, behind):
    real, calls = getattr(module, name), []
    def step(*words, **named):
        answer = real(*words, **named) if behind else None
        if getattr(answer, "taken", 1):
            calls.append(1)
        if len(calls) > after:
            say(stood=name)
            if sys.argv[3] == "stands":
                time.sleep(3600)
            die()
        return answer if behind else real(*words, **named)
    setattr(module, name, step)

if part.startswith("writer"):
    database.author(lambda: ForgettableKey(KeyId(uuid4()), bytes(32)))
    say(ready=True)
    for thread in range(3):
        threading.Thread(target=write, args=(thread,), daemon=True).start()
else:
    if step in {"before places", "stands"}:
        die_when(outbox, "place_in", behind=step == "stands")
    elif step == "before commit":
        die_when(outbox, "_note_numbers", behind=True)
    elif step == "after commit":
        die_when(sequencer, "once", behind=True)
    say(ready=True)
    leader = database.leader()
    leader.start(lambda kind, facts: say(alarm=facts))
    while not leader.leads():
        time.sleep(0.005)
    say(leads=True)
threading.Event().wait(60)
"""

STEPS = ("before places", "before commit", "after commit")


@contextmanager
def child(url: str, part: str, step: str = "", after: int = 0) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", WORKER, url, part, step, str(after)]
    # What a writer says waits in the pipe until it is killed; a full one would make it stand still.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, pipesize=1 << 20) as started:
        assert started.stdout is not None
        assert json.loads(started.stdout.readline()) == {"ready": True}
        try:
            yield started
        finally:
            started.kill()


def words(started: "subprocess.Popen[str]") -> list[dict[str, object]]:
    """Kill a child without warning and return the rest of what it said."""
    started.kill()
    assert started.stdout is not None
    said = started.stdout.read()
    return [json.loads(line) for line in said.splitlines(keepends=True) if line.endswith("\n")]


def names(said: list[dict[str, object]]) -> list[str]:
    return [str(one["kept"]) for one in said if "kept" in one]


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer) -> Iterator[str]:
    name = postgres_server.create(TEMPLATE)
    yield postgres_server.url(name)
    postgres_server.drop(name)


class Story:
    """A database on which one process after the other is killed, and all that was acknowledged there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.kept: list[str] = []
        self.alarms: list[object] = []

    def heard(self, said: list[dict[str, object]]) -> None:
        self.kept += names(said)
        self.alarms += [one["alarm"] for one in said if "alarm" in one]


@pytest.fixture(scope="module")
def story(url: str, postgres_server: PostgresServer) -> Story:
    told, pick = Story(url), random.Random(11)
    for number, step in enumerate(STEPS * 2):
        with child(url, f"writer {number}") as writer, child(url, "leader", step, number) as leader:
            leader.wait(20)  # it ends itself, in the middle
            sleep(pick.uniform(0.0, 0.1))
            told.heard(words(writer))
            told.heard(words(leader))
    lost_in_the_middle(told, postgres_server)
    two_at_once(told, pick)
    return told


def lost_in_the_middle(told: Story, postgres_server: PostgresServer) -> None:
    """The leader's session ends while it gives places; a standby takes over, and the leader still lives."""
    with ExitStack() as stack:
        writer = stack.enter_context(child(told.url, "writer lost"))
        leader = stack.enter_context(child(told.url, "leader", "stands", 1))
        assert leader.stdout is not None
        while "stood" not in json.loads(leader.stdout.readline()):
            pass
        standby = stack.enter_context(child(told.url, "leader"))
        with postgres_server.shell() as shell:
            ends: LiteralString = (
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            )
            shell.execute(ends + "AND ((classid::bigint << 32) | objid::bigint) = %s", [LOCK])
        began = monotonic()
        assert standby.stdout is not None
        assert json.loads(standby.stdout.readline()) == {"leads": True}
        assert monotonic() - began < 5
        sleep(0.3)
        for one in (writer, standby, leader):
            told.heard(words(one))


def two_at_once(told: Story, pick: random.Random) -> None:
    """Leaders come and are killed at random moments while others stand by and two writers go on."""
    with ExitStack() as stack:
        writers = [stack.enter_context(child(told.url, f"writer both {number}")) for number in range(2)]
        leaders = [stack.enter_context(child(told.url, "leader")) for _ in range(4)]
        for leader in leaders:
            sleep(pick.uniform(0.1, 0.4))
            told.heard(words(leader))
        for writer in writers:
            told.heard(words(writer))


@pytest.fixture(scope="module")
def entries(story: Story) -> list[LedgerEntry]:
    database = Database(story.url)
    database.settle()
    ledger = SqlLedger(database)
    found = list(ledger.entries(0, ledger.size()))
    with database.read() as connection:
        assert connection.execute(audit_outbox.select()).all() == []
    database.close()
    return found


def test_everything_acknowledged_has_one_place(story: Story, entries: list[LedgerEntry]) -> None:
    placed = Counter(read_draft(entry.content).facts["name"] for entry in entries)

    assert len(story.kept) > 200
    assert set(story.kept) <= placed.keys()
    assert set(placed.values()) == {1}


def test_the_chain_is_dense_and_sound(entries: list[LedgerEntry]) -> None:
    assert [entry.index for entry in entries] == list(range(len(entries)))
    assert [parse_entry(entry.content).index for entry in entries] == list(range(len(entries)))
    assert entries[0].prev_hash == NO_ENTRY
    assert all(entry.prev_hash == before.leaf_hash for before, entry in pairwise(entries))
    assert all(entry.leaf_hash == leaf_hash(entry.content) for entry in entries)


def test_no_writer_left_a_number_out_and_every_word_is_theirs(story: Story, entries: list[LedgerEntry]) -> None:
    checks: dict[KeyId, tuple[AuthorCheck, list[int]]] = {}
    for entry in entries:
        statement = parse_entry(entry.content).statement
        assert statement.authorship is not None
        check, numbers = checks.setdefault(statement.authorship.writer, (AuthorCheck(bytes(32)), []))
        assert check.holds(statement, entry.index)
        numbers.append(statement.authorship.number)

    assert len(checks) == len(STEPS) * 2 + 3
    assert all(numbers == list(range(len(numbers))) for _, numbers in checks.values())
    assert story.alarms == []


def test_what_a_thread_said_stands_in_its_order(entries: list[LedgerEntry]) -> None:
    heard: dict[str, int] = {}
    for entry in entries:
        thread, _, number = str(read_draft(entry.content).facts["name"]).rpartition(" ")
        assert int(number) == heard.get(thread, -1) + 1
        heard[thread] = int(number)


def test_the_next_entry_continues_the_chain(story: Story, entries: list[LedgerEntry]) -> None:
    database = Database(story.url)
    SqlLedger(database).append(draft())
    database.settle()
    (last,) = SqlLedger(database).entries(len(entries), len(entries) + 9)
    database.close()

    assert last.prev_hash == entries[-1].leaf_hash
