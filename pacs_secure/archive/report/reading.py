"""Reads the ledger from end to end, once: every entry is verified as it passes, and given on as a draft."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from pacs_secure.archive.ledger_check import LedgerCheck
from pacs_secure.archive.vouching import Vouched, Vouching
from pacs_secure.core.audit import Draft, Finding
from pacs_secure.core.errors import Tampered, TooOften
from pacs_secure.core.reports import Integrity, Table
from pacs_secure.crypto.tlog import parse_checkpoint
from pacs_secure.crypto.tlog.skim import skim
from pacs_secure.ports import Ledger

Progress = Callable[[int], None]
NOTHING = -1
_STEP = 1000
_WAIT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class WholeReading:
    """One reading at a time: each takes a core for as long as the ledger is long."""

    ledger: Ledger
    new_check: Callable[[], LedgerCheck]
    vouching: Vouching
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
            vouched = self.vouching.of(last + 1) or self.vouching.newest()
        return _integrity(check.findings, unreadable, (first, last), covering, vouched)

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


def _integrity(
    findings: list[Finding],
    unreadable: int,
    reach: tuple[int, int],
    covering: bytes | None,
    vouched: Vouched | None,
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
        witnesses=vouched.names if vouched else (),
        witnessed_size=vouched.size if vouched else 0,
    )
