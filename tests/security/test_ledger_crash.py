"""The ledger's writer is killed at every step of append, sign and publish: nothing acknowledged is lost, nothing forks.

One process imports everything once and forks a child for each round; the child ends itself with SIGKILL where it is
told to. What it said before is what it had acknowledged, and every checkpoint that stood in the publishing directory
at that moment is remembered outside, as a witness would.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure import audit_verify
from pacs_secure.adapters.sql import Database, SqlLedger, SqlRecords
from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.archive.ledger_check import LedgerCheck
from pacs_secure.archive.writer_check import WriterCheck
from pacs_secure.core.audit import Outcome
from pacs_secure.crypto.tlog import parse_checkpoint, read_draft
from tests.builders import NOW

ROOT = Path(__file__).parents[2]
ORIGIN = "crash.example/ledger"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()

FORGE = """
import json, os, signal, sys
from pathlib import Path
from uuid import uuid4
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pacs_secure.adapters.sql import Database, SqlLedger, authorship, ledger as sql_ledger, placing, writer
from pacs_secure.adapters import tile_directory
from pacs_secure.archive.notary import Notary
from pacs_secure.core.audit import Outcome
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import ForgettableKey
from tests.builders import draft

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

class Signer:
    def public_key(self): return KEY.public_key().public_bytes_raw()
    def sign(self, message): return KEY.sign(message)

STEPS = {
    "author": (authorship.Authorship, "lend"),
    "number": (authorship.Author, "sign"),
    "compose": (placing, "compose_entry"),
    "place": (sql_ledger, "place_in"),
    "insert": (sql_ledger, "append_in"),
    "savepoint": (writer._Item, "run"),
    "commit": (writer.Writer, "_commit"),
    "answer": (writer._Item, "answer"),
    "frontier": (Notary, "_resume"),
    "sign": (Signer, "sign"),
    "bundles": (tile_directory.TileDirectory, "_extend_bundles"),
    "tiles": (tile_directory.TileDirectory, "_extend_tiles"),
    "file": (tile_directory.TileDirectory, "_replace"),
    "superseded": (tile_directory.TileDirectory, "_remove_superseded"),
    "publish": (tile_directory.TileDirectory, "publish"),
    "keep": (SqlLedger, "add_checkpoint"),
}

def fail_at(step, when, count):
    home, name = STEPS[step]
    real, left = getattr(home, name), [count]
    def failing(*arguments, **named):
        left[0] -= 1
        if when == "before" and left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*arguments, **named)
        if when == "after" and left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)
        return answer
    setattr(home, name, failing)

def live(directory, step, when, count):
    out = open(directory / "said", "a", buffering=1)
    if step: fail_at(step, when, count)
    database = Database(directory / "index.db")
    ledger = SqlLedger(database)
    ledger.author(lambda: ForgettableKey(KeyId(uuid4()), bytes(32)))
    notary = Notary(ledger, tile_directory.TileDirectory(directory / "published"), Signer(), "ORIGIN")
    for number in range(4):
        for _ in range(3):
            act = uuid4()
            ledger.append(draft(Outcome.BEGUN, act=act))
            out.write(f"{act} begun\\n")
            ledger.append(draft(Outcome.COMPLETED, act=act))
            out.write(f"{act} completed\\n")
        notary.attest()
    database.close()

for line in sys.stdin:
    directory, step, when, count = json.loads(line)
    child = os.fork()
    if child == 0:
        try:
            live(Path(directory), step, when, count)
        except BaseException as error:
            print("child", repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])), flush=True)
""".replace("ORIGIN", ORIGIN)


@dataclass
class Ledger:
    """A ledger that lives through one process after another."""

    forge: subprocess.Popen[str]
    directory: Path
    kept: dict[int, bytes] = field(default_factory=dict)
    """Roots of checkpoints that were seen from outside, by size."""

    def live(self, step: str = "", when: str = "", count: int = 0) -> int:
        """Let a process write and attest until it is done, or dead at a step; return its exit code."""
        assert self.forge.stdin
        assert self.forge.stdout
        self.forge.stdin.write(json.dumps([str(self.directory), step, when, count]) + "\n")
        self.forge.stdin.flush()
        code: int = json.loads(self.forge.stdout.readline())
        self.look()
        return code

    def look(self) -> None:
        """Remember every checkpoint that stands published; one that contradicts an earlier one is a fork."""
        for note in (self.directory / "published" / "checkpoints").glob("[0-9]*"):
            checkpoint = parse_checkpoint(note.read_bytes())
            assert self.kept.setdefault(checkpoint.size, checkpoint.root) == checkpoint.root

    def acknowledged(self) -> set[tuple[str, str]]:
        said = (self.directory / "said").read_text().splitlines()
        return {(act, outcome) for act, outcome in (line.split() for line in said)}

    def check(self) -> None:
        """Hold what is there against what was acknowledged, and let both verifiers judge it."""
        database = Database(self.directory / "index.db")
        ledger, publisher = SqlLedger(database), TileDirectory(self.directory / "published")
        entries = list(ledger.entries(0, ledger.size()))
        drafts = [read_draft(entry.content) for entry in entries]
        check = LedgerCheck(ORIGIN, PUBLIC, WriterCheck(lambda _: bytes(32)))
        check.published(publisher)
        for note in ledger.checkpoints():
            check.kept(note)
        for entry in entries:
            check.entry(entry)
        check.end()
        open_acts = {one.act for one in SqlRecords(database).open_acts(NOW.replace(year=2100))}
        database.close()

        assert check.findings == []
        assert {(str(one.act), one.outcome.value) for one in drafts} >= self.acknowledged()
        ended = {one.act for one in drafts if one.outcome is Outcome.COMPLETED}
        assert open_acts == {one.act for one in drafts} - ended
        alone = audit_verify.Verification(audit_verify.Directory(self.directory / "published"), KEY.public_key())
        alone.run()
        assert (alone.findings, alone.size) == ([], len(entries))
        assert self.kept[len(entries)] == alone.tree.root()


@pytest.fixture(scope="module")
def forge() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", FORGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as forge:
        yield forge
        assert forge.stdin
        forge.stdin.close()


STEPS = (
    "author",
    "number",
    "compose",
    "place",
    "insert",
    "savepoint",
    "commit",
    "answer",
    "frontier",
    "sign",
    "bundles",
    "tiles",
    "file",
    "superseded",
    "publish",
    "keep",
)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_nothing_acknowledged_is_lost_and_nothing_forks(
    forge: subprocess.Popen[str], tmp_path: Path, step: str
) -> None:
    ledger = Ledger(forge, tmp_path)
    assert ledger.live() == 0
    for when in ("before", "after"):
        for count in (1,) if step == "frontier" else (1, 2, 4):
            assert ledger.live(step, when, count) == -9, f"{when} call {count} of {step} nobody died"
    assert ledger.live() == 0
    ledger.check()


def test_killed_again_and_again_it_goes_on_where_it_was(forge: subprocess.Popen[str], tmp_path: Path) -> None:
    ledger = Ledger(forge, tmp_path)
    for count, step in enumerate(STEPS * 2):
        ledger.live(step, "after" if count % 3 else "before", 1 + count // len(STEPS))
    assert ledger.live() == 0
    ledger.check()
    assert len({act for act, _ in ledger.acknowledged()}) > len(STEPS)
