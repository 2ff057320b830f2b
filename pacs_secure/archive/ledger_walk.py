"""One walk along the ledger, from its beginning or from a moment on, past everything that was signed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pacs_secure.archive.ledger_check import TOLERATED, LedgerCheck
from pacs_secure.core.errors import ArchiveError
from pacs_secure.crypto.tlog import WIDTH, frontier_from_tiles, parse_checkpoint, parse_entry
from pacs_secure.ports import Ledger, Publisher, Retention

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LedgerWalk:
    """Where the ledger, what was published of it, and what has expired are found."""

    ledger: Ledger
    publisher: Publisher
    retention: Retention

    def learn(self, check: LedgerCheck) -> None:
        """Tell a check what was signed from its position on, and what has expired before."""
        check.published(self.publisher)
        for note in self.ledger.checkpoints(check.position):
            check.kept(note)
        if check.position == 0:
            certificates = [*self.publisher.retained(), *self.retention.certificates()]
            check.certified(certificates, self.ledger.leaf_hashes)

    def take(self, check: LedgerCheck, progress: Progress = lambda _: None) -> int:
        """Let a check take everything from its position to the end; return how far that is.

        What is signed is read before the size: what comes in meanwhile must not seem to be missing.
        """
        self.learn(check)
        size = self.ledger.size()
        for entry in self.ledger.entries(check.position, size):
            check.entry(entry)
            progress(1)
        check.end()
        return size

    def begin_since(self, check: LedgerCheck, since: datetime) -> None:
        """Set a check to the last full tile in front of every entry of a moment or later.

        Nothing is skipped where what was published cannot be read: then the check begins at the beginning.
        """
        try:
            note = self.publisher.checkpoint()
            size = 0 if note is None else parse_checkpoint(note).size
            position = min(self._first(since), size) // WIDTH * WIDTH
            if position:
                frontier = frontier_from_tiles(self.publisher.tile, position, size)
                (prev,) = self.publisher.leaf_hashes(position - 1, position)
                check.begin_at(position, frontier, prev)
        except ArchiveError:
            return

    def _first(self, since: datetime) -> int:
        """Return the place of the first entry that may be of a moment or later: times only grow but for `TOLERATED`."""
        low, high = 0, self.ledger.size()
        while low < high:
            middle = (low + high) // 2
            found = next(self.ledger.entries(middle, middle + 1), None)
            if found is None or datetime.fromisoformat(parse_entry(found.content).statement.at) < since - TOLERATED:
                low = middle + 1
            else:
                high = middle
        return low
