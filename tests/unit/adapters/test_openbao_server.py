"""A real server from nothing to serving, ended and started again."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_secure.adapters import openbao_server
from pacs_secure.adapters.openbao_server import OpenBaoServer, find_binary
from pacs_secure.adapters.vault_keyring import VaultCanary, VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import Shelf
from tests.vault_fixture import CLINIC, RunningVault, free_ports
from tests.vault_stub import stub_vault


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[RunningVault]:
    api, cluster = free_ports(2)
    running = RunningVault(OpenBaoServer(tmp_path / "vault", api, cluster))
    try:
        yield running
    finally:
        running.kill()


@pytest.mark.real
def test_keys_outlive_a_kill_and_a_restart(vault: RunningVault) -> None:
    began = time.monotonic()
    vault.set_up()
    assert time.monotonic() - began < 8

    store, reader = vault.session(VaultRole.STORE), vault.session(VaultRole.READER)
    minted = VaultWrapper(store).mint(CLINIC, Shelf.STUDY)
    vault.kill()
    with pytest.raises(Unavailable):
        VaultCanary(store, reader, CLINIC).sing()

    vault.launch()
    assert vault.server.initialised()
    with pytest.raises(Unavailable):
        VaultUnwrapper(reader).fetch(CLINIC, Shelf.STUDY, [minted.key_id])

    vault.unseal()
    assert VaultUnwrapper(reader).fetch(CLINIC, Shelf.STUDY, [minted.key_id]) == {minted.key_id: minted}
    vault.restart_and_unseal()
    VaultCanary(store, reader, CLINIC).sing()
    for session in (store, reader):
        session.close()


@pytest.mark.real
def test_everything_it_writes_is_for_the_owner_only_and_audited_without_values(vault: RunningVault) -> None:
    vault.launch()
    assert not vault.server.initialised()
    secrets = vault.server.initialise()
    vault.server.unseal(secrets.shares)
    with pytest.raises(Unavailable):
        vault.server.initialise()

    server = vault.server
    assert server.directory.stat().st_mode & 0o777 == 0o700
    for secret in (server.config_file, server.log_file, server.audit_file, server.ca_file.with_name("server.key")):
        assert secret.stat().st_mode & 0o777 == 0o600, secret
    written = b"".join(path.read_bytes() for path in server.directory.rglob("*") if path.is_file())
    assert secrets.root_token.encode() not in written
    assert b'"path":"sys/' in server.audit_file.read_bytes()
    assert not [secret for secret in (*secrets.shares, secrets.root_token) if secret in repr(secrets)]


@pytest.mark.real
def test_a_wrong_share_does_not_unseal(vault: RunningVault) -> None:
    vault.launch()
    secrets = vault.server.initialise(shares=2, threshold=2)

    with pytest.raises(Unavailable):
        vault.server.unseal(secrets.shares[:1], patience=0.1)
    with pytest.raises(Unavailable):
        vault.server.unseal((secrets.shares[0][::-1],), patience=0.1)
    vault.server.unseal(secrets.shares)


@pytest.mark.real
def test_a_server_that_cannot_start_is_noticed_at_once(vault: RunningVault) -> None:
    vault.server.write_config()
    vault.server.config_file.write_text('storage "nothing" {}')
    pid = vault.server.start()

    with pytest.raises(Unavailable, match="ended at once"):
        vault.server.wait_until_listening(pid)
    assert vault.server.log_file.stat().st_size > 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_waiting_for_a_server_that_does_not_listen_ends(tmp_path: Path) -> None:
    api, cluster = free_ports(2)

    with pytest.raises(Unavailable, match="does not listen"):
        OpenBaoServer(tmp_path, api, cluster).wait_until_listening(os.getpid(), patience=0.1)


def test_without_the_wheel_the_program_is_looked_for_beside_python_and_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openbao_server, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(Unavailable, match="not installed"):
        find_binary()

    (tmp_path / "bin").mkdir()
    for place in (tmp_path / "bin" / "bao", tmp_path / "bao"):
        place.write_text("#!/bin/sh\n")
        place.chmod(0o755)
        assert find_binary() == place


def test_a_program_that_cannot_be_run_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openbao_server, "find_binary", lambda: tmp_path / "nothing")
    server = OpenBaoServer(tmp_path, 1, 2)
    server.write_config()

    with pytest.raises(Unavailable, match="cannot be started"):
        server.start()


def test_an_answer_that_is_no_initialisation_is_unavailable(tmp_path: Path) -> None:
    with stub_vault(tmp_path) as stub:
        port = int(stub.address.rpartition(":")[2])
        server = OpenBaoServer(tmp_path, port, 1)
        server.ca_file.parent.mkdir()
        server.ca_file.write_bytes(stub.ca_file.read_bytes())

        with pytest.raises(Unavailable, match="not understood"):
            server.initialise()
