"""A real receiver of audit messages: rsyslog over mutual TLS on loopback, which can be killed and started again."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import Authority, Pair

PATIENCE = 30.0
BOM = b"\xef\xbb\xbf"

_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
_MODULES = "/usr/lib/*/rsyslog/lmnsd_gtls.so"

_CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="128k" defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}"
  defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
template(name="raw" type="string" string="%rawmsg%\\n")
# Written before the connection is closed: whoever sent it may then believe that it was taken.
ruleset(name="audit" queue.type="Direct") {{
  action(type="omfile" file="{written}" template="raw" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="audit")
"""


@dataclass
class SyslogReceiver:
    """One rsyslog with a folder, certificates of its own, and one for whoever sends."""

    folder: Path
    port: int
    authority: Authority
    client: Pair
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def written(self) -> Path:
        return self.folder / "messages.log"

    def start(self) -> None:
        command = [str(shutil.which("rsyslogd", path=_PATH)), "-n", "-f", str(self.folder / "rsyslog.conf")]
        self._process = subprocess.Popen([*command, "-i", str(self.folder / "rsyslogd.pid")])
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("rsyslogd does not listen")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None
            (self.folder / "rsyslogd.pid").unlink(missing_ok=True)

    def messages(self) -> list[tuple[bytes, bytes]]:
        """Return the header and the body of every message that it wrote."""
        lines = self.written.read_bytes().splitlines() if self.written.exists() else []
        return [(head, body) for head, _, body in (line.partition(b" " + BOM) for line in lines)]


@contextmanager
def syslog_receiver(folder: Path) -> Iterator[SyslogReceiver]:
    """Run one; the test is skipped where rsyslog or its TLS driver is missing."""
    if shutil.which("rsyslogd", path=_PATH) is None:
        pytest.skip("rsyslogd is missing")
    if not list(Path("/").glob(_MODULES.lstrip("/"))):
        pytest.skip("rsyslog's TLS driver (rsyslog-gnutls) is missing")
    folder.mkdir()
    authority = Authority(folder, "syslog-authority")
    server = authority.issue("receiver", usage=ExtendedKeyUsageOID.SERVER_AUTH)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    receiver = SyslogReceiver(folder, port, authority, authority.issue("sender"))
    told = {"ca": authority.file, "certificate": server.certificate, "key": server.key}
    text = _CONFIGURATION.format(folder=folder, written=receiver.written, port=port, **told)
    (folder / "rsyslog.conf").write_text(text)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.kill()
