"""A process that is killed while it adds and records: what it acknowledged is there, and nothing half done."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import sleep

import pytest

from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.archive.writer_check import WriterCheck
from pacs_secure.core.audit import Outcome
from pacs_secure.core.query import Level, Narrowing
from pacs_secure.crypto.tlog import NO_ENTRY, leaf_hash, parse_entry, read_draft
from tests.builders import NOW, appended, draft, grant, indexed_instance, permit, scope
from tests.postgres_fixture import ENGINES, TEMPLATE, PostgresServer, Settled

ROOT = Path(__file__).parents[2]
KILLS = 10

WORKER = """
import json, sys, threading
from uuid import UUID
from pacs_secure.adapters.sql import Database, SqlLedger, SqlRecords
from pacs_secure.core.audit import Outcome
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import ForgettableKey
from tests.builders import ROOT, draft, indexed_instance, instance_row, permit

database = Database(sys.argv[1])
database.author(lambda: ForgettableKey(KeyId(UUID(int=int(sys.argv[2]))), bytes(32)))
run, records, ledger = sys.argv[2], SqlRecords(database), SqlLedger(database)
speaking = threading.Lock()

def say(**words):
    with speaking:
        print(json.dumps(words), flush=True)

def write(thread):
    for number in range(10_000):
        study = f"{ROOT}.{run}.{thread}.{number // 5}"
        instance = f"{study}.1.{number}"
        proof = permit()
        row = instance_row(study, f"{study}.1", instance, act=proof.act)
        begun = lambda facts: draft(Outcome.BEGUN, act=proof.act, study=facts, facts={"instance": instance})
        added = records.add(proof, indexed_instance(row=row), begun)
        say(instance=instance, added=added)
        if number % 2:
            ledger.append(draft(Outcome.COMPLETED, act=proof.act))
            say(completed=str(proof.act))
        else:
            ledger.follow(draft(Outcome.COMPLETED, act=proof.act))

say(ready=True)
for thread in range(3):
    threading.Thread(target=write, args=(thread,), daemon=True).start()
threading.Event().wait(20)
"""


Survived = tuple[str, list[dict[str, object]]]


def killed(place: str, run: int, after: float) -> list[dict[str, object]]:
    """Let a child write for a while, kill it without warning, and return what it had acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, place, str(run)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline()) == {"ready": True}
        said = ""
        while "completed" not in said:  # however busy the machine is, each of them has said something
            said += child.stdout.readline()
        sleep(after)
        child.kill()
        said += child.stdout.read()
    return [json.loads(line) for line in said.splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture(scope="module", params=ENGINES)
def survived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survived]:
    """A database whose writers were killed one after another, and all that they acknowledged."""
    pick, name, place = random.Random(7), "", str(tmp_path_factory.mktemp("killed") / "index.db")
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        name = server.create(TEMPLATE)
        place = server.url(name)
    yield place, [said for run in range(KILLS) for said in killed(place, run, pick.uniform(0.02, 0.3))]
    if name:
        server.drop(name)


def test_everything_acknowledged_is_there(survived: Survived) -> None:
    path, said = survived
    database = Settled(path)
    rows = {row.identity.sop_instance_uid for row in SqlRecords(database).every_instance(grant())}
    ledger = SqlLedger(database)
    drafts = [read_draft(entry.content) for entry in ledger.entries(0, ledger.size())]
    database.close()

    told = [one["instance"] for one in said if "instance" in one]
    assert len(told) > KILLS
    assert {one["added"] for one in said if "added" in one} == {"new"}
    assert set(told) <= rows
    completed = {str(one.act) for one in drafts if one.outcome is Outcome.COMPLETED}
    assert len({one["completed"] for one in said if "completed" in one}) > KILLS
    assert {one["completed"] for one in said if "completed" in one} <= completed


def test_no_writer_left_a_gap_and_every_signature_holds(survived: Survived) -> None:
    database = Settled(survived[0])
    ledger = SqlLedger(database)
    entries = [(entry.index, parse_entry(entry.content).statement) for entry in ledger.entries(0, ledger.size())]
    database.close()

    check = WriterCheck(lambda _: bytes(32))
    assert [problem for index, said in entries if (problem := check.problem(said, index))] == []
    assert len({said.authorship.writer for _, said in entries if said.authorship}) == KILLS


def test_the_chain_is_dense_and_sound(survived: Survived) -> None:
    database = Settled(survived[0])
    ledger = SqlLedger(database)
    entries = list(ledger.entries(0, ledger.size()))
    database.close()

    assert [entry.index for entry in entries] == list(range(len(entries)))
    assert entries[0].prev_hash == NO_ENTRY
    assert all(entry.prev_hash == before.leaf_hash for before, entry in pairwise(entries))
    assert all(entry.leaf_hash == leaf_hash(entry.content) for entry in entries)


def test_there_is_no_row_without_its_entry_and_no_entry_without_its_row(
    survived: Survived,
) -> None:
    database = Settled(survived[0])
    rows = {(row.act, row.identity.sop_instance_uid) for row in SqlRecords(database).every_instance(grant())}
    ledger = SqlLedger(database)
    drafts = [read_draft(entry.content) for entry in ledger.entries(0, ledger.size())]
    database.close()

    assert rows == {(one.act, one.facts["instance"]) for one in drafts if one.outcome is Outcome.BEGUN}


def test_counts_are_those_of_the_rows(survived: Survived) -> None:
    database = Settled(survived[0])
    records = SqlRecords(database)
    studies = list(records.search(scope(), Narrowing(Level.STUDY)))
    counted = {hit.study_instance_uid: (hit.series_in_study, hit.instances_in_study) for hit in studies}
    found: dict[str, set[str]] = {}
    for row in records.every_instance(grant()):
        found.setdefault(row.identity.study_instance_uid, set()).add(row.identity.sop_instance_uid)
    database.close()

    assert counted == {study: (1, len(instances)) for study, instances in found.items()}


def test_what_was_under_way_is_known_and_the_next_entry_continues_the_chain(
    survived: Survived,
) -> None:
    database = Settled(survived[0])
    records, ledger = SqlRecords(database), SqlLedger(database)
    drafts = [read_draft(entry.content) for entry in ledger.entries(0, ledger.size())]
    ended = {one.act for one in drafts if one.outcome is not Outcome.BEGUN}
    left = list(records.open_acts(NOW.replace(year=2100)))
    next_index = appended(ledger, draft()).index
    added = records.add(permit(), indexed_instance(), None)
    database.close()

    assert [one.act for one in left] == [one.act for one in drafts if one.act not in ended]
    assert 0 < len(left) <= 6 * KILLS  # three threads, each with what it did and what only followed
    assert (next_index, added) == (len(drafts), "new")
