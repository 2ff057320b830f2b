"""A real object store for those who ask (SeaweedFS, S3 over TLS): one server a session, one place in it a test."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from itertools import count
from pathlib import Path

import pytest

from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.adapters.s3_requests import S3Requests
from pacs_secure.core.errors import Unavailable
from tests.certificates import Authority
from tests.vault_fixture import Watch

BUCKET = "objects"
SECRET = "a-secret-of-tests"
WITHIN = 30.0

_PORTS = ("master", "master.port.grpc", "volume", "volume.port.grpc", "filer", "filer.port.grpc", "s3", "s3.port.grpc")


def free_ports(number: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@dataclass
class ObjectServer:
    """A server that tests may kill, stop for a while and start again, so long as they leave it running."""

    folder: Path
    authority: Authority
    ports: list[int] = field(default_factory=lambda: free_ports(9))
    numbers: Iterator[int] = field(default_factory=count)
    process: subprocess.Popen[bytes] | None = None
    watch: Watch | None = None

    @cached_property
    def locked_bucket(self) -> str:
        """Make a bucket with object lock when somebody asks for it."""
        self.make_bucket("locked", {"x-amz-bucket-object-lock-enabled": "true"}, warm=False)
        return "locked"

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.ports[8]}"

    @property
    def credentials_file(self) -> Path:
        return self.folder / "credentials.json"

    def prepare(self) -> None:
        pair = self.authority.issue("object-store")
        self.write_credentials(SECRET)
        identity = {
            "name": "archive",
            "credentials": [{"accessKey": "archive", "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self.folder / "data").mkdir()
        self.tls = (f"-s3.cert.file={pair.certificate}", f"-s3.key.file={pair.key}")

    def write_credentials(self, secret: str, file: Path | None = None) -> Path:
        file = file or self.credentials_file
        file.write_text(json.dumps({"access_key_id": "archive", "secret_access_key": secret}))
        file.chmod(0o600)
        return file

    def start(self, *more: str) -> None:
        """Start and wait until it answers (about three seconds)."""
        named = [word if "." in word else f"{word}.port" for word in _PORTS]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    Path(sys.executable).with_name("weed"),
                    "-logtostderr=true",
                    "server",
                    f"-dir={self.folder / 'data'}",
                    "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1",
                    *(f"-{name}={port}" for name, port in zip(named, self.ports[:8], strict=True)),
                    "-filer",
                    "-s3",
                    f"-s3.port.https={self.ports[8]}",
                    *self.tls,
                    "-s3.port.iceberg=0",
                    "-s3.port.lance=0",
                    f"-s3.config={self.folder / 's3.json'}",
                    "-s3.iam=false",
                    "-s3.autoCreateBucket=false",
                    "-master.volumeSizeLimitMB=64",
                    "-volume.max=40",
                    "-master.electionTimeout=1s",
                    "-master.heartbeatInterval=100ms",
                    *more,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.watch = Watch(self.process.pid)
        self.wait()

    def wait(self) -> None:
        ending = time.monotonic() + WITHIN
        while time.monotonic() < ending:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[8]), 1):
                return
            time.sleep(0.05)
        raise TimeoutError("the object store does not answer")

    def make_bucket(self, name: str, headers: Mapping[str, str] | None = None, *, warm: bool = True) -> None:
        """Make a bucket as soon as the server is able to; ``warm``: and as soon as it has room for objects."""
        asks = S3Requests(self.place(bucket=name))
        self._insist(asks, "", headers or {})
        if warm:
            self._insist(asks, "first", {})

    def _insist(self, asks: S3Requests, key: str, headers: Mapping[str, str]) -> None:
        """Put something until it is taken: a server that has just started refuses, or says nothing at all."""
        ending = time.monotonic() + WITHIN
        while time.monotonic() < ending:
            with suppress(Unavailable):
                status = asks.ask("PUT", key, headers=headers, body=key.encode()).status
                if status == HTTPStatus.OK or (status == HTTPStatus.CONFLICT and not key):
                    return  # a bucket that is there already was made by a request whose answer was lost
            time.sleep(0.1)
        raise TimeoutError("the object store takes nothing")

    def kill(self) -> None:
        """End it as a power cut would end the process."""
        if self.process is not None and self.watch is not None:
            self.process.kill()
            self.process.wait()
            self.watch.off()
            self.process = self.watch = None

    def pause(self) -> None:
        """Let it take connections and answer nothing."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def place(self, seconds: float = 10.0, bucket: str = BUCKET) -> S3Place:
        """Return a place in the bucket where nothing is yet."""
        prefix = f"place-{next(self.numbers)}"
        return S3Place(bucket, prefix, self.endpoint, "us-east-1", self.credentials_file, self.authority.file, seconds)


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """Start a server in a folder of its own; not below TMPDIR, which a test may have for itself."""
    folder = tmp_path_factory.mktemp("object-store")
    server = ObjectServer(folder, Authority(folder))
    server.prepare()
    try:
        server.start()
        server.make_bucket(BUCKET)
        yield server
    finally:
        server.kill()
        for port in server.ports:  # it leaves the sockets that its parts speak by
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def s3_place(object_server: ObjectServer) -> S3Place:
    """Lend a place of its own in the real object store."""
    return object_server.place()
