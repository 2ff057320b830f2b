"""Faults of what the archive rests on, as features/outages.feature tells it: real servers, real disks, real locks."""

import os
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.openbao_server import OpenBaoServer
from pacs_secure.adapters.sql.postgres import _REACHING, _READING, _WRITING
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Unavailable
from pacs_secure.dimse.sender import send
from pacs_secure.dimse.tls import client_context
from tests.bdd.conftest import try_again_later
from tests.bdd.hospital import AE_TITLE, HOST, PART10, Hospital, Keys, closed, hospital_below, until
from tests.bdd.keys import MemoryKeys, VaultKeys
from tests.bdd.pictures import picture
from tests.bdd.story import RADIOLOGIST, STUDY, TRY_AGAIN
from tests.postgres_fixture import PostgresServer, Settled
from tests.vault_fixture import RunningVault, free_ports

scenarios("outages.feature")

SMALL = "16m"
Outage = Callable[[], AbstractContextManager[object]]


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """Mount a disk of its own, which can be full or broken without any other."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=0700", "small", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("the small disks that these faults need cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def full(place: Path) -> Iterator[None]:
    """Fill a disk to its last page."""
    junk = place / "junk"
    with junk.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    junk.unlink()


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Let a disk break as real ones do: what was written can be read, and nothing can be written any more."""
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", place], check=True)


# --- the key store --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningVault, Path]]:
    """Run a key store that no other test rests on, with a disk of its own for its audit log."""
    directory, audit = tmp_path_factory.mktemp("faulty"), tmp_path_factory.mktemp("audit")
    (directory / "audit.log").symlink_to(audit / "audit.log")
    running = RunningVault(OpenBaoServer(directory, *free_ports(2)))
    with small_disk(audit):
        try:
            running.set_up()
            yield running, audit
        finally:
            running.kill()


@pytest.fixture
def keys(request: pytest.FixtureRequest) -> Iterator[Keys]:
    if not request.node.get_closest_marker("SEC-03"):
        yield MemoryKeys()
        return
    lent = VaultKeys(request.getfixturevalue("vault")[0])
    try:
        yield lent
    finally:
        lent.close()


@contextmanager
def vault_sealed(vault: RunningVault) -> Iterator[None]:
    with vault.sealed():
        yield


@contextmanager
def vault_killed(vault: RunningVault) -> Iterator[None]:
    vault.kill()
    yield
    vault.launch()
    vault.unseal()


@contextmanager
def vault_still(vault: RunningVault) -> Iterator[None]:
    assert vault.pid is not None
    os.kill(vault.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(vault.pid, signal.SIGCONT)


@when(parsers.re(r"the key store (?P<fails>.+)"))
def _vault_fails(hospital: Hospital, outage: ExitStack, vault: tuple[RunningVault, Path], fails: str) -> None:
    running, audit = vault
    outage.enter_context(
        {
            "is sealed": lambda: vault_sealed(running),
            "is killed": lambda: vault_killed(running),
            "stands still": lambda: vault_still(running),
            "cannot write its own audit log": lambda: full(audit),
        }[fails]()
    )
    until(lambda: closed(hospital))


# --- the archive's own disks and database -----------------------------------------------------------


@pytest.fixture
def hospital(
    request: pytest.FixtureRequest, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hospital]:
    """Open a hospital whose index and objects lie on small disks of their own."""
    monkeypatch.setattr("pacs_secure.adapters.sql.sqlite.BUSY_SECONDS", 0.2)
    for session in (_WRITING, _READING):
        monkeypatch.setitem(session, "statement_timeout", "1s")
    monkeypatch.setattr("pacs_secure.adapters.sql.postgres.MARGIN", 0.5)
    monkeypatch.setitem(_REACHING, "connect_timeout", 2)
    archive = tmp_path / "archive"
    url = request.getfixturevalue("postgres_url") if "PostgreSQL" in request.node.name else None
    with small_disk(archive), small_disk(archive / "objects"):
        (archive / "tmp").mkdir()
        for name in ("TMPDIR", "SQLITE_TMPDIR"):
            monkeypatch.setenv(name, str(archive / "tmp"))
        monkeypatch.setattr(tempfile, "tempdir", None)
        with hospital_below(tmp_path, keys, database=None if url is None else Settled(url)) as hospital:
            yield hospital


@pytest.fixture
def outage() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@given("no key is in memory any more")
def _no_key(hospital: Hospital) -> None:
    hospital.world.house.drop_keys()


@given("an archive whose index and ledger are in PostgreSQL")
def _in_postgres(hospital: Hospital) -> None:
    assert isinstance(hospital.world.database, Settled)
    assert not hospital.world.index_file.exists()


@contextmanager
def locked(index: Path) -> Iterator[None]:
    other = sqlite3.connect(index, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@contextmanager
def postgres_killed(server: PostgresServer) -> Iterator[None]:
    server.kill()
    try:
        yield
    finally:
        server.start()


@contextmanager
def postgres_still(server: PostgresServer) -> Iterator[None]:
    server.send_all(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_all(signal.SIGCONT)


@contextmanager
def postgres_closed(server: PostgresServer, url: str) -> Iterator[None]:
    """Do as at a failover: end what is open, and take nobody in for a while."""
    name = conninfo_to_dict(url)["dbname"]
    door = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with server.shell() as shell:
        shell.execute(door.format(sql.Identifier(str(name)), sql.SQL("false")))
        shell.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        shell.execute(door.format(sql.Identifier(str(name)), sql.SQL("true")))


@when(parsers.re(r"(?P<fault>the disk .+|somebody else locks the index)"))
def _disk_fails(hospital: Hospital, outage: ExitStack, fault: str) -> None:
    world = hospital.world
    outage.enter_context(
        {
            "the disk of the index is full": lambda: full(world.directory),
            "somebody else locks the index": lambda: locked(world.index_file),
            "the disk of the objects is full": lambda: full(world.objects),
            "the disk of the objects can only be read": lambda: read_only(world.objects),
        }[fault]()
    )


@when(parsers.re(r"(?P<fault>PostgreSQL .+)"))
def _postgres_fails(outage: ExitStack, postgres_server: PostgresServer, postgres_url: str, fault: str) -> None:
    outage.enter_context(
        {
            "PostgreSQL is killed": lambda: postgres_killed(postgres_server),
            "PostgreSQL stands still": lambda: postgres_still(postgres_server),
            "PostgreSQL sends everybody away": lambda: postgres_closed(postgres_server, postgres_url),
        }[fault]()
    )


@when("the fault has gone")
def _mended(hospital: Hospital, outage: ExitStack) -> None:
    outage.close()
    until(lambda: not closed(hospital))


# --- then -----------------------------------------------------------------------------------------


@then('"CT1" is asked to keep its next picture')
def _keep_it(hospital: Hospital, tmp_path: Path) -> None:
    pair, file = hospital.devices["CT1"], tmp_path / "next.dcm"
    file.write_bytes(picture(number=2).stream)
    context = client_context(str(pair.certificate), str(pair.key), str(hospital.authority.file))
    try:
        statuses = [one.status for one in send([file], HOST, hospital.port, AE_TITLE, "CT1", context).sent]
    except Unavailable:
        statuses = [TRY_AGAIN]  # not even let in, which no modality takes for Success
    assert statuses == [TRY_AGAIN]
    file.unlink()


@then("a radiologist is asked to come again later")
def _come_again(hospital: Hospital) -> None:
    try_again_later(hospital.get(RADIOLOGIST, STUDY, PART10))


@then("nothing new was stored")
def _nothing_new(hospital: Hospital) -> None:
    assert hospital.rows() == 1


@then("the ledger is sound")
def _sound(hospital: Hospital) -> None:
    hospital.world.notary.attest()
    assert hospital.world.archive.verify.check_ledger(hospital.subject(Role.DPO)).findings == ()
