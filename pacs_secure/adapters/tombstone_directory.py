"""A directory of tombstones: one file a burial, signed by the log and chained to the one before by its hash.

    <number>    the burial of that number in 20 digits, from 0 on: a C2SP signed note

    <origin>/tombstones
    number 1
    before <SHA-256 of the file before, hexadecimal>
    key <id> <institution> <shelf> <UTC>

The last line is repeated for each key. What came back is deleted by what stands here, so that nobody but the log may
write it. Files are written once and never again: the directory may lie where nothing can be overwritten. It belongs
outside every backup: one that is restored must not take the tombstones back with it. That the newest files are missing
shows nowhere here (`pacs_secure/archive/unburied.py`).
"""

import fcntl
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from pacs_secure.adapters.durable_files import make_directory, replace_file, sync_directory
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.crypto.tlog import sign_note, verify_note
from pacs_secure.ports import Shelf, Signer, Tombstone

NOTHING_BEFORE = "0" * 64
AT_ONCE = 300
"""Keys in one burial: a note has 64 KiB at most."""
_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
_TEXT = re.compile(
    r"[^\n]+\nnumber (?:0|[1-9][0-9]{0,18})\nbefore [0-9a-f]{64}\n((?:key [^ \n]+ [^ \n]+ [^ \n]+ [^ \n]+\n)+)",
    re.ASCII,
)

Place = tuple[KeyId, Institution, Shelf]


class TombstoneDirectory:
    """`pacs_secure.ports.Tombstones` on a local or mounted file system."""

    def __init__(
        self, directory: Path, origin: str, public_key: Callable[[], bytes], signer: Signer | None = None
    ) -> None:
        """Take the log's name and key, and what signs for it; None: this process buries nothing."""
        self._directory = directory
        self._name = f"{origin}/tombstones"
        self._public_key = public_key
        self._signer = signer
        self._lock = threading.Lock()
        self._next = 0
        """Number of the burial that is read next, or written."""
        self._before = NOTHING_BEFORE
        self._places: set[Place] = set()

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        """Add what is not there yet, as one file; durable on return.

        Raises:
            Tampered: what is there is not what was buried; nothing is added.
            Unavailable: the directory cannot be written, or this process may not sign for the log.
        """
        with self._locked():
            self._catch_up()
            new = {_place(one): one for one in reversed(tombstones) if _place(one) not in self._places}
            fresh = list(reversed(new.values()))
            for start in range(0, len(fresh), AT_ONCE):
                replace_file(self._file(self._next), self._signed(fresh[start : start + AT_ONCE]))
                self._catch_up()
            # A crash may have come between the rename and the directory's own fsync.
            sync_directory(self._directory)

    def all(self) -> Iterator[Tombstone]:
        """Yield every tombstone, oldest first.

        Raises:
            Tampered: what is there is not what was buried.
            Unavailable: the directory cannot be read.
        """
        number, before = 0, NOTHING_BEFORE
        self._demand_none_missing()
        while (content := self._content(number)) is not None:
            yield from self._read(content, number, before)
            number, before = number + 1, sha256(content).hexdigest()

    def holds(self, institution: Institution, shelf: Shelf, key_id: KeyId) -> bool:
        """Return whether a key of this shelf was forgotten; what other processes buried meanwhile is known too.

        Raises:
            Tampered: what is there is not what was buried.
            Unavailable: the directory cannot be read.
        """
        with self._lock:
            self._catch_up()
            return (key_id, institution, shelf) in self._places

    def _signed(self, tombstones: Sequence[Tombstone]) -> bytes:
        if self._signer is None:
            raise Unavailable("this process was not given the right to bury keys")
        text = self._text(self._next, self._before, tombstones)
        note = sign_note(text, self._name, self._signer.public_key(), self._signer.sign(text))
        self._read(note, self._next, self._before)  # what nobody could verify later is not written
        return note

    def _catch_up(self) -> None:
        """Take in what was buried since the last look."""
        if not self._next:
            self._demand_none_missing()
        while (content := self._content(self._next)) is not None:
            tombstones = self._read(content, self._next, self._before)
            self._places.update(map(_place, tombstones))
            self._next, self._before = self._next + 1, sha256(content).hexdigest()

    def _content(self, number: int) -> bytes | None:
        with _reachable():
            try:
                return self._file(number).read_bytes()
            except FileNotFoundError:
                return None

    def _text(self, number: int, before: str, tombstones: Sequence[Tombstone]) -> bytes:
        lines = [self._name, f"number {number}", f"before {before}"]
        for one in tombstones:
            at = one.forgotten_at.astimezone(UTC).strftime(_INSTANT)
            lines.append(f"key {one.key_id} {one.institution} {one.shelf} {at}")
        return "".join(f"{line}\n" for line in lines).encode()

    def _read(self, note: bytes, number: int, before: str) -> Sequence[Tombstone]:
        """Return who lies in a burial; raise `Tampered` when the log did not write it so, for this place."""
        text = verify_note(note, self._name, self._public_key())
        read = _TEXT.fullmatch(text.decode())
        try:
            found = [_tombstone(line) for line in read[1].splitlines()] if read else []
        except ValueError:
            found = []
        # What is signed is read in one way only: as it would be written again.
        if not found or self._text(number, before, found) != text:
            raise Tampered("the tombstones are not what was buried")
        return found

    def _demand_none_missing(self) -> None:
        with _reachable():
            names = [path.name for path in self._directory.iterdir()] if self._directory.exists() else []
        numbers = {int(name) for name in names if name.isdecimal()}
        if numbers and len(numbers) <= max(numbers):
            raise Tampered("a burial is missing among the tombstones")

    def _file(self, number: int) -> Path:
        return self._directory / f"{number:020}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one thread of one process bury at a time."""
        with self._lock, _reachable():
            make_directory(self._directory)
            with (self._directory / ".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield


def _place(tombstone: Tombstone) -> Place:
    return tombstone.key_id, tombstone.institution, tombstone.shelf


def _tombstone(line: str) -> Tombstone:
    _, key, institution, shelf, at = line.split(" ")
    return Tombstone(KeyId(UUID(key)), Institution(institution), Shelf(shelf), datetime.fromisoformat(at))


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("the tombstones are out of reach") from error
