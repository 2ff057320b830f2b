"""One command starts everything, another ends it, and no kill -9 in between loses anything."""

import json
import ssl
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.x509 import SubjectAlternativeName, UniformResourceIdentifier, load_pem_x509_certificate

from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.core.access import Action
from pacs_secure.crypto.tlog import parse_checkpoint, read_draft, verify_cosignature, witness_key
from pacs_secure.quickstart.processes import Process, identify
from tests.quickstart_fixture import Running, command
from tests.web_instances import part10, study_uid

pytestmark = pytest.mark.real

SECRETS = {"unseal.json", "credentials.json", "quickstart.json", "development-issuer.pem"}


def listening(pid: int) -> set[str]:
    """Return the addresses, as the kernel writes them, on which a process listens for TCP."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        name = str(link.readlink())
        if name.startswith("socket:["):
            inodes.add(name[8:-1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                addresses.add(fields[1].rpartition(":")[0])
    return addresses


def test_it_says_where_everything_is(running: Running) -> None:
    told = running.told

    assert told["version"] == 1
    assert Path(told["data_dir"]) == running.directory
    assert told["fhir_url"].endswith("/fhir")
    assert set(told["pids"]) == {"openbao", "archive", "supervisor", "witness-1", "witness-2"}
    assert set(told["users"]) == {
        "radiologist", "clinician", "referrer", "technologist", "researcher", "officer", "dpo", "admin",
    }  # fmt: skip
    assert told["devices"]["MODALITY1"]["allow"] == ["store"]
    assert told["devices"]["WORKSTATION1"]["listen_port"] > 0
    for path in (
        told["ca_file"],
        told["config_file"],
        told["vault"]["ca_file"],
        told["ledger"]["public_key"],
        *(told["devices"][name][part] for name in told["devices"] for part in ("cert", "key")),
    ):
        assert Path(path).is_file()
    assert Path(told["ledger"]["checkpoint_dir"]).is_dir()


def test_its_secrets_are_for_their_owner_only(running: Running) -> None:
    assert stat.S_IMODE(running.directory.stat().st_mode) == 0o700
    found = {path.name for path in running.files() if stat.S_IMODE(path.stat().st_mode) & 0o077 == 0}
    keys = {path.name for path in running.files() if path.suffix == ".key"}

    assert SECRETS | keys <= found
    assert keys


def test_nothing_listens_beyond_loopback(running: Running) -> None:
    loopback = {"0100007F", "00000000000000000000000001000000"}
    for name in ("openbao", "archive", "witness-1", "witness-2"):
        addresses = listening(running.told["pids"][name])
        assert addresses
        assert addresses <= loopback


def test_a_devices_certificate_cannot_pose_as_the_archive(running: Running) -> None:
    for device in running.told["devices"].values():
        certificate = load_pem_x509_certificate(Path(device["cert"]).read_bytes())
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        assert [type(name) for name in names] == [UniformResourceIdentifier]


def test_no_process_leaves_its_memory_in_a_core_file(running: Running) -> None:
    for pid in running.told["pids"].values():
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        (core,) = (line for line in limits if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]


def test_status_shows_what_runs(running: Running) -> None:
    shown = command("status", "--data", running.directory, "--json")

    assert shown.returncode == 0
    status = json.loads(shown.stdout)
    assert status["ready"] is True
    assert {name: one["running"] for name, one in status["processes"].items()} == {
        "supervisor": True, "archive": True, "openbao": True, "witness-1": True, "witness-2": True,
    }  # fmt: skip


def test_this_machine_reads_how_the_archive_is(running: Running) -> None:
    url = running.told["api_url"].removesuffix("/api/v1") + "/metrics"
    context = ssl.create_default_context(cafile=running.told["ca_file"])

    lines = httpx.get(url, verify=context).text.splitlines()
    told = {name: float(value) for name, value in (line.split() for line in lines if not line.startswith("#"))}

    assert told["pacs_secure_ready"] == 1.0
    assert told["pacs_secure_ledger_entries"] >= told["pacs_secure_ledger_published_entries"] > 0
    assert told["pacs_secure_objects_free_bytes"] > 0
    assert not any("{" in line for line in lines)


def test_a_running_archive_is_backed_up_and_the_set_proven_with_its_vault(running: Running, tmp_path: Path) -> None:
    config, unseal = running.told["config_file"], running.directory / "vault" / "unseal.json"
    (tmp_path / "one.dcm").write_bytes(part10(30))
    assert running.send([tmp_path / "one.dcm"]).stored == 1
    backups = running.directory / "backups"
    made = command("--config", config, "backup", "create", "--to", backups, "--json")
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["objects"] == told["copied"] > 0

    proven = command("--config", config, "backup", "verify", told["set"], "--unseal-file", unseal, "--json")
    assert proven.returncode == 0, proven.stdout + proven.stderr
    assert json.loads(proven.stdout)["keys"] > 0
    status = json.loads(command("status", "--data", running.directory, "--json").stdout)["backup"]
    assert status["set"] == Path(told["set"]).name
    assert status["proven_at"] is not None


def test_two_witnesses_sign_what_is_published(running: Running) -> None:
    keys = {one["name"]: one["verifier_key"] for one in running.told["ledger"]["witnesses"]}
    published = Path(running.told["ledger"]["checkpoint_dir"])
    size = parse_checkpoint((published / "checkpoint").read_bytes()).size

    def newest() -> bytes:
        file = published / "witnessed-checkpoint"
        return file.read_bytes() if file.exists() else b""

    until = time.monotonic() + 10
    while not newest() or parse_checkpoint(newest()).size < size:
        assert time.monotonic() < until
        time.sleep(0.1)
    text, lines = parse_checkpoint(newest()).text, newest().decode().splitlines()[-2:]
    assert sorted(keys) == ["witness-1", "witness-2"]
    for line, key in zip(lines, keys.values(), strict=True):
        assert abs(verify_cosignature(line, witness_key(key), text) - datetime.now(UTC)) < timedelta(minutes=10)


@pytest.mark.parametrize("name", ["archive", "openbao", "witness-1"])
def test_a_killed_process_comes_back_and_nothing_acknowledged_is_lost(
    running: Running, name: str, tmp_path: Path
) -> None:
    number = ["archive", "openbao", "witness-1"].index(name) + 20
    file = tmp_path / "one.dcm"
    file.write_bytes(part10(number))
    assert running.send([file]).stored == 1

    killed = identify(name, running.told["pids"][name])
    running.kill(name)
    while killed.alive or running.told["pids"][name] == killed.pid:
        pass
    running.wait()

    with running.client() as client:
        answer = client.get(f"/studies/{study_uid(number)}", headers={"Accept": "application/dicom"})
    assert answer.status_code == 200
    assert running.run("ledger", "verify").returncode == 0


def test_a_second_start_goes_on_where_a_killed_supervisor_stood(running: Running, tmp_path: Path) -> None:
    file = tmp_path / "one.dcm"
    file.write_bytes(part10(30))
    assert running.send([file]).stored == 1
    before = running.told
    running.kill("supervisor")
    assert command("status", "--data", running.directory).returncode == 1

    again = running.start("--no-sample")

    assert again.returncode == 0, again.stdout + again.stderr
    assert not any(Process(name, pid, identify(name, pid).started).alive for name, pid in before["pids"].items())
    assert running.told["dicomweb_url"] == before["dicomweb_url"]
    with running.client() as client:
        assert client.get(f"/studies/{study_uid(30)}/metadata").status_code == 200
    assert running.run("verify", "--deep").returncode == 0


def test_starting_what_runs_already_changes_nothing(running: Running) -> None:
    before = running.told["pids"]

    again = running.start()

    assert again.returncode == 0
    assert running.told["pids"] == before


def test_stop_ends_everything_and_takes_back_the_tokens(tmp_path: Path) -> None:
    archive = Running(tmp_path / "data")
    try:
        assert archive.start().returncode == 0
        pids = [identify(name, pid) for name, pid in archive.told["pids"].items()]
        with archive.client() as client:
            studies = client.get("/studies", params={"limit": "500"}).json()
            assert sum(study["00201208"]["Value"][0] for study in studies) > 60, "the samples are there"
    finally:
        stopped = archive.stop()

    assert stopped.returncode == 0
    assert not any(process.alive for process in pids)
    published = TileDirectory(Path(archive.told["ledger"]["checkpoint_dir"]))
    size = published.published()
    actions = [read_draft(published.content(index, size)).action for index in range(size)]
    assert (actions.count(Action.SYSTEM_START), actions[-1]) == (1, Action.SYSTEM_STOP)
    assert parse_checkpoint(published.witnessed() or b"").size == size, "witnesses have seen the end too"
    assert archive.told["pids"] == archive.told["users"] == {}
    assert command("status", "--data", archive.directory).returncode == 1
