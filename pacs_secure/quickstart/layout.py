"""Where everything of a quickstart lies below its one directory, and the file that tells others."""

import fcntl
import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pacs_secure.core.errors import Denied

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one data directory; the directory is 0700 and each secret file 0600."""

    root: Path

    @property
    def vault(self) -> Path:
        """OpenBao's own directory: configuration, TLS, raft, log, unseal share."""
        return self.root / "vault"

    @property
    def unseal_file(self) -> Path:
        """Unseal share and root token: beside the vault only because this is a quickstart."""
        return self.vault / "unseal.json"

    @property
    def credentials_file(self) -> Path:
        """AppRole credentials of the archive process."""
        return self.root / "archive" / "credentials.json"

    @property
    def index_file(self) -> Path:
        """Index and ledger."""
        return self.root / "archive" / "index.db"

    @property
    def objects(self) -> Path:
        """Sealed objects."""
        return self.root / "objects"

    @property
    def backups(self) -> Path:
        """Backup sets: on the same disk, because this is a quickstart."""
        return self.root / "backups"

    @property
    def checkpoints(self) -> Path:
        """Published ledger: checkpoints, tiles, entry bundles."""
        return self.root / "ledger"

    @property
    def ledger_key(self) -> Path:
        """Public key that checkpoints are verified with."""
        return self.root / "ledger-public.pem"

    @property
    def witnesses(self) -> dict[str, Path]:
        """Names and directories of the sample witnesses."""
        return {name: self.root / name for name in ("witness-1", "witness-2")}

    @property
    def certificates(self) -> Path:
        """Certificates of server and devices."""
        return self.root / "certificates"

    @property
    def ca_file(self) -> Path:
        """Certificate of the authority that issued them."""
        return self.certificates / "ca.pem"

    @property
    def issuer_key(self) -> Path:
        """Key of the development issuer."""
        return self.root / "archive" / "development-issuer.pem"

    @property
    def config_file(self) -> Path:
        """Configuration of the archive process."""
        return self.root / "pacs_secure.toml"

    @property
    def ports_file(self) -> Path:
        """Ports chosen at the first start and kept."""
        return self.root / "ports.json"

    @property
    def processes_file(self) -> Path:
        """Processes that this quickstart started."""
        return self.root / "processes.json"

    @property
    def published_file(self) -> Path:
        """``quickstart.json``, the public contract; it names processes and tokens only while the archive is ready."""
        return self.root / "quickstart.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the supervisor for as long as it lives."""
        return self.root / "lock"

    @property
    def samples_file(self) -> Path:
        """Says that the samples were sent."""
        return self.root / "samples.json"

    @property
    def log_file(self) -> Path:
        """Log of the archive process."""
        return self.log_of("archive")

    @property
    def steps_file(self) -> Path:
        """What a detached quickstart says while it starts."""
        return self.root / "logs" / "quickstart.log"

    def prepare(self) -> None:
        """Make the directories, for their owner only.

        Raises:
            Denied: one is there and is somebody else's, or a link: what lies in it would be believed.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        for directory in (
            self.root,
            self.vault,
            self.objects,
            self.checkpoints,
            self.certificates,
            self.index_file.parent,
            self.log_file.parent,
        ):
            directory.mkdir(mode=0o700, exist_ok=True)
            status = directory.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                raise Denied(f"{directory} belongs to somebody else")
            directory.chmod(0o700)

    def log_of(self, process: str) -> Path:
        """Log of one process."""
        return self.root / "logs" / f"{process}.log"

    def device_certificate(self, ae_title: str) -> Path:
        """Certificate of a sample device."""
        return self.certificates / f"{ae_title}.pem"

    def device_key(self, ae_title: str) -> Path:
        """Private key of a sample device."""
        return self.certificates / f"{ae_title}.key"


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback ports of one quickstart."""

    vault: int
    vault_cluster: int
    dicom: int
    web: int
    workstation: int
    """Where the sample workstation would listen for C-MOVE."""
    witness_1: int
    witness_2: int

    def of_witness(self, name: str) -> int:
        """Return the port of a sample witness."""
        return {"witness-1": self.witness_1, "witness-2": self.witness_2}[name]


def ports(layout: Layout) -> Ports:
    """Return the ports of an earlier start, or choose free ones and keep them."""
    kept = json.loads(layout.ports_file.read_text()) if layout.ports_file.exists() else {}
    names = [name for name in Ports.__dataclass_fields__ if name not in kept]
    if not names:
        return Ports(**kept)
    sockets = [socket.socket() for _ in names]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        chosen = kept | {name: listener.getsockname()[1] for name, listener in zip(names, sockets, strict=True)}
    finally:
        for listener in sockets:
            listener.close()
    write_json(layout.ports_file, dict(chosen))
    return Ports(**chosen)


@contextmanager
def sole(layout: Layout) -> Iterator[bool]:
    """Hold the directory's lock; false when another supervisor does."""
    descriptor = os.open(layout.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def read_published(layout: Layout) -> Json:
    """Return what ``quickstart.json`` says; empty when there is none."""
    with suppress(OSError, ValueError):
        return cast(Json, json.loads(layout.published_file.read_text()))
    return {}


def withdraw(layout: Layout) -> None:
    """Say in ``quickstart.json`` that nothing runs, and take the tokens back out of it."""
    published = read_published(layout)
    if published:
        write_json(layout.published_file, published | {"pids": {}, "users": {}})


def write_json(path: Path, content: Json) -> None:
    """Write a secret file whole or not at all, mode 0600."""
    write_secret(path, json.dumps(content, indent=2) + "\n")


def write_secret(path: Path, text: str) -> None:
    """Write a file whole or not at all, mode 0600."""
    partial = path.with_name(path.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
