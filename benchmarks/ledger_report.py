"""What a report over a million entries costs (``python -m benchmarks.ledger_report [ENTRIES] [--folder FOLDER]``).

The ledger is made once, by direct inserts through the adapter's own tables, signed by a writer and
published as the notary does; with ``--folder`` it stays for the next run. What is timed is the verb:
admit, read and verify every entry, tally, print, sign, record. One process, memory of the process.
"""

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import insert

from pacs_secure.adapters.sql.tables import ledger
from pacs_secure.core.access import Action, Role
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.core.reports import Language, ReportFormat
from pacs_secure.crypto.tlog import NO_ENTRY, Author, Frontier, checkpoint_text, compose_entry, sign_note, state
from pacs_secure.ports import ForgettableKey, Shelf
from tests.builders import draft, subject
from tests.fakes_keys import FakeKeyring
from tests.world import ORIGIN, DiskWorld, disk_world

ENTRIES, A_CHECKPOINT, PEOPLE, PATIENTS = 1_000_000, 1_000, 400, 60_000
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 31
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WRITER = KeyId(UUID(int=9, version=4))
RULE = "p, clinician, study:search study:read share:create board:admit, TREAT, department, -, allow"


class Keys(FakeKeyring):
    """A shelf on which every key is the same, so that a ledger can be kept from one run to the next."""

    def __init__(self) -> None:
        super().__init__()
        self._log_key = KEY

    def mint(self, institution: Institution, shelf: Shelf) -> ForgettableKey:  # noqa: ARG002 - the port's own words
        return ForgettableKey(KeyId(uuid4()), bytes(32))

    def fetch(
        self,
        institution: Institution,  # noqa: ARG002 - the same
        shelf: Shelf,  # noqa: ARG002 - the same
        key_ids: Collection[KeyId],
    ) -> dict[KeyId, ForgettableKey]:
        return {key_id: ForgettableKey(key_id, bytes(32)) for key_id in key_ids}


def drafts(size: int) -> Iterator[Draft]:
    """Yield a month of a busy house: reads with their outcomes, searches, refusals, receptions."""
    dice = random.Random(7)
    people = [
        subject(Role.CLINICIAN, identifier=f"p{number}", department=f"d{number % 20}") for number in range(PEOPLE)
    ]
    patients = [UUID(int=dice.getrandbits(128), version=4) for _ in range(PATIENTS)]
    step = timedelta(days=DAYS) / size
    for number in range(0, size, 2):
        by, at, patient = dice.choice(people), BEGINS + step * number, dice.choice(patients)
        act = UUID(int=dice.getrandbits(128), version=4)
        action = dice.choices((Action.STUDY_READ, Action.STUDY_SEARCH, Action.STUDY_CREATE), (6, 3, 1))[0]
        facts: dict[str, str | int] = {"objects": dice.randrange(900), "protocol": "WADO-RS"}
        if dice.random() < 0.01:
            facts["protected"] = "vip"
        begun = draft(Outcome.BEGUN, act=act, action=action, at=at, by=by, facts=facts, details=bytes(90))
        begun = replace(begun, patient_alias=patient, study_alias=patient, rule=RULE)
        yield begun
        ended = Outcome.REFUSED if dice.random() < 0.02 else Outcome.COMPLETED
        yield replace(begun, at=at + step, outcome=ended, facts={**facts, "bytes": 525_000})


def fill(world: DiskWorld, size: int, console: Console) -> None:
    """Write the ledger, a checkpoint for every thousand entries."""
    author, frontier, prev, index = Author(WRITER, bytes(32)), Frontier(), NO_ENTRY, 0
    publisher, public, source = world.house.engines.publisher, KEY.public_key().public_bytes_raw(), drafts(size)
    with Progress(console=console) as progress:
        task = progress.add_task("writing the ledger", total=size)
        while batch := list(islice(source, A_CHECKPOINT)):
            entries: list[LedgerEntry] = []
            for one in batch:
                entry = compose_entry(author.sign(state(one)), index, prev)
                entries.append(entry)
                frontier.append(entry.leaf_hash)
                prev, index = entry.leaf_hash, index + 1
            keep(world, entries)
            text = checkpoint_text(ORIGIN, index, frontier.root())
            note = sign_note(text, ORIGIN, public, KEY.sign(text))
            publisher.publish(entries, index, note)
            world.house.engines.ledger.add_checkpoint(index, note)
            progress.advance(task, len(batch))


def keep(world: DiskWorld, entries: list[LedgerEntry]) -> None:
    rows = [
        {"entry_index": one.index, "content": one.content, "leaf_hash": one.leaf_hash, "prev_hash": one.prev_hash}
        for one in entries
    ]
    world.database.write(lambda connection: connection.execute(insert(ledger), rows))


def measure(world: DiskWorld, size: int, form: ReportFormat, console: Console) -> None:
    dpo, days = subject(Role.DPO, department=""), (BEGINS.date(), (BEGINS + timedelta(days=DAYS - 1)).date())
    began, cpu = time.perf_counter(), time.process_time()
    with Progress(console=console) as progress:
        task = progress.add_task(f"reporting as {form.value}", total=size)
        printed = world.archive.report.make(
            dpo, None, days, Language.GERMAN, form, details={}, progress=lambda count: progress.advance(task, count)
        )
    took, worked = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sound = orjson.loads(printed.content)["integrity"]["sound"] if form is ReportFormat.JSON else "printed"
    print(
        f"{form.value:<5} {took:6.1f} s  ({worked:6.1f} s of CPU, {size / worked:9,.0f} entries/s)  "
        f"peak {peak:6.0f} MiB  {len(printed.content):9,} bytes  sound: {sound}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a report over a large ledger.")
    parser.add_argument("entries", nargs="?", type=int, default=ENTRIES)
    parser.add_argument("--folder", type=Path, help="where the ledger is kept for the next run")
    options = parser.parse_args()
    console, keys = Console(stderr=True), Keys()
    with tempfile.TemporaryDirectory(dir=".") as temporary:
        folder: Path = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with disk_world(folder, keys, keys, keys) as world:
            if world.house.engines.ledger.size() < options.entries:
                fill(world, options.entries, console)
            for form in (ReportFormat.JSON, ReportFormat.HTML, ReportFormat.PDF):
                measure(world, options.entries, form, console)


if __name__ == "__main__":
    main()
