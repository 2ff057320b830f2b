"""Snapshots of the vault: taken by a role of its own, and tried in a vault of their own that ends with the trial."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pacs_secure.adapters.openbao_server import HOST, OpenBaoServer
from pacs_secure.adapters.vault_keyring import VaultUnwrapper
from pacs_secure.adapters.vault_session import AppRole, Token, VaultSession
from pacs_secure.core.errors import Tampered, Unavailable

PATIENCE = (0.5, 120.0)
"""Seconds to connect and to wait for the next piece: a snapshot is made before its first byte comes."""


class RaftSnapshots:
    """`pacs_secure.ports.backups.VaultSnapshots`; needs the role ``snapshot`` and nothing else."""

    def __init__(self, session: VaultSession) -> None:
        """Take a session of `PATIENCE`."""
        self._session = session

    def take(self, to: Path) -> None:
        """Write a snapshot, sealed as the vault stores itself.

        Raises:
            Unavailable: the vault gives none, or the file cannot be written.
        """
        try:
            descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                self._session.receive("sys/storage/raft/snapshot", stream)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            raise Unavailable("the snapshot of the vault cannot be written") from None


def restore_snapshot(session: VaultSession, snapshot: Path) -> None:
    """Put a vault back to a snapshot, whatever it holds; it is sealed then, and opens by the shares of back then.

    Needs a token that may do everything.

    Raises:
        Tampered: the snapshot is none.
        Unavailable: the vault does not take it.
    """
    try:
        with snapshot.open("rb") as stream:
            done = session.send("sys/storage/raft/snapshot-force", stream).done
    except OSError:
        raise Unavailable("the snapshot cannot be read") from None
    if not done:
        raise Tampered("the snapshot does not restore")


class VaultTrials:
    """`pacs_secure.ports.backups.VaultTrial` with an OpenBao on loopback, below a folder that goes with it."""

    def __init__(self, shares: tuple[str, ...], reader: AppRole) -> None:
        """Take the unseal shares of the vault that was snapshot, and what ``reader`` logs in with there."""
        self._shares = shares
        self._reader = reader

    @contextmanager
    def restored(self, snapshot: Path) -> Iterator[VaultUnwrapper]:
        """Restore a snapshot into a fresh vault and lend what brings keys back from it.

        Raises:
            Tampered: the snapshot does not restore, or does not open with these shares.
            Unavailable: there is no OpenBao on this machine, or it does not come up.
        """
        with tempfile.TemporaryDirectory(prefix="pacs-secure-vault-") as folder, ExitStack() as stack:
            server = OpenBaoServer(Path(folder), *_free_ports(), audited=False)
            server.write_config()
            pid = server.start()
            stack.enter_context(ending_with_us(pid))
            server.wait_until_listening(pid)
            fresh = server.initialise()
            server.unseal(fresh.shares)
            root = VaultSession(server.address, server.ca_file, Token(fresh.root_token), timeout=PATIENCE)
            stack.callback(root.close)
            restore_snapshot(root, snapshot)
            server.wait_until_sealed()
            try:
                server.unseal(self._shares, patience=10.0)
            except Unavailable:
                raise Tampered("the snapshot does not open with these shares") from None
            reader = VaultSession(server.address, server.ca_file, self._reader, timeout=PATIENCE)
            stack.callback(reader.close)
            yield VaultUnwrapper(reader)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind((HOST, 0))
        other.bind((HOST, 0))
        return one.getsockname()[1], other.getsockname()[1]


@contextmanager
def ending_with_us(pid: int) -> Iterator[None]:
    """End a child when this is over, also when this process is killed: an open vault must not be left behind.

    A shell waits for the end of its input, which comes when the last holder of the pipe is gone.
    """
    watch = subprocess.Popen(  # noqa: S603 - a word of our own and a number
        ["/bin/sh", "-c", 'read -r _; kill -9 "$0"', str(pid)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield
    finally:
        watch.communicate()
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
