"""The crash programme: a fault at each numbered step, then the six invariants (crypto-and-ledger 8, 9).

``make crash`` goes through all of it many times, the n-th visit of each step drawn anew.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pacs_secure.archive.rekey import Stay
from pacs_secure.core.access import Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import NotFound
from pacs_secure.core.identifiers import uid
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import Shelf
from tests.bdd.pictures import WORDS, picture
from tests.bdd.traces import traces
from tests.builders import grant
from tests.crash_steps import FAULTS, PICTURES, STEPS
from tests.crash_worker import NOTE, afterwards, kept, later, opened, person
from tests.vault_fixture import RunningVault
from tests.world import DiskWorld

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "0"))
"""How often everything is gone through; 0: at each step one fault in its turn, and in taking in each kill too."""

pytestmark = pytest.mark.real


@dataclass
class Programme:
    """One archive that goes from fault to fault, and all that it acknowledged."""

    job: str
    place: dict[str, Any]
    worker: "subprocess.Popen[str]"
    pick: random.Random = field(default_factory=lambda: random.Random(5))
    rounds: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    """SOP Instance UIDs that were acknowledged, with the number of their study."""

    def tell(self, order: object) -> None:
        assert self.worker.stdin is not None
        self.worker.stdin.write(json.dumps(order) + "\n")
        self.worker.stdin.flush()

    def hear(self) -> dict[str, object]:
        assert self.worker.stdout is not None
        said: dict[str, object] = json.loads(self.worker.stdout.readline())
        return said

    def run(self, step: str, fault: str) -> int:
        """Let a process meet the fault; whoever hangs is killed, as somebody would in the end; return its study."""
        self.rounds += 1
        number = 1000 + self.rounds
        several = self.job == "ingest" and "mint" not in step and "decide" not in step
        nth = self.pick.randint(1, PICTURES if several or step in {"5 sweep", "any commit"} else 1)
        self.tell({"job": self.job, "number": number, "step": step, "fault": fault, "nth": nth})
        said = []
        while "over" not in (words := self.hear()):
            said.append(words)
            if "hangs" in words:
                os.kill(int(str(words["hangs"])), signal.SIGKILL)
        assert {"struck": fault} in said, f"nobody came to this step: {said}"
        self.kept |= {str(words["kept"]): number for words in said if "kept" in words}
        return number


@pytest.fixture(scope="module", params=STEPS)
def programme(
    request: pytest.FixtureRequest, openbao: RunningVault, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Programme]:
    """Give each job an archive of its own."""
    directory = tmp_path_factory.mktemp("crash")
    place = {
        "address": openbao.address,
        "ca_file": str(openbao.ca_file),
        "institution": openbao.new_institution(),
        "directory": str(directory / "archive"),
        "backups": str(directory / "backups"),
        "roles": {role: (one.role_id, one.secret_id) for role, one in openbao.credentials.items()},
    }
    (directory / "archive").mkdir()
    command = [sys.executable, "-m", "tests.crash_worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as worker:
        told = Programme(request.param, place, worker)
        told.tell(place)
        assert told.hear() == {"ready": True}
        yield told
        assert worker.stdin is not None
        worker.stdin.close()


def check(programme: Programme, world: DiskWorld) -> None:
    """Prove the invariants I1 to I5 over everything that is there."""
    engines, home = world.house.engines, world.house.engines.home
    seal, officer = world.archive.search.seals.index(home), person(Role.OPERATOR, home)
    rows = {str(row.identity.sop_instance_uid): row for row in engines.records.every_instance(grant())}
    # I1: what was acknowledged is there, with the bytes that were sent …
    for name, study in programme.kept.items():
        one = picture("US", int(name.rpartition(".")[2]), study=study)
        assert one.sop_instance_uid == name
        assert rows[name].data_set_fingerprint == seal.fingerprint(sha256(one.data_set).digest())
    # … and opens; I2: each row has its object, with its commitment and length; I3: none without a row is believed.
    assert world.archive.verify.check_archive(officer, deep=True).findings == ()
    # I4: no effect without an entry, and the ledger is whole.
    entries = [read_draft(entry.content) for entry in engines.ledger.entries(0, engines.ledger.size())]
    begun = {one.act for one in entries if one.outcome is Outcome.BEGUN}
    assert {row.act for row in rows.values()} <= begun
    assert world.archive.verify.check_ledger(officer).findings == ()
    # I5: no key that was forgotten is back.
    buried = [one.key_id for one in engines.tombstones.all()]
    assert engines.unwrapper.fetch(home, Shelf.STUDY, buried) == {}


def carry_out(programme: Programme, world: DiskWorld, number: int) -> None:
    """Do to its end what the fault interrupted, as whoever starts next does; nothing stands in its way."""
    by, job = person(Role.OPERATOR, world.house.engines.home), programme.job
    if job == "forget":
        study, verb = picture("US", study=number).study_instance_uid, world.archive.forget
        with suppress(NotFound):
            verb.request(by, None, study, details=NOTE)  # whoever heard no answer asks again
        verb.carry_on(by, None, details=NOTE)
        later(verb).carry_on(by, None, details=NOTE)
        assert world.house.engines.forgettings.under_way() == []
        assert world.house.engines.records.instances(by.institution, uid(study)) == []
        programme.kept = {name: of for name, of in programme.kept.items() if of != number}
    elif job == "rewrap":
        assert afterwards(world.archive.rekey).rewrap(by, None, details=NOTE).stay is Stay.NOTHING
    elif job == "back up":
        backups = kept(programme.place, world)
        backups.take()
        assert all(backups.verify(name).verdict.sound for name in backups.place.names()[-2:])
        backups.place.close()


def faults(job: str) -> list[tuple[str, str]]:
    """Return the rounds of a job, each a step with what happens there."""
    of = {step: FAULTS[job, step] for step in STEPS[job]}
    if ROUNDS:
        return [(step, fault) for step in of for fault in of[step]] * ROUNDS
    turns = [(step, faults[number % len(faults)]) for number, (step, faults) in enumerate(of.items())]
    return turns + ([(step, "kill -9") for step in of] if job == "ingest" else [])


def test_whatever_happens_at_a_step_what_was_acknowledged_is_there_and_nothing_else_is_believed(
    programme: Programme,
) -> None:
    rounds = faults(programme.job)
    assert {step for step, _ in rounds} == STEPS[programme.job].keys()
    for step, fault in rounds:
        number = programme.run(step, fault)
        with opened(programme.place) as world:
            carry_out(programme, world, number)
            check(programme, world)
    assert programme.rounds == len(rounds)
    # I6: whatever was left behind, none of it is readable.
    frames = [frame for number in range(1, PICTURES + 1) for frame in picture("US", number, study=1001).frames]
    assert traces([Path(programme.place["directory"]).parent], WORDS, frames) == []
