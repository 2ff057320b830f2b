"""A whole archive started as a user starts one, for tests that drive it from outside only."""

import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs_secure.adapters.openbao_server import HOST
from pacs_secure.dicom.part10 import split
from pacs_secure.dimse.sender import Summary, send
from pacs_secure.dimse.tls import client_context

PATIENCE = 60.0


def command(*words: str | Path, config: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run one `pacs-secure` command."""
    option = [] if config is None else ["--config", str(config)]
    line = [sys.executable, "-m", "pacs_secure.cli", *option, *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


@dataclass
class Running:
    """One quickstart below one directory."""

    directory: Path

    @property
    def told(self) -> dict[str, Any]:
        """What quickstart.json says now."""
        told: dict[str, Any] = json.loads((self.directory / "quickstart.json").read_text())
        return told

    @property
    def config(self) -> Path:
        return Path(self.told["config_file"])

    def start(self, *options: str) -> "subprocess.CompletedProcess[str]":
        return command("quickstart", "--data", self.directory, "--detach", *options)

    def stop(self) -> "subprocess.CompletedProcess[str]":
        return command("stop", "--data", self.directory)

    def run(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        return command(*words, config=self.config)

    def token(self, role: str, *options: str) -> str:
        return self.run("token", "--role", role, *options).stdout.strip()

    def client(self, role: str = "radiologist", *options: str) -> httpx.Client:
        """Return an HTTP client with a token; its URLs are relative to /dicom-web."""
        told = self.told
        token = self.token(role, *options) if options else told["users"][role]["token"]
        return httpx.Client(
            base_url=told["dicomweb_url"],
            verify=ssl.create_default_context(cafile=told["ca_file"]),
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )

    def send(self, paths: Sequence[Path], device: str = "MODALITY1") -> Summary:
        told = self.told
        known = told["devices"][device]
        context = client_context(known["cert"], known["key"], told["ca_file"])
        return send(paths, HOST, told["dicom"]["port"], told["dicom"]["ae_title"], device, context)

    def ready(self) -> bool:
        base = self.told["dicomweb_url"].removesuffix("/dicom-web")
        with suppress(httpx.HTTPError):
            context = ssl.create_default_context(cafile=self.told["ca_file"])
            return httpx.get(f"{base}/readyz", verify=context, timeout=5).status_code == 200
        return False

    def wait(self, *, ready: bool = True) -> None:
        until = time.monotonic() + PATIENCE
        while self.ready() is not ready:
            assert time.monotonic() < until, f"the archive did not become {'ready' if ready else 'unready'}"
            time.sleep(0.1)

    def kill(self, name: str) -> int:
        pid: int = self.told["pids"][name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def files(self) -> Iterator[Path]:
        yield from (path for path in self.directory.rglob("*") if path.is_file())


def data_set_sha256(stream: bytes) -> str:
    """Return the digest of the Data Set of a Part 10 stream."""
    return hashlib.sha256(split(stream).data_set).hexdigest()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start an archive without samples, and stop it when the module's tests are over."""
    archive = Running(tmp_path_factory.mktemp("quickstart") / "data")
    try:
        started = archive.start("--no-sample")
        assert started.returncode == 0, started.stdout + started.stderr
        yield archive
    finally:
        archive.stop()
