"""Reads the ledger from end to end, once: every entry is verified as it passes, and given on as a draft."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from pacs_secure.archive.ledger_check import LedgerCheck
from pacs_secure.core.audit import Draft, Finding
from pacs_secure.core.errors import Tampered, TooOften
from pacs_secure.core.reports import Integrity, Table
from pacs_secure.crypto.tlog import WitnessKey, parse_checkpoint, verify_cosignature, verify_note
from pacs_secure.crypto.tlog.skim import skim
from pacs_secure.ports import Ledger, Publisher

Progress = Callable[[int], None]
Witnessed = tuple[tuple[str, ...], int]
"""Who signed, and for how many entries."""
NOTHING = -1
_STEP = 1000
_WAIT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class WholeReading:
    """One reading at a time: each takes a core for as long as the ledger is long."""

    ledger: Ledger
    publisher: Publisher
    origin: str
    new_check: Callable[[], LedgerCheck]
    public_key: Callable[[], bytes]
    keys: Sequence[WitnessKey] = ()
    """Of the witnesses that the house has configured: nobody else's signature counts."""
    busy: threading.Lock = field(default_factory=threading.Lock)

    def read(
        self, begins_at: datetime, ends_at: datetime, take: Callable[[Draft], None], progress: Progress
    ) -> Integrity:
        """Verify every entry and give those on that can be read; say how the verification came out.

        Details stay sealed: drafts come without them.

        Raises:
            TooOften: somebody else's report is being made.
            Unavailable: ledger or key are out of reach; that says nothing of what they hold.
        """
        with alone(self.busy):
            check = self.new_check()
            size = self.ledger.size()
            first, last, unreadable = NOTHING, NOTHING, 0
            for entry in self.ledger.entries(0, size):
                check.entry(entry)
                try:
                    draft = skim(entry.content)
                except Tampered:
                    unreadable += 1
                    continue
                if draft.at < ends_at:
                    last = entry.index
                    if first == NOTHING and draft.at >= begins_at:
                        first = entry.index
                take(draft)
                if entry.index % _STEP == _STEP - 1:
                    progress(_STEP)
            check.end()
            progress(size % _STEP)
            covering = self._covering(last + 1)
            witnesses = self._witnesses(last + 1)
        return _integrity(check.findings, unreadable, (first, last), covering, witnesses)

    def _witnesses(self, size: int) -> Witnessed:
        """Return who signed for so many entries, or else for how many they have signed so far."""
        found = self._verified(self.publisher.witnessed_from(size), size)
        return found if found[0] else self._verified(self.publisher.witnessed())

    def _verified(self, note: bytes | None, least: int = 0) -> Witnessed:
        """Return whose signatures are true: whoever can write the published files can write names there."""
        if note is None:
            return (), 0
        try:
            text = verify_note(note, self.origin, self.public_key())
            size = parse_checkpoint(note).size
        except Tampered:
            return (), 0
        lines = note.decode().splitlines()
        names = sorted(key.name for key in self.keys if any(_signed(line, key, text) for line in lines))
        return (tuple(names), size) if names and size >= least else ((), 0)

    def _covering(self, size: int) -> bytes | None:
        """Return the first kept note that covers so many entries."""
        if not size:
            return None
        return next((note for note in self.ledger.checkpoints() if parse_checkpoint(note).size >= size), None)


@contextmanager
def alone(busy: threading.Lock) -> Iterator[None]:
    """Read the whole ledger while nobody else of one's kind does; raise `TooOften` where somebody is."""
    if not busy.acquire(blocking=False):
        raise TooOften("the whole ledger is being read for somebody else; wait and try again", _WAIT_SECONDS)
    try:
        yield
    finally:
        busy.release()


def _signed(line: str, key: WitnessKey, text: bytes) -> bool:
    try:
        verify_cosignature(line, key, text)
    except Tampered:
        return False
    return True


def _integrity(
    findings: list[Finding],
    unreadable: int,
    reach: tuple[int, int],
    covering: bytes | None,
    witnessed: Witnessed,
) -> Integrity:
    problems = tuple((one.place, "" if one.position is None else one.position, one.problem) for one in findings)
    checkpoint = None if covering is None else parse_checkpoint(covering)
    return Integrity(
        sound=not findings and not unreadable,
        problems=Table("problems", ("place", "position", "problem"), problems),
        unreadable=unreadable,
        first_entry=reach[0],
        last_entry=reach[1],
        checkpoint_size=0 if checkpoint is None else checkpoint.size,
        checkpoint_root="" if checkpoint is None else checkpoint.root.hex(),
        witnesses=witnessed[0],
        witnessed_size=witnessed[1],
    )
