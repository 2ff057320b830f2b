"""The crash programme of taking in: a fault at each numbered step, then the six invariants (crypto-and-ledger 8, 9).

``CRASH_ROUNDS=50 make crash`` goes through all of it so many times, the n-th visit of each step drawn anew.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from pacs_secure.core.access import Role
from pacs_secure.core.audit import Outcome
from pacs_secure.crypto.tlog import read_draft
from tests.bdd.keys import VaultKeys
from tests.bdd.pictures import WORDS, picture
from tests.bdd.traces import traces
from tests.builders import grant, subject
from tests.crash_worker import FAULTS, PICTURES
from tests.vault_fixture import RunningVault
from tests.world import DiskWorld, disk_world

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "1"))
CASES = [(step, fault) for step, faults in FAULTS.items() for fault in faults]

pytestmark = pytest.mark.real


@dataclass
class Programme:
    """One archive that goes from fault to fault, and all that it acknowledged."""

    directory: Path
    keys: VaultKeys
    worker: "subprocess.Popen[str]"
    pick: random.Random = field(default_factory=lambda: random.Random(5))
    rounds: int = 0
    kept: set[str] = field(default_factory=set)

    def tell(self, order: object) -> None:
        assert self.worker.stdin is not None
        self.worker.stdin.write(json.dumps(order) + "\n")
        self.worker.stdin.flush()

    def hear(self) -> dict[str, object]:
        assert self.worker.stdout is not None
        said: dict[str, object] = json.loads(self.worker.stdout.readline())
        return said

    def run(self, step: str, fault: str) -> list[dict[str, object]]:
        """Let a process meet the fault; whoever hangs is killed, as somebody would in the end."""
        self.rounds += 1
        nth = self.pick.randint(1, 1 if "mint" in step or "decide" in step else PICTURES)
        self.tell({"number": 1000 + self.rounds, "step": step, "fault": fault, "nth": nth})
        said = []
        while "over" not in (words := self.hear()):
            said.append(words)
            if "hangs" in words:
                os.kill(int(str(words["hangs"])), signal.SIGKILL)
        self.kept |= {str(words["kept"]) for words in said if "kept" in words}
        return said


@pytest.fixture(scope="module")
def programme(openbao: RunningVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programme]:
    keys, directory = VaultKeys(openbao), tmp_path_factory.mktemp("crash")
    command = [sys.executable, "-m", "tests.crash_worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as worker:
        told = Programme(directory, keys, worker)
        told.tell(
            {
                "address": openbao.address,
                "ca_file": str(openbao.ca_file),
                "institution": keys.institution,
                "directory": str(directory),
                "roles": {role: (one.role_id, one.secret_id) for role, one in openbao.credentials.items()},
            }
        )
        assert told.hear() == {"ready": True}
        yield told
        assert worker.stdin is not None
        worker.stdin.close()
    keys.close()


def check(programme: Programme, world: DiskWorld) -> None:
    """Prove the invariants I1 to I5 over everything that is there."""
    engines, seal = world.house.engines, world.archive.search.seals.index(programme.keys.institution)
    rows = {str(row.identity.sop_instance_uid): row for row in engines.records.every_instance(grant())}
    # I1: what was acknowledged is there, with the bytes that were sent …
    for study in range(1001, 1001 + programme.rounds):
        for number in range(1, PICTURES + 1):
            one = picture("US", number, study=study)
            if one.sop_instance_uid in programme.kept:
                fingerprint = seal.fingerprint(sha256(one.data_set).digest())
                assert rows[one.sop_instance_uid].data_set_fingerprint == fingerprint
    # … and opens; I2: each row has its object, with its commitment and length; I5: no key that was forgotten is back.
    officer = subject(Role.OPERATOR, of=programme.keys.institution)
    assert world.archive.verify.check_archive(officer, deep=True).findings == ()
    # I3: an object without a row was never acknowledged.
    assert programme.kept <= rows.keys()
    # I4: no effect without an entry, and the ledger is whole.
    entries = [read_draft(entry.content) for entry in engines.ledger.entries(0, engines.ledger.size())]
    begun = {one.act for one in entries if one.outcome is Outcome.BEGUN}
    assert {row.act for row in rows.values()} <= begun
    assert world.archive.verify.check_ledger(officer).findings == ()


@pytest.mark.parametrize("step", FAULTS)
def test_whatever_happens_at_a_step_what_was_acknowledged_is_there_and_nothing_else_is_believed(
    programme: Programme, step: str
) -> None:
    for fault in FAULTS[step] * ROUNDS:
        said = programme.run(step, fault)
        assert {"struck": step} in said, "nobody came to this step"
        keys = programme.keys
        with disk_world(programme.directory, keys.wrapper, keys.unwrapper, keys.signer, home=keys.institution) as world:
            check(programme, world)
    # I6: whatever was left behind, none of it is readable.
    frames = [frame for number in range(1, PICTURES + 1) for frame in picture("US", number, study=1001).frames]
    assert traces([programme.directory], WORDS, frames) == []


def test_the_programme_was_gone_through_and_most_of_what_was_sent_was_kept(programme: Programme) -> None:
    for step, fault in CASES if not programme.rounds else ():
        programme.run(step, fault)
    assert programme.rounds >= len(CASES)
    assert programme.kept
