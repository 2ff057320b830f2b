"""Both sides of the comparison, each at its best on loopback, started and ended by their own ids."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.certificates import make_certificates
from benchmarks.wire import Endpoint

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
QUICK_SEND = {**os.environ, "TCP_NODELAY": "1"}
"""Without it DCMTK waits 50 ms an instance for an acknowledgement, on both sides."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive that was started, and how to reach it."""

    name: str
    store: tuple[str, ...]
    """The storescu call up to its files."""
    web: Endpoint


def missing() -> list[str]:
    """Name what this machine lacks for the comparison."""
    lacking = [program for program in ("storescu", "Orthanc") if not _program(program)]
    return lacking + ([] if PLUGIN.exists() else ["orthanc-dicomweb"])


def versions() -> dict[str, str]:
    """Say what was measured, in the programs' own words."""
    told = {"python": sys.version.split()[0]}
    for program in ("storescu", "Orthanc"):
        path = _program(program)
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20)
            told[program] = said.stdout.strip().splitlines()[0].strip("$ ")
    return told


@contextmanager
def orthanc(folder: Path, *, tls: bool) -> Iterator[Archive]:
    """Run Debian's Orthanc without authentication and audit, DICOM plain or over mutual TLS, HTTP plain."""
    folder.mkdir(parents=True)
    dicom, http = _free_port(), _free_port()
    settings = {
        "Name": "rival",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": "ORTHANC",
        "DicomPort": dicom,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomThreadsCount": 8,
        "KeepAlive": True,
        "TcpNoDelay": True,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    options = ["-aec", "ORTHANC", "-aet", "MODALITY1"]
    if tls:
        made = make_certificates(folder / "tls")
        settings |= {
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(made.server.certificate),
            "DicomTlsPrivateKey": str(made.server.key),
            "DicomTlsTrustedCertificates": str(made.authority),
            "DicomTlsRemoteCertificateRequired": True,
        }
        options += ["+tls", str(made.client.key), str(made.client.certificate), "+cf", str(made.authority)]
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings, indent=1))
    with (folder / "orthanc.log").open("wb") as log:
        running = subprocess.Popen([_needed("Orthanc"), str(config)], env=QUICK_SEND, stdout=log, stderr=log)
        try:
            _wait_for(dicom, running)
            _wait_for(http, running)
            store = (_needed("storescu"), *options, "127.0.0.1", str(dicom))
            name = "Orthanc, mutual TLS" if tls else "Orthanc, plain"
            yield Archive(name, store, Endpoint("127.0.0.1", http, "/dicom-web"))
        finally:
            running.terminate()
            running.wait(timeout=60)


@contextmanager
def ours(folder: Path) -> Iterator[Archive]:
    """Run this archive with everything on, as quickstart starts it."""
    command = str(Path(sys.executable).with_name("pacs-secure"))
    started = [command, "quickstart", "--data", str(folder), "--detach", "--no-sample"]
    try:
        subprocess.run(started, check=True, timeout=180)
        told = json.loads((folder / "quickstart.json").read_text())
        device, dicom, url = told["devices"]["MODALITY1"], told["dicom"], urlsplit(told["dicomweb_url"])
        store = (
            *(_needed("storescu"), "-aec", dicom["ae_title"], "-aet", device["ae_title"]),
            *("+tls", device["key"], device["cert"], "+cf", told["ca_file"]),
            *(dicom["host"], str(dicom["port"])),
        )
        authorized = {"Authorization": f"Bearer {told['users']['radiologist']['token']}"}
        web = Endpoint(str(url.hostname), int(url.port or 443), url.path, authorized, told["ca_file"])
        yield Archive("pacs_secure, everything on", store, web)
    finally:
        subprocess.run([command, "stop", "--data", str(folder)], check=False, timeout=60)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _needed(name: str) -> str:
    found = _program(name)
    if found is None:
        raise FileNotFoundError(name)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, running: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if running.poll() is not None:
            raise RuntimeError("it ended before it listened")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("it does not listen")
