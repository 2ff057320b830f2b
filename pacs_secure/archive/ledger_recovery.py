"""Taking the ledger back from what was published: as it was, entry by entry, or not at all; nothing is invented."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from pacs_secure.archive.ledger_walk import Progress
from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.errors import Conflict, Tampered
from pacs_secure.crypto.tlog import (
    NO_ENTRY,
    WIDTH,
    Frontier,
    leaf_hash,
    parse_checkpoint,
    parse_entry,
    read_certificate,
    verify_note,
)
from pacs_secure.ports import Ledger, Publisher, Rebuilds


@dataclass(frozen=True, slots=True)
class LedgerRecovery:
    """Reads what was published, proves it by its signed root, and puts it back."""

    rebuilds: Rebuilds
    ledger: Ledger
    publisher: Publisher
    origin: str
    public_key: Callable[[], bytes]

    def take_back(self, progress: Progress = lambda _: None) -> int:
        """Put every published entry back where it was; return how many entries the ledger has then.

        What was said after the last checkpoint, in about a second, was published nowhere: it is missing, and the
        next entry stands behind the last that was published.

        Raises:
            Tampered: what was published is not what was signed; nothing of it is believed.
            Unavailable: the key that checkpoints are verified with cannot be read.
        """
        note = self.publisher.checkpoint()
        if note is None:
            return 0
        verify_note(note, self.origin, self.public_key())
        checkpoint = parse_checkpoint(note)
        size = self.ledger.size()
        if size > checkpoint.size:
            return size  # an earlier run took it back, and has said something since
        self._demand_signed(checkpoint.size, checkpoint.root)
        horizon = self._take_back_expired()
        entries = self._published(max(size, horizon), checkpoint.size)
        while some := list(islice(entries, WIDTH)):
            self.rebuilds.take_back(some)
            progress(len(some))
        self.ledger.add_checkpoint(checkpoint.size, note)
        if self.ledger.size() < checkpoint.size:  # pragma: no cover - the port keeps what it is given
            raise Conflict("the ledger did not keep what it was given")
        return checkpoint.size

    def entries(self) -> Iterator[LedgerEntry]:
        """Yield what was taken back, in order."""
        yield from self.ledger.entries(0, self.ledger.size())

    def _demand_signed(self, size: int, root: bytes) -> None:
        frontier = Frontier()
        for leaf in self.publisher.leaf_hashes(0, size):
            frontier.append(leaf)
        if (frontier.size, frontier.root()) != (size, root):
            raise Tampered("what was published of the ledger is not what was signed")

    def _take_back_expired(self) -> int:
        """Put back certificates, and the leaf hashes they stand for; return below which place nothing is kept."""
        certificates: dict[int, tuple[int, bytes]] = {}
        for note in self.publisher.retained():
            certificate = read_certificate(note, self.origin, self.public_key())
            certificates[certificate.horizon] = (certificate.start, note)
        horizon = max(certificates, default=0)
        leaves = self.publisher.leaf_hashes(0, horizon)
        tiles = {number: b"".join(islice(leaves, WIDTH)) for number in range(horizon // WIDTH)}
        if certificates:
            self.rebuilds.take_back_expired(certificates, tiles)
        return horizon

    def _published(self, start: int, size: int) -> Iterator[LedgerEntry]:
        leaves = self.publisher.leaf_hashes(start, size)
        prev = next(self.publisher.leaf_hashes(start - 1, start)) if start else NO_ENTRY
        for place, leaf in enumerate(leaves, start):
            content = self.publisher.content(place, size)
            parsed = parse_entry(content)
            if leaf_hash(content) != leaf or (parsed.index, parsed.prev_hash) != (place, prev):
                raise Tampered("a published entry is not the one that was signed")
            yield LedgerEntry(place, content, leaf, prev)
            prev = leaf
