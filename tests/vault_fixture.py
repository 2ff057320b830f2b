"""One real OpenBao for a test session (raft, TLS, audit, provisioned); it ends with it, however that ends."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.openbao_server import OpenBaoServer, UnsealSecrets
from pacs_secure.adapters.vault_provisioning import VaultRole, add_institution, administrator, credentials, provision
from pacs_secure.adapters.vault_session import AppRole, VaultSession
from pacs_secure.core.identifiers import Institution, institution

CLINIC = institution("clinic")


class Watch:
    """Ends the server when this process ends, even by a signal that runs no finaliser.

    A shell waits for the end of its input, which comes when the last holder of the pipe is gone.
    """

    def __init__(self, pid: int) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r word; [ "$word" = off ] || kill -9 "$0"', str(pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def off(self) -> None:
        self._shell.communicate(b"off\n")


@dataclass
class RunningVault:
    """A server that tests may seal, kill and restart, so long as they leave it unsealed."""

    server: OpenBaoServer
    secrets: UnsealSecrets = field(default=UnsealSecrets((), ""), repr=False)
    credentials: dict[VaultRole, AppRole] = field(default_factory=dict)
    pid: int | None = None
    watch: Watch | None = None

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def ca_file(self) -> Path:
        return self.server.ca_file

    def administrator(self) -> VaultSession:
        return administrator(self.server.address, self.server.ca_file, self.secrets.root_token)

    def session(self, role: VaultRole) -> VaultSession:
        return VaultSession(self.server.address, self.server.ca_file, self.credentials[role])

    def new_institution(self) -> Institution:
        """Provision an institution that no other test has touched."""
        made = institution(f"clinic-{uuid4().hex[:12]}")
        with self.administering() as vault:
            add_institution(vault, made)
        return made

    @contextmanager
    def administering(self) -> Iterator[VaultSession]:
        vault = self.administrator()
        try:
            yield vault
        finally:
            vault.close()

    def launch(self) -> None:
        self.server.write_config()
        self.pid = self.server.start()
        self.watch = Watch(self.pid)
        self.server.wait_until_listening(self.pid)

    def set_up(self) -> None:
        self.launch()
        self.secrets = self.server.initialise()
        self.unseal()
        with self.administering() as vault:
            provision(vault, CLINIC)
            self.credentials = {role: credentials(vault, role) for role in VaultRole}

    def seal(self) -> None:
        with self.administering() as vault:
            vault.post("sys/seal", {}).demand_done()

    def unseal(self) -> None:
        self.server.unseal(self.secrets.shares)

    @contextmanager
    def sealed(self) -> Iterator[None]:
        self.seal()
        try:
            yield
        finally:
            self.unseal()

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def restart_and_unseal(self) -> None:
        self.stop()
        self.launch()
        self.unseal()

    def _end(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, number)
                os.waitpid(self.pid, 0)
            self.pid = None
        if self.watch is not None:
            self.watch.off()
            self.watch = None


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    api, cluster = free_ports(2)
    vault = RunningVault(OpenBaoServer(tmp_path_factory.mktemp("openbao"), api, cluster))
    try:
        vault.set_up()
        yield vault
    finally:
        vault.kill()
