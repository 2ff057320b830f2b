"""A directory of tombstones: one file a burial, each chained to the one before by its hash.

    <number>    the burial of that number in 20 digits, from 0 on: JSON lines

The first line names the SHA-256 of the file before, each line after it one key. Files are written once and never
again, so that the directory may lie where nothing can be overwritten. It belongs outside every backup: a backup that
is restored must not take the tombstones back with it. That the last files are missing shows nowhere here; the ledger
has an entry of each burial.
"""

import fcntl
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from pacs_secure.adapters.durable_files import make_directory, replace_file, sync_directory
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import Shelf, Tombstone

NOTHING_BEFORE = "0" * 64

Place = tuple[KeyId, Institution, Shelf]


class TombstoneDirectory:
    """`pacs_secure.ports.Tombstones` on a local or mounted file system."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._next = 0
        """Number of the burial that is read next, or written."""
        self._before = NOTHING_BEFORE
        self._places: set[Place] = set()
        self._key_ids: set[KeyId] = set()

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        """Add what is not there yet, as one file; durable on return.

        Raises:
            Tampered: what is there is not what was buried; nothing is added.
            Unavailable: the directory cannot be written.
        """
        with self._locked():
            self._catch_up()
            new = {_place(one): one for one in reversed(tombstones) if _place(one) not in self._places}
            if new:
                replace_file(self._file(self._next), _written(self._before, list(reversed(new.values()))))
                self._catch_up()
            else:
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
        while (content := self._read(number)) is not None:
            yield from _parsed(content, before)
            number, before = number + 1, sha256(content).hexdigest()

    def holds(self, key_id: KeyId) -> bool:
        """Return whether a key was forgotten; what other processes buried meanwhile is known too.

        Raises:
            Tampered: what is there is not what was buried.
            Unavailable: the directory cannot be read.
        """
        with self._lock:
            self._catch_up()
            return key_id in self._key_ids

    def _catch_up(self) -> None:
        """Take in what was buried since the last look."""
        if not self._next:
            self._demand_none_missing()
        while (content := self._read(self._next)) is not None:
            tombstones = _parsed(content, self._before)
            self._places.update(map(_place, tombstones))
            self._key_ids.update(one.key_id for one in tombstones)
            self._next, self._before = self._next + 1, sha256(content).hexdigest()

    def _read(self, number: int) -> bytes | None:
        with _reachable():
            try:
                return self._file(number).read_bytes()
            except FileNotFoundError:
                return None

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


def _written(before: str, tombstones: Sequence[Tombstone]) -> bytes:
    lines: list[dict[str, str]] = [{"before": before}]
    lines += [
        {
            "key": str(one.key_id),
            "institution": one.institution,
            "shelf": one.shelf.value,
            "at": one.forgotten_at.isoformat(),
        }
        for one in tombstones
    ]
    return "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines).encode()


def _parsed(content: bytes, before: str) -> list[Tombstone]:
    try:
        first, *rest = map(json.loads, content.decode().splitlines())
        whole = content.endswith(b"\n") and first == {"before": before} and bool(rest)
        tombstones = [_tombstone(**line) for line in rest]
    except (ValueError, TypeError):
        whole, tombstones = False, []
    if not whole:
        raise Tampered("the tombstones are not what was buried")
    return tombstones


def _tombstone(key: str, institution: str, shelf: str, at: str) -> Tombstone:
    return Tombstone(KeyId(UUID(key)), Institution(institution), Shelf(shelf), datetime.fromisoformat(at))


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("the tombstones are out of reach") from error
