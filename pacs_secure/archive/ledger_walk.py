"""One walk along the ledger, from its beginning or from a moment on, past everything that was signed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pacs_secure.archive.ledger_check import TOLERATED, LedgerCheck
from pacs_secure.core.errors import ArchiveError, Tampered
from pacs_secure.crypto.tlog import WIDTH, frontier_from_tiles, leaf_hash, parse_checkpoint, parse_entry
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
            self._certify(check)

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

        Nothing is skipped where what was published cannot be read, where an entry by whose time the way is found
        is not the published one, or is missing: whoever changed the times of a few entries would else choose
        where the check begins. Then, and where entries have expired, it begins at the beginning.
        """
        try:
            note = self.publisher.checkpoint()
            size = 0 if note is None else parse_checkpoint(note).size
            horizon = self._certify(check)
            position = self._first(since, horizon, size) // WIDTH * WIDTH
            if position > horizon:
                frontier = frontier_from_tiles(self.publisher.tile, position, size)
                (prev,) = self.publisher.leaf_hashes(position - 1, position)
                check.begin_at(position, frontier, prev)
        except (ArchiveError, ValueError):
            return

    def _certify(self, check: LedgerCheck) -> int:
        """Tell a check what has expired; return below which place entries may be missing."""
        certificates = [*self.publisher.retained(), *self.retention.certificates()]
        return check.certified(certificates, self.ledger.leaf_hashes)

    def _first(self, since: datetime, low: int, high: int) -> int:
        """Return the place of the first published entry that may be of a moment or later, ``high`` when none is.

        Times only grow but for `TOLERATED`.

        Raises:
            Tampered: an entry on the way is missing, or not what was published.
            ValueError: it bears no time.
        """
        while low < high:
            middle = (low + high) // 2
            found = next(self.ledger.entries(middle, middle + 1), None)
            if found is None or leaf_hash(found.content) not in self.publisher.leaf_hashes(middle, middle + 1):
                raise Tampered("an entry is missing, or is not the one that was published")
            if datetime.fromisoformat(parse_entry(found.content).statement.at) < since - TOLERATED:
                low = middle + 1
            else:
                high = middle
        return low
