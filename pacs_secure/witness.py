"""Stand-alone witness: remembers how far logs had come, and co-signs nothing that does not continue what it saw.

It is made to run under another administration than the archive and shares no code with it: this one
file, the standard library and ``cryptography`` are enough, also on another machine:

    python witness.py init DIR --name witness.example/w1 --log "VERIFIER-KEY OF THE LOG"
    python witness.py serve DIR --port 8787

It speaks C2SP tlog-witness: a log submits its newest checkpoint with a proof that it only grew, and
gets a cosignature/v1 back. What is co-signed is durable before it is answered, so that nobody ever
gets signatures of two histories. ``GET /checkpoint/<hex SHA-256 of the origin>`` shows auditors the
newest note, out of reach of those who keep the log.

    key.pem, name, logs      the witness's own key; its name; one verifier key a line
    notes/<log>/newest       what the log is held to
    notes/<log>/<day>.jsonl  every note that was co-signed: size and note
    notes/<log>/against/     signed notes that contradict it: a log's signature under two roots of one size
    notes/<log>/unproven/    signed notes that came with a wrong proof: anybody can send a sound note so

Exit status: 0 ended when asked, 2 misuse.
"""

import argparse
import fcntl
import json
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

ED25519, COSIGNATURE = b"\x01", b"\x04"
"""Signature types of a log and of a witness (C2SP signed-note, tlog-cosignature)."""
LONGEST_BODY = 1 << 16
MOST_PROOF_LINES = 63
SECONDS_OF_SILENCE = 5.0
SECONDS_OF_A_CONNECTION = 15.0
MOST_CONNECTIONS = 64
SECONDS_OF_A_SIGNATURE = 10.0
"""For so long the same note gets the same signature."""
MOST_AGAINST = 1000
"""Contradicting notes kept for one log; one is enough to prove its fault."""
MOST_UNPROVEN = 100
HASH = 32
NAME = re.compile(r"[^\s+\x00-\x1f]{1,255}")
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
SIGNATURE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+=*)")


class Misuse(Exception):
    """What was asked at the command line cannot be done."""


class Refused(Exception):
    """A submission that is not co-signed; the status says why (C2SP tlog-witness)."""

    def __init__(self, status: int, text: str, kind: str = "text/plain") -> None:
        super().__init__(text)
        self.status, self.text, self.kind = status, text, kind


@dataclass(frozen=True)
class Verifier:
    """A name with an Ed25519 public key (C2SP signed-note, verifier keys)."""

    name: str
    raw: bytes
    kind: bytes = ED25519

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a note names the key."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.raw).digest()[:4]

    def __str__(self) -> str:
        """Write the verifier key."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(self.kind + self.raw).decode()}"


@dataclass(frozen=True)
class Note:
    """A checkpoint taken apart, not verified yet."""

    text: str
    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, str, bytes], ...]
    """Line, key name, key id and signature."""

    def lines_by(self, keys: Sequence[Verifier]) -> list[str]:
        """Return the signature lines that verify under one of the keys; one that does not is no signature."""
        return [line for line, name, blob in self.signatures if any(_signed(self, key, name, blob) for key in keys)]


def _signed(note: Note, key: Verifier, name: str, blob: bytes) -> bool:
    if name != key.name or blob[:4] != key.key_id:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(blob[4:], note.text.encode())
    except InvalidSignature:
        return False
    return True


def read_verifier(text: str) -> Verifier:
    """Read a log's verifier key; the encoded key may hold plus signs too.

    Raises:
        Misuse: it is none, or of another algorithm than Ed25519.
    """
    name, _, rest = text.strip().partition("+")
    named, _, encoded = rest.partition("+")
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    verifier = Verifier(name, key[1:])
    sound = NAME.fullmatch(name) and key[:1] == ED25519 and len(key) == 1 + HASH
    if not sound or verifier.key_id.hex() != named.lower():
        raise Misuse("this is no verifier key of a log that signs with Ed25519")
    return verifier


def read_note(text: str) -> Note:
    """Take a checkpoint apart (C2SP tlog-checkpoint); raises `ValueError` when it is none."""
    said, gap, tail = text.rpartition("\n\n")
    origin, size, root, *extensions = said.split("\n")
    lines = tail[:-1].split("\n")
    found = [SIGNATURE.fullmatch(line) for line in lines]
    head = b64decode(root, validate=True)
    sound = gap and tail.endswith("\n") and NAME.fullmatch(origin) and NUMBER.fullmatch(size)
    if not sound or len(head) != HASH or b64encode(head).decode() != root or not all(extensions):
        raise ValueError("no checkpoint")
    signatures = tuple((one[0], one[1], b64decode(one[2], validate=True)) for one in found if one)
    if len(signatures) != len(lines) or re.search(r"[\x00-\x09\x0b-\x1f]", text):
        raise ValueError("no checkpoint")
    return Note(said + "\n", origin, int(size), head, signatures)


def read_submission(body: bytes) -> tuple[int, list[bytes], Note]:
    """Take a submission apart: old size, consistency proof, checkpoint; raises `Refused` when it is none."""
    try:
        head, _, text = body.decode().partition("\n\n")
        old, *encoded = head.split("\n")
        proof = [b64decode(line, validate=True) for line in encoded]
        note = read_note(text)
    except ValueError:
        raise Refused(400, "this is no submission of a checkpoint\n") from None
    word, _, size = old.partition(" ")
    sound = word == "old" and NUMBER.fullmatch(size) and len(proof) <= MOST_PROOF_LINES
    if not sound or int(size) > note.size or any(len(one) != HASH for one in proof):
        raise Refused(400, "this is no submission of a checkpoint\n")
    return int(size), proof, note


def only_grew(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the tree of size ``new`` begins with that of size ``old`` (RFC 9162 2.1.4.2)."""
    if old in {0, new}:
        return not proof and (new_root == old_root if old == new else True)
    path = [old_root, *proof] if old & old - 1 == 0 else list(proof)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = _node(sibling, before), _node(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = _node(after, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Memory:
    """What a witness has seen, one directory a log; whatever is kept here is durable when a method returns."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def newest(self, log: str) -> bytes | None:
        """Return the newest co-signed note of a log, or None."""
        with suppress(FileNotFoundError):
            return (self._directory / log / "newest").read_bytes()
        return None

    def keep(self, log: str, size: int, note: str) -> None:
        """Hold the log to a note from now on, and add it to what was ever co-signed."""
        place = self._place(log)
        write(place / "newest", note.encode())
        # A crash here leaves a note that was never answered: the log asks again, and then it is added.
        history = place / time.strftime("%Y-%m-%d.jsonl", time.gmtime())
        fresh = not history.exists()
        with history.open("ab+") as file:
            file.seek(-1 if file.tell() else 0, os.SEEK_END)
            torn = file.read(1) not in {b"", b"\n"}
            file.write(b"\n" * torn + json.dumps({"size": size, "note": note}, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            sync(place)

    def contradicted(self, log: str, note: Note, lines: Sequence[str]) -> None:
        """Keep a note that the log signed beside another root of the same size: only the log can have made it."""
        self._keep_apart(self._place(log) / "against", MOST_AGAINST, note, lines)

    def unproven(self, log: str, note: Note, lines: Sequence[str]) -> None:
        """Keep a note that nobody proved to continue what was seen: whether it does shows when its size is reached."""
        self._keep_apart(self._place(log) / "unproven", MOST_UNPROVEN, note, lines)

    def _keep_apart(self, place: Path, most: int, note: Note, lines: Sequence[str]) -> None:
        place.mkdir(mode=0o700, exist_ok=True)
        if sum(1 for _ in place.iterdir()) < most:
            text = f"{note.text}\n" + "".join(f"{line}\n" for line in lines)
            write(place / f"{note.size:020}-{sha256(note.text.encode()).hexdigest()[:16]}", text.encode())

    def _place(self, log: str) -> Path:
        place = self._directory / log
        if not place.is_dir():
            place.mkdir(mode=0o700)
            sync(self._directory)
        return place


def write(path: Path, content: bytes) -> None:
    """Put a file into its place whole, durably, or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    sync(path.parent)


def sync(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Witness:
    """One key, and the logs that it watches."""

    def __init__(self, name: str, key: Ed25519PrivateKey, logs: Sequence[Verifier], memory: Memory) -> None:
        self.verifier = Verifier(name, key.public_key().public_bytes_raw(), COSIGNATURE)
        self.logs = {sha256(log.name.encode()).hexdigest(): log.name for log in logs}
        self.memory = memory
        self._key = key
        self._trusted = logs
        self._one_at_a_time = threading.Lock()
        self._latest: dict[str, tuple[str, str, float]] = {}
        """What this process has just co-signed for each log: text, line and when."""

    def add(self, body: bytes) -> str:
        """Co-sign a submitted checkpoint and return the signature line; it is durable before.

        Raises:
            Refused: it is not co-signed.
        """
        old, proof, note = read_submission(body)
        keys = [key for key in self._trusted if key.name == note.origin]
        if not keys:
            raise Refused(404, "this log is not watched here\n")
        lines = note.lines_by(keys)
        if not lines:
            raise Refused(403, "the log did not sign this\n")
        log = sha256(note.origin.encode()).hexdigest()
        # Nobody else compares or writes between the comparison and the writing.
        with self._one_at_a_time:
            seen = self.memory.newest(log)
            last = read_note(seen.decode()) if seen else None
            self._compare(log, old, proof, note, last, lines)
            text, line, since = self._latest.get(log, ("", "", 0.0))
            # Anybody may send the newest note again and again: that must neither fill nor wear out a disk.
            if text != note.text or time.monotonic() - since > SECONDS_OF_A_SIGNATURE:
                line = self._cosign(note)
                self.memory.keep(log, note.size, f"{note.text}\n" + "".join(f"{one}\n" for one in (*lines, line)))
                self._latest[log] = (note.text, line, time.monotonic())
        return f"{line}\n"

    def _compare(
        self, log: str, old: int, proof: list[bytes], note: Note, last: Note | None, lines: Sequence[str]
    ) -> None:
        size, root = (last.size, last.root) if last else (0, sha256(b"").digest())
        if note.size == size and note.root != root:
            self.memory.contradicted(log, note, lines)
            say(f"{note.origin} signed two roots of size {size}: refused and kept as evidence")
        if old != size or (note.size == size and note.root != root):
            raise Refused(409, f"{size}\n", "text/x.tlog.size")
        if not only_grew(size, note.size, root, note.root, proof):
            self.memory.unproven(log, note, lines)
            say(f"{note.origin} did not prove that size {note.size} continues size {size}: refused")
            raise Refused(422, "the proof does not lead from what was seen to this\n")

    def _cosign(self, note: Note) -> str:
        now = int(time.time())
        signature = self._key.sign(f"cosignature/v1\ntime {now}\n{note.text}".encode())
        blob = self.verifier.key_id + now.to_bytes(8, "big") + signature
        return f"\u2014 {self.verifier.name} {b64encode(blob).decode()}"


class Server(ThreadingHTTPServer):
    """Serves one witness; a connection has seconds, and there are so many at once."""

    daemon_threads = True

    def __init__(self, witness: Witness, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)
        self.witness = witness
        self._tls = tls
        self._open: dict[Any, float] = {}

    def get_request(self) -> tuple[Any, Any]:
        """Take the next connection; hands are shaken by whoever reads from it first, in a thread of its own."""
        connection, address = super().get_request()
        connection.settimeout(SECONDS_OF_SILENCE)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open[connection] = time.monotonic()
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - the base's signature
        """Turn the connection away when there are too many."""
        return len(self._open) <= MOST_CONNECTIONS

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off whoever takes too long, however little they send at a time."""
        latest = time.monotonic() - SECONDS_OF_A_CONNECTION
        for connection in [one for one, since in list(self._open.items()) if since < latest]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Say in one line that a connection failed."""
        say(f"a connection failed: {type(sys.exception()).__name__}")


class Handler(BaseHTTPRequestHandler):
    """The two paths of a witness."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "pacs-witness", ""

    def do_POST(self) -> None:
        """Co-sign a checkpoint."""
        length = self.headers.get("Content-Length", "")
        if not NUMBER.fullmatch(length) or int(length) > LONGEST_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # what follows is not read
            self._answer(400, "the body has no length, or is too long\n")
            return
        body = self.rfile.read(int(length))
        if self.path != "/add-checkpoint":
            self._answer(404, "there is nothing here\n")
            return
        try:
            self._answer(200, self.server.witness.add(body))
        except Refused as refused:
            self._answer(refused.status, refused.text, refused.kind)

    def do_GET(self) -> None:
        """Show the newest co-signed note of a log."""
        log = self.path.removeprefix("/checkpoint/")
        note = self.server.witness.memory.newest(log) if log in self.server.witness.logs else None
        self._answer(404, "there is nothing here\n") if note is None else self._answer(200, note.decode())

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""

    def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def say(text: str) -> None:
    """Write one line of the log."""
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")


def init(directory: Path, name: str, logs: Sequence[str]) -> None:
    """Make a witness below a directory, or add logs to the one that is there; its key is made once and kept."""
    (directory / "notes").mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (directory / "key.pem").exists():
        if not NAME.fullmatch(name):
            raise Misuse("a witness needs a name without spaces and plus signs: --name")
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write(directory / "name", f"{name}\n".encode())
        write(directory / "key.pem", pem)
    there = (directory / "logs").read_text().splitlines() if (directory / "logs").exists() else []
    wanted = dict.fromkeys([*there, *(str(read_verifier(log)) for log in logs)])
    write(directory / "logs", "".join(f"{log}\n" for log in wanted).encode())


def load(directory: Path) -> Witness:
    """Read the witness of a directory; one that has lost its memory is not one any more."""
    try:
        key = load_pem_private_key((directory / "key.pem").read_bytes(), None)
        name, logs = (directory / "name").read_text().strip(), (directory / "logs").read_text().split()
    except (OSError, ValueError):
        raise Misuse("there is no witness in this directory: pacs-witness init makes one") from None
    if not isinstance(key, Ed25519PrivateKey) or not (directory / "notes").is_dir():
        raise Misuse("this witness has lost its key or its memory: make another, with a name of its own")
    return Witness(name, key, [read_verifier(log) for log in logs], Memory(directory / "notes"))


def serve(directory: Path, host: str, port: int, certificate: Path | None, key: Path | None) -> None:
    """Answer until SIGTERM or SIGINT; one process a directory."""
    witness = load(directory)
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
    with (directory / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            server = Server(witness, host, port, tls)
        except OSError:
            raise Misuse("another process serves this directory, or the address cannot be had") from None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        say(f"witness {witness.verifier} listens on {host}:{server.server_address[1]}, {len(witness.logs)} logs")
        with server:
            server.serve_forever(0.2)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="pacs-witness", description="Witness of transparency logs (C2SP).")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, does in (
        ("init", "make a witness, or add logs to it"),
        ("serve", "answer logs"),
        ("key", "print its key"),
    ):
        verbs.add_parser(verb, help=does).add_argument("directory", type=Path, metavar="DIR")
    making, serving = verbs.choices["init"], verbs.choices["serve"]
    making.add_argument("--name", default="", help="name of the witness, like a URL without https://")
    making.add_argument("--log", action="append", default=[], metavar="KEY", help="verifier key of a log")
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=8787)
    serving.add_argument("--certificate", type=Path, help="PEM; without it, plain http")
    serving.add_argument("--certificate-key", type=Path)
    told = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        if told.verb == "serve":
            serve(told.directory, told.host, told.port, told.certificate, told.certificate_key)
            return 0
        if told.verb == "init":
            init(told.directory, told.name, told.log)
        sys.stdout.write(f"{load(told.directory).verifier}\n")
    except (Misuse, OSError) as error:
        sys.stderr.write(f"pacs-witness: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
