"""The vault gives its snapshots to one role only, and they bring back what they held, forgotten keys too."""

import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.vault_keyring import VaultEraser, VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.adapters.vault_snapshots import PATIENCE, RaftSnapshots, VaultTrials, restore_snapshot
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import Shelf
from tests.vault_fixture import RunningVault

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def snapshot(openbao: RunningVault, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("snapshot") / "snapshot"
    RaftSnapshots(session(openbao, VaultRole.SNAPSHOT)).take(to)
    return to


def session(vault: RunningVault, role: VaultRole) -> VaultSession:
    return VaultSession(vault.address, vault.ca_file, vault.credentials[role], timeout=PATIENCE)


def trials(vault: RunningVault) -> VaultTrials:
    return VaultTrials(vault.secrets.shares, vault.credentials[VaultRole.READER])


def test_a_key_that_was_forgotten_since_comes_back_with_an_older_snapshot(
    openbao: RunningVault, tmp_path: Path
) -> None:
    of = openbao.new_institution()
    wrapper, eraser = (
        VaultWrapper(openbao.session(VaultRole.STORE)),
        VaultEraser(openbao.session(VaultRole.ERASER)),
    )
    key = wrapper.mint(of, Shelf.STUDY)
    RaftSnapshots(session(openbao, VaultRole.SNAPSHOT)).take(tmp_path / "snapshot")
    eraser.erase(of, Shelf.STUDY, [key.key_id])
    later = wrapper.mint(of, Shelf.STUDY)

    wanted = [key.key_id, later.key_id, KeyId(uuid4())]
    assert set(VaultUnwrapper(openbao.session(VaultRole.READER)).fetch(of, Shelf.STUDY, wanted)) == {later.key_id}
    with trials(openbao).restored(tmp_path / "snapshot") as back:
        assert back.fetch(of, Shelf.STUDY, wanted) == {key.key_id: key}


@pytest.mark.parametrize("role", sorted(set(VaultRole) - {VaultRole.SNAPSHOT}))
def test_no_other_role_is_given_a_snapshot(openbao: RunningVault, tmp_path: Path, role: VaultRole) -> None:
    with pytest.raises(Unavailable):
        RaftSnapshots(session(openbao, role)).take(tmp_path / "snapshot")


def test_the_role_restores_none(openbao: RunningVault, snapshot: Path) -> None:
    with pytest.raises(Unavailable):
        restore_snapshot(session(openbao, VaultRole.SNAPSHOT), snapshot)


def test_a_snapshot_is_never_written_over_another(openbao: RunningVault, snapshot: Path) -> None:
    with pytest.raises(Unavailable):
        RaftSnapshots(session(openbao, VaultRole.SNAPSHOT)).take(snapshot)


def test_what_is_no_snapshot_does_not_restore(openbao: RunningVault, snapshot: Path, tmp_path: Path) -> None:
    broken = bytearray(snapshot.read_bytes())
    broken[len(broken) // 2] ^= 1
    (tmp_path / "snapshot").write_bytes(broken)
    with pytest.raises((Tampered, Unavailable)), trials(openbao).restored(tmp_path / "snapshot"):
        pass


def test_a_vault_that_is_away_gives_none(tmp_path: Path, openbao: RunningVault) -> None:
    away = VaultSession(
        "https://127.0.0.1:1", openbao.ca_file, openbao.credentials[VaultRole.SNAPSHOT], timeout=(0.2, 0.2)
    )
    with pytest.raises(Unavailable):
        RaftSnapshots(away).take(tmp_path / "snapshot")


def test_a_trial_does_not_outlive_the_process_that_makes_it(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = (
        "import os, sys, time\n"
        "from pacs_secure.adapters.vault_snapshots import ending_with_us\n"
        "pid = os.posix_spawn('/bin/sleep', ['sleep', '60'], {}, setsid=True)\n"
        "with ending_with_us(pid):\n"
        "    open(sys.argv[1], 'w').write(str(pid))\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, told]) as process:
        until = time.monotonic() + 20
        while not (told.exists() and told.read_text()):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.kill()
    pid = int(told.read_text())
    while running(pid):
        assert time.monotonic() < until
        time.sleep(0.02)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
