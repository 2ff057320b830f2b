"""A log that grows and forks as tests like, and real witness processes that it is shown to."""

import http.client
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure import witness
from pacs_secure.crypto.tlog import checkpoint_text, consistency_proof, leaf_hash, root, sign_note
from pacs_secure.witness import ED25519, Verifier

LOG = "log.example.org/home"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG_VERIFIER = Verifier(LOG, LOG_KEY.public_key().public_bytes_raw(), ED25519)
ALONE = Path(witness.__file__)

Answer = tuple[int, str, str]
"""Status, content type and body."""


def leaves(count: int, fork_at: int | None = None) -> list[bytes]:
    """Return the leaf hashes of a log; from ``fork_at`` on it tells another story."""
    forked = count if fork_at is None else fork_at
    return [leaf_hash(f"{'entry' if place < forked else 'other'} {place}".encode()) for place in range(count)]


def note_of(hashes: Sequence[bytes], origin: str = LOG, key: Ed25519PrivateKey = LOG_KEY) -> bytes:
    text = checkpoint_text(origin, len(hashes), root(hashes))
    return sign_note(text, origin, key.public_key().public_bytes_raw(), key.sign(text))


def submission(hashes: Sequence[bytes], old: int, note: bytes | None = None) -> bytes:
    """Write what a log submits: that it grew from ``old`` to all of these leaves."""
    proof = consistency_proof(hashes, old) if 0 < old <= len(hashes) else []
    return body_of(old, proof, note_of(hashes) if note is None else note)


def body_of(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    lines = [f"old {old}", *(b64encode(one).decode() for one in proof)]
    return "\n".join([*lines, "", ""]).encode() + note


@dataclass
class RunningWitness:
    """A witness that listens on loopback."""

    directory: Path
    port: int
    verifier: str
    process: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers)
            with connection.getresponse() as response:
                return response.status, response.headers["Content-Type"], response.read().decode()
        finally:
            connection.close()

    def submit(self, body: bytes) -> Answer:
        return self.ask("POST", "/add-checkpoint", body)

    def newest(self, origin: str = LOG) -> Answer:
        return self.ask("GET", f"/checkpoint/{sha256(origin.encode()).hexdigest()}")


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the one file of the witness, with nothing of the archive, until it ends."""
    command = [sys.executable, "-I", str(ALONE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def make(directory: Path, name: str = "witness.example/w1", *logs: Verifier) -> str:
    """Make a witness; return its verifier key."""
    given = [part for log in logs or (LOG_VERIFIER,) for part in ("--log", str(log))]
    told = run("init", directory, "--name", name, *given)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


@contextmanager
def running(directory: Path, *arguments: str | Path, before: str = "") -> Iterator[RunningWitness]:
    """Serve a witness in a process of its own; ``before`` is run in it first, with the module as ``w``."""
    code = f"import sys, runpy, os, time\nimport pacs_secure.witness as w\n{before}\nsys.exit(w.main(sys.argv[1:]))"
    program = ["-c", code] if before else ["-I", str(ALONE)]
    command = [sys.executable, *program, "serve", str(directory), "--port", "0", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline().split()
            assert said[1:2] == ["witness"], said
            yield RunningWitness(directory, int(said[5].rpartition(":")[2].rstrip(",")), said[2], process)
        finally:
            if process.poll() is None:
                process.terminate()
            until = time.monotonic() + 10
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
            process.kill()
            process.stderr.close()
