"""Others who know the time, on loopback: an NTP server that may be wrong, and a real time-stamping authority."""

import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905 6)."""


@dataclass
class NtpServer:
    """Answers what time it thinks it is."""

    port: int
    ahead: float = 0.0
    leap: int = 0
    stratum: int = 1
    mode: int = 4
    silent: bool = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, asked: bytes) -> bytes:
        """Write a server's packet (RFC 5905 7.3)."""
        now = time.time() + self.ahead + NTP_EPOCH
        stamp = struct.pack(">II", int(now), int(now % 1 * (1 << 32)))
        head = struct.pack(">BBbbIII", self.leap << 6 | 4 << 3 | self.mode, self.stratum, 6, -20, 0, 0, 0)
        return head + stamp + asked[40:48] + stamp + stamp


@contextmanager
def ntp_server() -> Iterator[NtpServer]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.05)
        told, ending = NtpServer(listener.getsockname()[1]), threading.Event()

        def serve() -> None:
            while not ending.is_set():
                try:
                    asked, who = listener.recvfrom(256)
                except TimeoutError:
                    continue
                if not told.silent:
                    listener.sendto(told.answer(asked), who)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield told
        finally:
            ending.set()
            thread.join()


TSA_CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/{signer}.pem
signer_key = {folder}/{signer}.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """A time-stamping authority: `openssl ts` behind a small web server."""

    folder: Path
    port: int = 0
    status: int = 200
    kind: str = "application/timestamp-reply"
    signer: str = "tsa"
    """Whose certificate signs: ``tsa``, or ``stranger`` of another root."""
    instead: bytes | None = None
    """What is answered instead of a time stamp."""
    asked: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/tsr"

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def make(self) -> None:
        """Issue two roots, an issuer between, and a signer below each."""
        (self.folder / "serial").write_text("01\n")
        (self.folder / "signer.cnf").write_text("extendedKeyUsage=critical,timeStamping\n")
        (self.folder / "issuer.cnf").write_text("basicConstraints=critical,CA:true\n")
        for root in ("root", "other"):
            self._say(f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={root} -keyout {root}.key -out {root}.pem")
        self._issue("between", "root", "issuer")
        for signer, issuer in (("tsa", "root"), ("stranger", "other"), ("distant", "between")):
            self._issue(signer, issuer, "signer")

    def _issue(self, name: str, issuer: str, kind: str) -> None:
        self._say(f"req -new -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr")
        by = f"-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -extfile {kind}.cnf"
        self._say(f"x509 -req -in {name}.csr -days 2 -out {name}.pem {by}")

    def reply(self, query: bytes) -> bytes:
        self.asked.append(query)
        if self.instead is not None:
            return self.instead
        (self.folder / "query.tsq").write_bytes(query)
        (self.folder / "tsa.cnf").write_text(TSA_CONFIGURATION.format(folder=self.folder, signer=self.signer))
        self._openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr")
        return (self.folder / "reply.tsr").read_bytes()

    def verifies(self, token: Path, content: Path) -> bool:
        """Let OpenSSL itself say whether a kept token is over a file's content."""
        files = ("-in", str(token), "-data", str(content), "-CAfile", "root.pem")
        told = self._openssl("ts", "-verify", *files, check=False)
        return "Verification: OK" in told.stdout + told.stderr

    def _say(self, line: str) -> None:
        self._openssl(*line.split())

    def _openssl(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        command = ["openssl", *arguments]
        return subprocess.run(command, cwd=self.folder, check=check, capture_output=True, text=True, timeout=60)


@contextmanager
def time_stamping_authority(folder: Path) -> Iterator[Authority]:
    folder.mkdir(exist_ok=True)
    told = Authority(folder)
    told.make()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = told.reply(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(told.status)
            self.send_header("Content-Type", told.kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
