"""Stand-alone verifier of a published ledger: a directory and a public key in, a verdict out.

It trusts neither the archive nor its database and shares no code with them: this one file, the
standard library and ``cryptography`` are enough, also on another machine:

    python audit_verify.py CHECKPOINT-DIR --key PUBLIC.pem [--witness VERIFIER-KEY] [--note FILE] [--json]

What it checks: the signature of every note; that every entry names its place, the entry before it and
the next number of its writer; every leaf hash and every tile; the root at the size of every note, so
that a cut tail, a fork and a rewrite show; that no entry is dated back; and that each witness that is
named has signed. Below the horizon of a signed certificate (``retention/``) entries may be missing,
but never their leaf hashes. The directory is laid out as C2SP tlog-tiles, with every note kept under
``checkpoints/`` and ``witnessed/``. What one directory cannot show is a log cut back or rewritten
*together with all its notes*: give it a note that was kept elsewhere, such as a witness's newest.

Exit status: 0 sound, 1 found wanting, 2 misuse.
"""

import argparse
import json
import re
import sys
import time
from base64 import b64decode
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

WIDTH, HASH = 256, 32
"""Hashes of a full tile, which are the entries of a full bundle, and bytes of a hash."""
NO_ENTRY = "0" * 64
TOLERATED = timedelta(minutes=5)
"""How far an entry may be dated before the one in front of it."""
MOST_FINDINGS = 1000
"""Findings shown; the others are counted."""
PATIENCE = (0.0, 0.2, 1.0)
"""Seconds to wait for a publication that is under way."""
LONGEST_NOTE = 1 << 16
LOG_KEY, WITNESS_KEY = b"\x01", b"\x04"
"""Signature types of C2SP signed-note: Ed25519, and cosignature/v1."""
ENTRY = re.compile(
    r'\{"at":"([0-9T:.-]{26}Z)","index":([0-9]{1,19}),(?:"mac":"[0-9a-f]{32}",)?"prev":"([0-9a-f]{64})",'
    r'"said":(\{.*\})(?:,"seq":([0-9]{1,19}))?,"v":2(?:,"writer":"([0-9a-f-]{36})")?\}',
    re.DOTALL,
)
"""An entry, its bytes read as Latin-1: time, index, the entry before it, what is said, number, writer."""
TIMES = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}\.[0-9]{6}Z)*")
MACS = re.compile("[0-9a-f]*")
CERTIFICATE = re.compile(
    r"[^\n]+\nnumber ([0-9]{1,19})\nentries ([0-9]{1,19}) ([0-9]{1,19})\nroot ([A-Za-z0-9+/]{43}=)\ncutoff \S+\n"
    r"keys [0-9]+\nby [0-9a-f]* [a-z]+\nat \S+\n((?:writer [0-9a-f-]{36} [0-9]{1,19}\n)*)",
    re.ASCII,
)
"""Of entries that expired: number, first, horizon, root at the horizon, and the next number of each writer."""
UNSIGNED = {"ledger:verify", "system:start"}
"""Acts that may be recorded without a signature, like any refusal, as long as they name nobody."""
SOUND, WANTING, MISUSE = 0, 1, 2
Notes = Sequence[tuple[str, bytes]]
"""Notes with the names they are called by."""


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
        # A file may be named to look like a verdict.
        where = self.place.encode("unicode_escape").decode() if self.position is None else f"position {self.position}"
        return f"{where}: {self.problem}"


@dataclass(frozen=True)
class Head:
    """What a verified note says: this log had this size and this root."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Signer:
    """Whose signatures are looked for: a log by its PEM key, a witness by its verifier key."""

    name: str
    kind: bytes
    key: Ed25519PublicKey

    def signed(self, note: bytes) -> bool:
        """Say whether it signed the note; raise `BadNote` when a signature in its name is wrong."""
        known = sha256(self.name.encode() + b"\n" + self.kind + self.key.public_bytes_raw()).digest()[:4]
        text, signatures = take_apart(note)
        found = [blob[4:] for name, blob in signatures if name == self.name and blob[:4] == known]
        try:
            for blob in found:
                at = int.from_bytes(blob[:8], "big")
                witness = self.kind == WITNESS_KEY
                said = f"cosignature/v1\ntime {at}\n".encode() + text if witness else text
                self.key.verify(blob[8:] if witness else blob, said)
        except InvalidSignature:
            raise BadNote(f"the signature of {self.name} is not of this text") from None
        return bool(found)


class Tree:
    """Grows, and keeps at each level of tiles what fills no tile yet (RFC 6962 2.1, C2SP tlog-tiles)."""

    def __init__(self) -> None:
        self.levels: list[list[bytes]] = [[]]
        self.size = 0

    def extend(self, leaves: list[bytes]) -> Iterator[tuple[int, int, list[bytes]]]:
        """Add leaf hashes, at most to the end of a tile; yield each tile that this fills: level, number, hashes."""
        self.levels[0] += leaves
        self.size += len(leaves)
        level = 0
        while len(full := self.levels[level]) == WIDTH:
            self.levels[level] = []
            yield level, self.size // WIDTH ** (level + 1) - 1, full
            level += 1
            self.levels[level:] = self.levels[level:] or [[]]
            self.levels[level].append(root_of(full))

    def root(self) -> bytes:
        """Return the root as the tree stands."""
        right: list[bytes] = []
        for hashes in self.levels:
            right = [root_of(hashes + right)] if hashes or right else []
        return root_of(right)


def root_of(nodes: list[bytes]) -> bytes:
    """Return the root over nodes of one height, of which the last alone may be lower (RFC 6962 2.1)."""
    while len(nodes) > 1:
        pairs = [sha256(b"\x01" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=False)]
        nodes = pairs + nodes[2 * len(pairs) :]
    return nodes[0] if nodes else sha256(b"").digest()


def take_apart(note: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Return what a note says, and its signatures, each with the name it is made in (C2SP signed-note)."""
    try:
        text, _, tail = note.decode().rpartition("\n\n")
        named = [line[2:].split(" ") for line in tail.split("\n") if line.startswith("\u2014 ")]
        return text.encode() + b"\n", [(name, b64decode(blob, validate=True)) for name, blob in named]
    except ValueError:
        raise BadNote("this is no checkpoint") from None


def read_note(note: bytes, key: Ed25519PublicKey) -> Head:
    """Verify a note under the key and read its tree head; the signer must be the log itself."""
    try:
        origin, size, root, *rest = take_apart(note)[0].decode().split("\n")
        head = Head(origin, int(size), b64decode(root, validate=True))
    except ValueError:
        raise BadNote("this is no checkpoint") from None
    canonical = size.isascii() and size.isdigit() and str(head.size) == size
    if len(note) > LONGEST_NOTE or not origin or rest != [""] or not canonical or len(head.root) != HASH:
        raise BadNote("this is no checkpoint")
    if not Signer(origin, LOG_KEY, key).signed(note):
        raise BadNote("not signed by this key in the name of the log")
    return head


class Directory:
    """The published files, by the names C2SP tlog-tiles gives them."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise Misuse("there is no such directory")
        self.path = path

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None when there is no such file to be read."""
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None

    def kept(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """Yield the name and content of every file of a folder, oldest first."""
        for name in sorted(entry.name for entry in (self.path / folder).glob("[!.]*")):
            yield f"{folder}/{name}", self.read(f"{folder}/{name}") or b""

    def tile(self, level: str, number: int, width: int) -> tuple[bytes | None, bool]:
        """Return a tile or bundle and whether it is the full one, which outlives its partial forms."""
        groups = [f"{number % 1000:03}"]
        while number := number // 1000:
            groups.append(f"x{number % 1000:03}")
        name = f"tile/{level}/" + "/".join(reversed(groups))
        partial = self.read(f"{name}.p/{width}") if width < WIDTH else None
        return (self.read(name), True) if partial is None else (partial, False)


def instant(at: str) -> datetime | None:
    """Read a time, or a day; None when it is none."""
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        return None


def late(at: str, before: str) -> timedelta | None:
    """Return how far an entry is dated back, when that is more than clocks may differ; both are times."""
    back = datetime.fromisoformat(before) - datetime.fromisoformat(at)
    return back if back > TOLERATED else None


def split_bundle(bundle: bytes) -> list[bytes]:
    """Take an entry bundle apart; a torn last entry is left as it is and will match no leaf."""
    entries, place, end = [], 0, len(bundle)
    while place < end:
        start = place + 2
        place = start + int.from_bytes(bundle[place:start], "big")
        entries.append(bundle[start:place])
    return entries


class Verification:
    """One walk over a published log, from the first entry to the newest signed size."""

    def __init__(
        self, directory: Directory, key: Ed25519PublicKey, witnesses: Sequence[Signer] = (), elsewhere: Notes = ()
    ) -> None:
        self.findings: list[Finding] = []
        self.tree = Tree()
        self.found = self.size = 0
        self.witnessed: dict[str, int] = {}
        """The largest size that each witness has signed."""
        self._directory, self._key = directory, key
        self._witnesses, self._elsewhere, self._origin = witnesses, elsewhere, ""
        self._roots: dict[int, bytes] = {}
        self._signed: deque[int] = deque()
        """The sizes that were signed and are not reached yet, smallest first."""
        self._prev: tuple[str, ...] = (NO_ENTRY,)
        self._at = "1970-01-01T00:00:00.000000Z"
        self._writers: dict[str, int] = {}
        """The number that each writer's next entry must have."""
        self._last_good, self._disrupted, self._forked = 0, False, False
        self._horizon = 0
        """Below it entries may be missing, but no leaf hash: a certificate says so."""
        self._expired_writers: dict[str, int] = {}

    def run(self) -> None:
        """Verify everything; what is wrong stands in ``findings``."""
        self._read_notes()
        self._read_certificates()
        self._check_newest()
        self._signed.extend(sorted(self._roots))
        self._grow([])
        for number in range(-(-self.size // WIDTH)):
            self._bundle(number, min(WIDTH, self.size - number * WIDTH))
        for level, hashes in enumerate(self.tree.levels):
            self._compare_tile(level, self.size // WIDTH ** (level + 1), hashes)

    def find(self, place: str, position: int | None, problem: str) -> None:
        """Count a finding and, unless there are too many, write it down."""
        self.found += 1
        if place in {"chain", "entries", "entry", "writer"}:
            # Nobody knows what stood here: each writer is taken up again at whatever number it has next.
            self._writers, self._disrupted = {}, True
        if self.found <= MOST_FINDINGS:
            self.findings.append(Finding(place, position, problem))

    def _read_notes(self) -> None:
        newest = [("checkpoint", self._directory.read("checkpoint") or b"")]
        kept = [*self._directory.kept("checkpoints"), *self._directory.kept("witnessed")]
        for name, note in [*kept, *newest, *self._elsewhere]:
            try:
                head = read_note(note, self._key)
                signers = [one.name for one in self._witnesses if one.signed(note)]
            except BadNote as error:
                if name != "checkpoint":
                    self.find(name, None, str(error))
                continue
            if name.startswith(("checkpoints/", "witnessed/")) and not name.endswith(f"/{head.size:020}"):
                self.find(name, None, f"the note is of size {head.size}")
            self._take(name, head)
            self.witnessed |= {one: max(head.size, self.witnessed.get(one, 0)) for one in signers}
        self.size = max(self._roots, default=0)
        for name in sorted({one.name for one in self._witnesses} - self.witnessed.keys()):
            self.find("witness", None, f"{name} has signed none of the checkpoints")

    def _read_certificates(self) -> None:
        """Read what may be missing; each certificate continues the one before."""
        for count, (name, note) in enumerate(self._directory.kept("retention"), 1):
            try:
                signed = Signer(f"{self._origin}/retention", LOG_KEY, self._key).signed(note)
                read = CERTIFICATE.fullmatch(take_apart(note)[0].decode()) if signed else None
            except BadNote:
                read = None
            if read is None:
                self.find(name, None, "entries are said to have expired, but this key has signed no such certificate")
                continue
            number, start, horizon = int(read[1]), int(read[2]), int(read[3])
            if (name, number, start) != (f"retention/{horizon:020}", count, self._horizon):
                self.find(name, None, "the certificate does not continue the one before it")
            self._take(name, Head(self._origin, horizon, b64decode(read[4])))
            self._horizon = horizon
            for line in read[5].splitlines():
                self._expired_writers[line[7:43]] = int(line[44:])

    def _check_newest(self) -> None:
        """Hold the newest checkpoint against the kept notes, which are written just before it."""
        for wait in PATIENCE:
            time.sleep(wait)
            try:
                newest = read_note(self._directory.read("checkpoint") or b"", self._key).size
                problem = f"it is of size {newest}, but size {self.size} was signed: it was put back, or never written"
            except BadNote as error:
                newest, problem = -1, str(error)
            if newest >= self.size:
                return
        self.find("checkpoint", None, problem)

    def _take(self, name: str, head: Head) -> None:
        self._origin = self._origin or head.origin
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
        elif bundle is not None and tile is not None and self._all_sound(first, entries[:width], tile):
            return
        for offset in range(width):
            published = tile[offset * HASH : (offset + 1) * HASH] if tile else None
            self._entry(first + offset, entries[offset] if offset < len(entries) else None, published)

    def _all_sound(self, first: int, entries: list[bytes], tile: bytes) -> bool:
        """Verify a bundle in which nothing is wrong, in one go; otherwise say so, and leave it to `_entry`."""
        texts = [entry.decode("latin-1") for entry in entries]
        times, macs, leaves = [text[7:34] for text in texts], [], []
        if not TIMES.fullmatch("".join(times)) or None in {instant(day) for day in {one[:10] for one in times}}:
            return False
        prev, latest, writers = self._prev[0] if len(self._prev) == 1 else "", self._at, dict(self._writers)
        for position, (entry, text, at) in enumerate(zip(entries, texts, times, strict=True), first):
            writer = text[-38:-2]
            number, index = writers.get(writer, 0), f'{{"at":"{at}","index":{position},"mac":"'
            mac = len(index)
            if not (
                number and prev and text.startswith(index) and text.startswith(f'","prev":"{prev}","said":{{', mac + 32)
            ):
                return False
            if not text.endswith(f'}},"seq":{number},"v":2,"writer":"{writer}"}}') or (
                at < latest and late(at, latest)
            ):
                return False
            writers[writer], latest = number + 1, max(latest, at)
            macs.append(text[mac : mac + 32])
            leaves.append(sha256(b"\x00" + entry).digest())
            prev = leaves[-1].hex()
        if b"".join(leaves) != tile or not MACS.fullmatch("".join(macs)):
            return False
        self._prev, self._at, self._writers = (prev,), latest, writers
        self._grow(leaves)
        return True

    def _entry(self, position: int, entry: bytes | None, published: bytes | None) -> None:
        """Verify one entry; one that is missing is stood for by its published leaf hash."""
        leaf = published or b"" if entry is None else sha256(b"\x00" + entry).digest()
        if entry is not None and published is not None and leaf != published:
            self.find("entry", position, "entry does not match its leaf hash")
        elif entry is not None:
            self._chain(position, entry)
        # After an edit the next entry may still name what was published here; that is one finding, not two.
        self._prev = tuple(dict.fromkeys(one.hex() for one in (leaf, published or leaf))) if leaf else ()
        self._grow([leaf])

    def _chain(self, position: int, entry: bytes) -> None:
        read = ENTRY.fullmatch(entry.decode("latin-1"))
        if read is None or instant(read[1]) is None:
            self.find("entry", position, "entry cannot be read")
            return
        if int(read[2]) != position:
            self.find("chain", position, "entry names another position as its own")
        if self._prev and read[3] not in self._prev:
            self.find("chain", position, "entry does not continue the one before it")
        if not read[5] or not read[6]:
            said = self._said(read[4])
            acts = said.get("outcome") != "refused" and said.get("action") not in UNSIGNED
            if acts or said.get("actor") != "" or "details" in said:
                self.find("writer", position, "nobody signed the entry, and it may not stand unsigned")
        elif position >= self._horizon:
            self._number(position, read[6], int(read[5]))
            if read[5] == "0":
                self._succession(position, self._said(read[4]).get("facts"))
        if back := late(read[1], self._at):
            self.find("time", position, f"entry is dated {back} before the latest in front of it")
        self._at = max(self._at, read[1])

    def _said(self, said: str) -> dict[str, object]:
        try:
            read = json.loads(said.encode("latin-1"))
        except (ValueError, RecursionError):
            return {}
        return read if isinstance(read, dict) else {}

    def _succession(self, position: int, facts: object) -> None:
        """Look whether everything is there that the writer's process had said under another name."""
        writer, _, number = str(facts.get("continues", "") if isinstance(facts, dict) else "").partition(" ")
        if number.isdigit() and not self._disrupted and int(number) > self._writers.get(writer, 0):
            self.find("writer", position, f"entries that its writer made as {writer} are missing")

    def _number(self, position: int, writer: str, number: int) -> None:
        """Hold an entry against the numbers of its writer, which are dense: what is left out leaves a gap."""
        expected = self._writers.get(writer, number if self._disrupted else 0)
        self._writers[writer] = number + 1
        if number > expected:
            self.find("writer", position, f"{number - expected} entries of its writer before it are missing")
        elif number < expected:
            self.find("writer", position, "entry has a number that its writer had used before")

    def _grow(self, leaves: list[bytes]) -> None:
        """Add leaf hashes; verify every root that was signed on the way, and the tiles that are filled."""
        while self._signed and self._signed[0] <= self.tree.size + len(leaves):
            count = self._signed.popleft() - self.tree.size
            self._add(leaves[:count])
            self._check_root()
            leaves = leaves[count:]
        self._add(leaves)

    def _add(self, leaves: list[bytes]) -> None:
        for level, number, hashes in self.tree.extend(leaves):
            self._compare_tile(level, number, hashes)

    def _check_root(self) -> None:
        """Compare the root with what was signed at this size."""
        if self._forked:
            return
        if self._roots[self.tree.size] == self.tree.root():
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

    def _compare_tile(self, level: int, number: int, hashes: list[bytes]) -> None:
        # Level 0 was held against the entries.
        tile = self._tile(level, number, len(hashes)) if level and hashes else None
        if tile is not None and tile != b"".join(hashes):
            self.find("tile", None, f"tile {number} of level {level} does not follow from the entries")


def load_key(path: Path) -> Ed25519PublicKey:
    """Read an Ed25519 public key in PEM (SubjectPublicKeyInfo)."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        raise Misuse("the key cannot be read as a PEM public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Misuse("the key is not an Ed25519 public key")
    return key


def load_witness(verifier_key: str) -> Signer:
    """Read a witness's verifier key: name+key id+base64 of its type and public key (C2SP signed-note)."""
    name, _, rest = verifier_key.partition("+")
    try:
        raw = b64decode(rest.partition("+")[2], validate=True)
        key = Ed25519PublicKey.from_public_bytes(raw[1:] if raw[:1] == WITNESS_KEY else b"")
    except ValueError:
        raise Misuse("a witness's verifier key cannot be read") from None
    return Signer(name, WITNESS_KEY, key)


def report(verification: Verification, *, as_json: bool) -> str:
    """Put the verdict into words, or into JSON."""
    findings, root, size = verification.findings, verification.tree.root().hex(), verification.size
    if as_json:
        verdict = {"sound": not findings, "entries": size, "root": root, "witnessed": verification.witnessed}
        return json.dumps({**verdict, "findings": [asdict(one) for one in findings]})
    signed = [f"{name} has signed up to size {signed}" for name, signed in verification.witnessed.items()]
    found = f"found wanting: {verification.found} findings in {size} entries"
    return "\n".join([*map(str, findings), *signed, found if findings else f"sound: {size} entries, root {root}"])


def main(arguments: list[str] | None = None) -> int:
    """Verify the directory named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="pacs-audit-verify", description="Verify a published ledger.")
    parser.add_argument("directory", type=Path, metavar="CHECKPOINT-DIR")
    parser.add_argument("--key", type=Path, required=True, metavar="PUBLIC.pem", help="the log's Ed25519 public key")
    parser.add_argument("--witness", action="append", default=[], metavar="VERIFIER-KEY", help="who must have signed")
    parser.add_argument("--note", action="append", default=[], type=Path, metavar="FILE", help="one kept elsewhere")
    parser.add_argument("--json", action="store_true", help="answer with one JSON object")
    options = parser.parse_args(arguments)
    try:
        directory, key = Directory(options.directory), load_key(options.key)
        witnesses = [load_witness(verifier_key) for verifier_key in options.witness]
        notes = [(path.name, path.read_bytes()) for path in options.note]
    except (Misuse, OSError) as error:
        sys.stderr.write(f"pacs-audit-verify: {error}\n")
        return MISUSE
    verification = Verification(directory, key, witnesses, notes)
    verification.run()
    sys.stdout.write(report(verification, as_json=options.json) + "\n")
    return WANTING if verification.findings else SOUND


if __name__ == "__main__":
    sys.exit(main())
