"""What reading the ledger costs (``python -m benchmarks.ledger_reading [ENTRIES]``), beside a walk of the whole."""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from pathlib import Path

from pacs_secure.adapters.sql import Database, SqlLedger
from pacs_secure.core.access import Action, StudyFacts
from pacs_secure.core.seeking import Sought
from pacs_secure.crypto.tlog import read_draft
from tests.builders import HERE, NOW, draft, study_facts

ENTRIES, OF_A_PATIENT, RARE, A_PAGE = 100_000, 20, 1_000, 100
TIMES = 30


def fill(ledger: SqlLedger, size: int, studies: list[StudyFacts]) -> None:
    """Append entries about patients in turn, one in a thousand of a rare act."""
    chance = random.Random(1)
    for number in range(size):
        action = Action.STUDY_READ if number % RARE else Action.BREAK_GLASS_OPEN
        ledger.follow(draft(action=action, at=NOW + timedelta(seconds=number), study=chance.choice(studies)))
        while number % 2000 == 0 and ledger.size() < number - 2000:
            time.sleep(0.01)
    while ledger.size() < size:
        time.sleep(0.05)


def spans(what: str, act: Callable[[], int], times: int = TIMES) -> None:
    """Say how long an act takes, and how much it found."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        found = act()
        taken.append(time.perf_counter() - begun)
    print(f"{what:<44} p50 {statistics.median(taken) * 1000:9.2f} ms   {found} entries")


def main(size: int) -> None:
    """Measure over a ledger of so many entries, in SQLite on this machine's disk."""
    studies = [study_facts(f"1.2.{number}") for number in range(max(1, size // OF_A_PATIENT))]
    with tempfile.TemporaryDirectory() as directory:
        database = Database(Path(directory) / "index.db")
        ledger = SqlLedger(database)
        fill(ledger, size, studies)
        one = studies[len(studies) // 2].patient_alias
        middle = NOW + timedelta(seconds=size // 2)

        def found(sought: Sought, most: int = A_PAGE) -> Callable[[], int]:
            return lambda: len([read_draft(entry.content) for entry in islice(ledger.find(sought), most)])

        spans("everything about one patient", found(Sought(HERE, patients=frozenset({one})), size))
        spans("the newest page", found(Sought(HERE)))
        spans("a page of one hour in the middle", found(Sought(HERE, since=middle, until=middle + timedelta(hours=1))))
        spans("the newest page of a rare act", found(Sought(HERE, action=Action.BREAK_GLASS_OPEN)))
        name = str(one).encode()
        whole = lambda: sum(name in entry.content for entry in ledger.entries(0, size))  # noqa: E731 - as the ones above
        spans("one patient, reading the whole (--thorough)", whole, 3)
        database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES)
