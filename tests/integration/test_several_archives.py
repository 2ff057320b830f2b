"""Two archives in two processes on one PostgreSQL, one bucket and one vault, under load; one of them is killed."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from pacs_secure.adapters.s3_blobs import S3Blobs
from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.core.access import Action, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.crypto.tlog import read_draft
from tests.archive_process import person, read
from tests.bdd.keys import VaultKeys
from tests.bdd.pictures import picture
from tests.builders import subject
from tests.postgres_fixture import Settled
from tests.vault_fixture import RunningVault
from tests.world import disk_world

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
Said = list[dict[str, object]]


@contextmanager
def another(place: Mapping[str, object], first: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.archive_process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as started:
        assert started.stdin is not None
        assert started.stdout is not None
        started.stdin.write(json.dumps({**place, "first": first}) + "\n")
        started.stdin.flush()
        try:
            assert json.loads(started.stdout.readline()) == {"ready": True}
            yield started
        finally:
            started.kill()


def hear(archive: "subprocess.Popen[str]", times: int) -> Said:
    """Listen until it has read back so many pictures."""
    said: Said = []
    patience = monotonic() + 60
    while sum("read" in one for one in said) < times:
        assert monotonic() < patience, said[-5:]
        assert archive.stdout is not None
        said.append(json.loads(archive.stdout.readline()))
    return said


def rest(archive: "subprocess.Popen[str]") -> Said:
    archive.kill()
    assert archive.stdout is not None
    return [json.loads(line) for line in archive.stdout.read().splitlines(keepends=True) if line.endswith("\n")]


def test_what_a_killed_archive_acknowledged_the_other_has_and_it_goes_on(
    openbao: RunningVault, postgres_url: str, s3_place: S3Place, tmp_path: Path
) -> None:
    keys = VaultKeys(openbao)
    place = {
        "address": openbao.address,
        "ca_file": str(openbao.ca_file),
        "institution": keys.institution,
        "url": postgres_url,
        "bucket": {name: str(value) if isinstance(value, Path) else value for name, value in asdict(s3_place).items()},
        "directory": str(tmp_path),
        "roles": {role: (one.role_id, one.secret_id) for role, one in openbao.credentials.items()},
    }
    with ExitStack() as stack:
        killed, left = (stack.enter_context(another(place, first)) for first in (100_000, 200_000))
        said = hear(killed, 10) + hear(left, 10)
        said += rest(killed)
        after = hear(left, 10)
        said += after + rest(left)

        assert [one for one in said if "failed" in one or "alarm" in one] == []
        kept = [int(str(one["kept"])) for one in said if "kept" in one]
        assert min(sum(study < 200_000 for study in kept), sum(study >= 200_000 for study in kept)) >= 10
        world = stack.enter_context(
            disk_world(
                tmp_path,
                keys.wrapper,
                keys.unwrapper,
                keys.signer,
                home=keys.institution,
                database=Settled(postgres_url),
                blobs=S3Blobs(s3_place),
            )
        )
        reader, officer = person(Role.RADIOLOGIST, keys.institution), subject(Role.DPO, of=keys.institution)
        for study in kept:
            one = picture("US", study=study)
            assert read(world.archive, reader, one) == one.data_set
        # What the killed one had under way is closed by whoever starts next, and the ledger is one and whole.
        world.archive.recovery.close_open_acts(datetime.now(UTC) + timedelta(hours=1))
        world.database.settle()
        ledger = world.house.engines.ledger
        drafts = [read_draft(entry.content) for entry in ledger.entries(0, ledger.size())]
        stored = [one for one in drafts if one.action is Action.STUDY_CREATE]
        begun = {one.act for one in stored if one.outcome is Outcome.BEGUN}
        assert {one.act for one in stored if one.outcome is not Outcome.BEGUN} == begun
        assert len(begun) >= len(kept)
        assert world.archive.verify.check_ledger(officer).findings == ()
    keys.close()
