"""Stand-alone verifier of a published ledger: a directory and a public key in, a verdict out.

It trusts neither the archive nor its database and shares no code with them: this one file, the
standard library and ``cryptography`` are enough, also on another machine:

    python audit_verify.py CHECKPOINT-DIR --key PUBLIC.pem [--json]

What it checks: the signature of every note; that every entry names its place and the entry before
it; every leaf hash and every tile; the root at the size of every note, so that a cut tail, a fork
and a rewrite show; and that no entry is dated back. Below the horizon of a signed certificate
(``retention/``) entries have expired and may be missing, but never their leaf hashes. The directory
is laid out as C2SP tlog-tiles, with every note kept under ``checkpoints/``. What one directory
cannot show is a log cut back *together with all its later notes*: keep notes elsewhere, and compare.

Exit status: 0 sound, 1 found wanting, 2 misuse.
"""

import argparse
import json
import re
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

TILE_HEIGHT = 8
WIDTH = 1 << TILE_HEIGHT
HASH = 32
NO_ENTRY = "0" * 64
TOLERATED = timedelta(minutes=5)
"""How far an entry may be dated before the one in front of it."""
MOST_FINDINGS = 1000
"""Findings shown; the others are counted."""
PATIENCE = (0.0, 0.2, 1.0)
"""Seconds to wait for a publication that is under way."""
LONGEST_NOTE = 1 << 16
ENTRY = re.compile(
    rb'\{"at":"([0-9T:.-]{26}Z)","index":([0-9]{1,19}),(?:"mac":"[0-9a-f]{32}",)?"prev":"([0-9a-f]{64})",'
    rb'"said":\{.*\}(?:,"seq":([0-9]{1,19}))?,"v":2(?:,"writer":"([0-9a-f-]{36})")?\}',
    re.DOTALL,
)
CERTIFICATE = re.compile(
    r"[^\n]+\nnumber ([0-9]{1,19})\nentries ([0-9]{1,19}) ([0-9]{1,19})\nroot ([A-Za-z0-9+/]{43}=)\ncutoff \S+\n"
    r"keys [0-9]+\nby [0-9a-f]* [a-z]+\nat \S+\n((?:writer [0-9a-f-]{36} [0-9]{1,19}\n)*)",
    re.ASCII,
)
"""Of entries that expired: number, first, horizon, root at the horizon, and the next number of each writer."""
SOUND, WANTING, MISUSE = 0, 1, 2


class Misuse(Exception):
    """What was asked cannot be done."""


class BadNote(Exception):
    """A note that proves nothing; the text says why."""


@dataclass(frozen=True)
class Finding:
    """One thing found wanting."""

    place: str
    position: int | None
    problem: str

    def __str__(self) -> str:
        """Say it in one line, as `main` prints it."""
        if self.position is None:
            return f"{self.place}: {self.problem}"
        return f"position {self.position}: {self.problem}"


@dataclass(frozen=True)
class Head:
    """What a verified note says: this log had this size and this root."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Expired:
    """What a verified certificate says: entries from ``start`` until before ``horizon`` may be missing."""

    number: int
    start: int
    horizon: int
    root: bytes
    writers: dict[bytes, int]


class Tree:
    """Grows leaf by leaf and keeps the roots of its full subtrees, largest first (RFC 6962 2.1)."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.size = 0

    def append(self, leaf: bytes) -> list[bytes]:
        """Add the next leaf hash; return the roots of the tiles it completes, level 0 first."""
        completed = []
        node, carry, height = leaf, self.size, 0
        while carry & 1:
            node = sha256(b"\x01" + self.nodes.pop() + node).digest()
            carry, height = carry >> 1, height + 1
            if height % TILE_HEIGHT == 0:
                completed.append(node)
        self.nodes.append(node)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Return the root as the tree stands."""
        if not self.nodes:
            return sha256(b"").digest()
        node = self.nodes[-1]
        for left in self.nodes[-2::-1]:
            node = sha256(b"\x01" + left + node).digest()
        return node


def read_note(note: bytes, key: Ed25519PublicKey) -> Head:
    """Verify a note under the key and read its tree head; the signer must be the log itself."""
    try:
        origin, size, root, *rest = note.decode().rpartition("\n\n")[0].split("\n")
        head = Head(origin, int(size), b64decode(root, validate=True))
    except ValueError:
        raise BadNote("this is no checkpoint") from None
    canonical = size.isascii() and size.isdigit() and str(head.size) == size
    if len(note) > LONGEST_NOTE or not origin or rest or not canonical or len(head.root) != HASH:
        raise BadNote("this is no checkpoint")
    demand_signed(note, origin, key)
    return head


def read_certificate(note: bytes, origin: str, key: Ed25519PublicKey) -> "Expired":
    """Verify a certificate of expired entries, which the log signs in a name of its own."""
    demand_signed(note, f"{origin}/retention", key)
    read = CERTIFICATE.fullmatch(note.decode().rpartition("\n\n")[0] + "\n")
    if read is None:
        raise BadNote("this is no certificate")
    writers = (line.split(" ") for line in read[5].splitlines())
    numbers = {writer.encode(): int(number) for _, writer, number in writers}
    return Expired(int(read[1]), int(read[2]), int(read[3]), b64decode(read[4]), numbers)


def demand_signed(note: bytes, name: str, key: Ed25519PublicKey) -> None:
    """Raise `BadNote` unless the key has signed the note in this name; other signatures are not looked at."""
    try:
        text, _, tail = note.decode().rpartition("\n\n")
    except ValueError:
        raise BadNote("this is no note") from None
    known = sha256(name.encode() + b"\n\x01" + key.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()[:4]
    signed = False
    for line in tail.split("\n"):
        dash, _, named = line.partition(" ")
        signer, _, encoded = named.partition(" ")
        signature = _signature(encoded) if dash == "\u2014" else b""
        if signer != name or signature[:4] != known:
            continue  # a witness, or a key that is not asked about
        try:
            key.verify(signature[4:], (text + "\n").encode())
        except InvalidSignature:
            raise BadNote("the signature is not of this text") from None
        signed = True
    if not signed:
        raise BadNote("not signed by this key in the name of the log")


def _signature(encoded: str) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except ValueError:
        raise BadNote("a signature cannot be read") from None


class Directory:
    """The published files, by the names C2SP tlog-tiles gives them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None when there is no such file to be read."""
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None

    def notes(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and content of every kept note by size, then the newest one."""
        for kept in sorted(entry.name for entry in (self.path / "checkpoints").glob("[!.]*")):
            yield f"checkpoints/{kept}", self.read(f"checkpoints/{kept}") or b""
        yield "checkpoint", self.read("checkpoint") or b""

    def certificates(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and content of every certificate of expired entries, oldest first."""
        for name in sorted(entry.name for entry in (self.path / "retention").glob("[!.]*")):
            yield f"retention/{name}", self.read(f"retention/{name}") or b""

    def tile(self, level: str, number: int, width: int) -> tuple[bytes | None, bool]:
        """Return a tile or bundle and whether it is the full one, which outlives its partial forms."""
        groups = [f"{number % 1000:03}"]
        while number := number // 1000:
            groups.append(f"x{number % 1000:03}")
        name = f"tile/{level}/" + "/".join(reversed(groups))
        if width < WIDTH:
            partial = self.read(f"{name}.p/{width}")
            if partial is not None:
                return partial, False
        return self.read(name), True


def split_bundle(bundle: bytes) -> list[bytes]:
    """Take an entry bundle apart; a torn last entry is left as it is and will match no leaf."""
    entries, place = [], 0
    while place < len(bundle):
        start = place + 2
        place = start + int.from_bytes(bundle[place:start], "big")
        entries.append(bundle[start:place])
    return entries


class Verification:
    """One walk over a published log, from the first entry to the newest signed size."""

    def __init__(self, directory: Directory, key: Ed25519PublicKey) -> None:
        self.findings: list[Finding] = []
        self.found = 0
        self.tree = Tree()
        self.size = 0
        self._directory = directory
        self._key = key
        self._origin: str | None = None
        self._roots: dict[int, bytes] = {}
        self._tiles: list[bytearray] = []
        """Hashes of the tile that is being filled, at each level above 0."""
        self._prev: tuple[str, ...] = (NO_ENTRY,)
        self._at = datetime.fromtimestamp(0, UTC)
        self._writers: dict[bytes, int] = {}
        """The number that each writer's next entry must have."""
        self._disrupted = False
        self._last_good = 0
        self._forked = False
        self._horizon = 0
        """Below it entries may be missing, but no leaf hash: a certificate says so."""
        self._expired_writers: dict[bytes, int] = {}

    def run(self) -> None:
        """Verify everything; what is wrong stands in ``findings``."""
        self._read_notes()
        self._read_certificates()
        self._check_newest()
        self._check_root()
        for number in range(-(-self.size // WIDTH)):
            self._bundle(number, min(WIDTH, self.size - number * WIDTH))
        for level, hashes in enumerate(self._tiles, 1):
            if hashes:
                self._compare_tile(level, self.size // WIDTH ** (level + 1), bytes(hashes))

    def find(self, place: str, position: int | None, problem: str) -> None:
        """Count a finding and, unless there are too many, write it down."""
        self.found += 1
        if place in {"chain", "entries", "entry", "writer"}:
            # Nobody knows what stood here: each writer is taken up again at whatever number it has next.
            self._writers, self._disrupted = {}, True
        if self.found <= MOST_FINDINGS:
            self.findings.append(Finding(place, position, problem))

    def _read_notes(self) -> None:
        for name, note in self._directory.notes():
            try:
                head = read_note(note, self._key)
            except BadNote as error:
                if name != "checkpoint":
                    self.find(name, None, str(error))
                continue
            if name not in {"checkpoint", f"checkpoints/{head.size:020}"}:
                self.find(name, None, f"the note is of size {head.size}")
            self._take(name, head)
        self.size = max(self._roots, default=0)

    def _read_certificates(self) -> None:
        """Read what may be missing; each certificate continues the one before."""
        for count, (name, note) in enumerate(self._directory.certificates(), 1):
            try:
                expired = read_certificate(note, self._origin or "", self._key)
            except BadNote as error:
                self.find(name, None, f"entries are said to have expired, but {error}")
                continue
            if (name, expired.number, expired.start) != (f"retention/{expired.horizon:020}", count, self._horizon):
                self.find(name, None, "the certificate does not continue the one before it")
            self._take(name, Head(self._origin or "", expired.horizon, expired.root))
            self._horizon = expired.horizon
            self._expired_writers |= expired.writers

    def _check_newest(self) -> None:
        """Hold the newest checkpoint against the kept notes, which are written just before it."""
        problem = ""
        for wait in PATIENCE:
            time.sleep(wait)
            try:
                newest = read_note(self._directory.read("checkpoint") or b"", self._key).size
            except BadNote as error:
                problem = str(error)
                continue
            if newest >= self.size:
                return
            problem = f"it is of size {newest}, but size {self.size} was signed: it was put back, or never written"
        self.find("checkpoint", None, problem)

    def _take(self, name: str, head: Head) -> None:
        if self._origin is None:
            self._origin = head.origin
        if head.origin != self._origin:
            self.find(name, None, "the note is of another log")
        elif self._roots.setdefault(head.size, head.root) != head.root:
            self.find(name, None, f"two different roots were signed for size {head.size}: the log was forked")

    def _bundle(self, number: int, width: int) -> None:
        """Verify up to 256 entries, and the tile of their leaf hashes."""
        first = number * WIDTH
        tile = self._tile(0, number, width)
        bundle, full = self._directory.tile("entries", number, width)
        if first == self._horizon:
            self._writers |= self._expired_writers
        if bundle is None and first >= self._horizon:
            self.find("entries", first, f"entries {first} to {first + width - 1} are missing")
        entries = split_bundle(bundle or b"")
        expected = WIDTH if full else width
        if bundle is not None and len(entries) != expected:
            self.find("entries", first, f"the bundle holds {len(entries)} entries instead of {expected}")
        for offset in range(width):
            published = tile[offset * HASH : (offset + 1) * HASH] if tile else None
            self._entry(first + offset, entries[offset] if offset < len(entries) else None, published)

    def _entry(self, position: int, entry: bytes | None, published: bytes | None) -> None:
        """Verify one entry; one that is missing is stood for by its published leaf hash."""
        leaf = published or b"" if entry is None else sha256(b"\x00" + entry).digest()
        if entry is not None:
            if published is not None and leaf != published:
                self.find("entry", position, "entry does not match its leaf hash")
            else:
                self._chain(position, entry)
        # After an edit the next entry may still name what was published here; that is one finding, not two.
        self._prev = (leaf.hex(), (published or leaf).hex()) if leaf else ()
        for level, node in enumerate(self.tree.append(leaf), 1):
            self._grow_tile(level, node)
        self._check_root()

    def _chain(self, position: int, entry: bytes) -> None:
        read = ENTRY.fullmatch(entry)
        try:
            at = datetime.fromisoformat(read[1].decode()) if read else None
        except ValueError:
            at = None
        if read is None or at is None:
            self.find("entry", position, "entry cannot be read")
            return
        if int(read[2]) != position:
            self.find("chain", position, "entry names another position as its own")
        if self._prev and read[3].decode() not in self._prev:
            self.find("chain", position, "entry does not continue the one before it")
        self._writer(position, read[5], read[4])
        if self._at - at > TOLERATED:
            self.find("time", position, f"entry is dated {self._at - at} before the one in front of it")
        self._at = at

    def _writer(self, position: int, writer: bytes | None, number: bytes | None) -> None:
        """Hold an entry against the numbers of its writer, which are dense: what is left out leaves a gap."""
        if writer is None or number is None or position < self._horizon:
            return  # nobody could sign it, which `ledger verify` looks into; or what stood before has expired
        expected = self._writers.get(writer, int(number) if self._disrupted else 0)
        self._writers[writer] = int(number) + 1
        if int(number) > expected:
            self.find("writer", position, f"{int(number) - expected} entries of its writer before it are missing")
        elif int(number) < expected:
            self.find("writer", position, "entry has a number that its writer had used before")

    def _check_root(self) -> None:
        """Compare the root with what was signed at this size, if anything was."""
        signed = self._roots.get(self.tree.size)
        if signed is None or self._forked:
            return
        if signed == self.tree.root():
            self._last_good = self.tree.size
            return
        # Every later root differs with it, so the first one says where to look.
        self._forked = True
        span = f"entries {self._last_good} to {self.tree.size - 1} are not those that were signed"
        self.find("tree", self._last_good, f"the root at size {self.tree.size} is not the signed one: {span}")

    def _tile(self, level: int, number: int, width: int) -> bytes | None:
        tile, full = self._directory.tile(str(level), number, width)
        if tile is not None and len(tile) == HASH * (WIDTH if full else width):
            return tile[: HASH * width]
        problem = "is missing" if tile is None else "has another length"
        self.find("tile", None, f"tile {number} of level {level}, width {width}, {problem}")
        return None

    def _grow_tile(self, level: int, node: bytes) -> None:
        """Add the root of a full tile to the tile above it, and verify that one when it is full too."""
        if len(self._tiles) < level:
            self._tiles.append(bytearray())
        hashes = self._tiles[level - 1]
        hashes += node
        if len(hashes) == HASH * WIDTH:
            self._compare_tile(level, self.tree.size // WIDTH ** (level + 1) - 1, bytes(hashes))
            hashes.clear()

    def _compare_tile(self, level: int, number: int, hashes: bytes) -> None:
        tile = self._tile(level, number, len(hashes) // HASH)
        if tile is not None and tile != hashes:
            self.find("tile", None, f"tile {number} of level {level} does not follow from the entries")


def open_directory(path: Path) -> Directory:
    """Return the directory, if there is one."""
    if not path.is_dir():
        raise Misuse("there is no such directory")
    return Directory(path)


def load_key(path: Path) -> Ed25519PublicKey:
    """Read an Ed25519 public key in PEM (SubjectPublicKeyInfo)."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        raise Misuse("the key cannot be read as a PEM public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Misuse("the key is not an Ed25519 public key")
    return key


def report(verification: Verification, *, as_json: bool) -> str:
    """Put the verdict into words, or into JSON."""
    findings, root, size = verification.findings, verification.tree.root().hex(), verification.size
    if as_json:
        shown = [asdict(finding) for finding in findings]
        return json.dumps({"sound": not findings, "entries": size, "root": root, "findings": shown})
    if not findings:
        return f"sound: {size} entries, root {root}"
    lines = [str(finding) for finding in findings]
    return "\n".join([*lines, f"found wanting: {verification.found} findings in {size} entries"])


def main(arguments: list[str] | None = None) -> int:
    """Verify the directory named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="pacs-audit-verify", description="Verify a published ledger.")
    parser.add_argument("directory", type=Path, metavar="CHECKPOINT-DIR")
    parser.add_argument("--key", type=Path, required=True, metavar="PUBLIC.pem", help="the log's Ed25519 public key")
    parser.add_argument("--json", action="store_true", help="answer with one JSON object")
    options = parser.parse_args(arguments)
    try:
        verification = Verification(open_directory(options.directory), load_key(options.key))
    except Misuse as error:
        sys.stderr.write(f"pacs-audit-verify: {error}\n")
        return MISUSE
    verification.run()
    sys.stdout.write(report(verification, as_json=options.json) + "\n")
    return WANTING if verification.findings else SOUND


if __name__ == "__main__":
    sys.exit(main())
