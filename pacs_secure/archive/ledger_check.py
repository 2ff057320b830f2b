"""Walks the ledger once beside what was signed and published, and says where they first part.

One change shows in many places: an edited entry spoils every later root, a removed one shifts all
that follow. Each divergence is said once, at its first position.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from pacs_secure.archive.expired_check import Expired
from pacs_secure.archive.writer_check import WriterCheck
from pacs_secure.core.audit import Finding, LedgerEntry
from pacs_secure.core.errors import ArchiveError, Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import (
    NO_ENTRY,
    Frontier,
    ParsedEntry,
    leaf_hash,
    parse_checkpoint,
    parse_entry,
    verify_note,
)
from pacs_secure.ports import Publisher

MOST_FINDINGS = 100
TOLERATED = timedelta(minutes=5)
"""How far an entry may be dated before the one in front of it."""


class LedgerCheck:
    """Takes checkpoints, then entries in order; what is wrong stands in ``findings``, once.

    Whoever goes on for months takes out what it has dealt with: there is room for `MOST_FINDINGS` at a time.
    """

    def __init__(self, origin: str, public_key: bytes, writers: WriterCheck) -> None:
        self.findings: list[Finding] = []
        self._writers = writers
        self._origin = origin
        self._public_key = public_key
        self._roots: dict[int, bytes] = {}
        self._published: Iterator[bytes] = iter(())
        self._position = 0
        self._frontier = Frontier()
        self._prev: frozenset[bytes] | None = frozenset({NO_ENTRY})
        """What the next entry may name as its predecessor; None when nobody knows."""
        self._shift = 0
        """How far the index that the entry before claims in its own bytes is from its position."""
        self._parted = False
        """Whether the entry before was another than was published."""
        self._unproven = False
        """Whether a root was missed already: all later ones are missed with it."""
        self._at = datetime.min.replace(tzinfo=UTC)
        """The latest time so far."""
        self._found_at = -1
        """The position of the last finding about an entry."""
        self._said: set[Finding] = set()
        self._cut_at = 0
        """Up to which signed size entries were said to be missing at the end."""
        self._expired = Expired()
        self._leaf_hashes: Callable[[int, int], Iterator[bytes]] = lambda _start, _stop: iter(())

    @property
    def signatures(self) -> bool:
        """Whether the writers' signatures could be verified: the vault was at hand."""
        return self._writers.signatures

    def said(self, writer: KeyId) -> int:
        """Return how many words of a writer were met, as it numbered them."""
        return self._writers.said(writer)

    @property
    def position(self) -> int:
        """Where the next entry belongs."""
        return self._position

    def begin_at(self, position: int, frontier: Frontier, prev: bytes) -> None:
        """Begin in the middle: what lies before is as sound as the next signed root that is met."""
        self._position, self._frontier, self._prev = position, frontier, frozenset({prev})

    def published(self, publisher: Publisher) -> None:
        """Take the newest published checkpoint and, when its signature holds, the leaves it commits to."""
        note = publisher.checkpoint()
        if note is not None and self.kept(note):
            self._published = self._leaves(publisher, parse_checkpoint(note).size)

    def forget_what_is_behind(self) -> None:
        """Keep no root of a size that was passed, and let a vault that was away be asked anew, for who goes on."""
        self._roots = {size: root for size, root in self._roots.items() if size > self._position}
        self._writers.ask_again()

    def kept(self, note: bytes) -> bool:
        """Take one checkpoint; say whether its signature holds."""
        try:
            verify_note(note, self._origin, self._public_key)
            checkpoint = parse_checkpoint(note)
        except ArchiveError as error:
            self._find("checkpoint", None, str(error))
            return False
        if self._roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            self._find("checkpoint", checkpoint.size, "two checkpoints of this size have different roots: a fork")
        return True

    def certified(self, notes: Iterable[bytes], leaf_hashes: Callable[[int, int], Iterator[bytes]]) -> int:
        """Take the certificates of what has expired, and where the leaf hashes are found that stand for it.

        Returns below which place entries may be missing.
        """
        self._expired, self._leaf_hashes = Expired.read(notes, self._origin, self._public_key), leaf_hashes
        for problem in self._expired.problems:
            self._find("certificate", None, problem)
        for horizon, root in self._expired.roots.items():
            if self._roots.setdefault(horizon, root) != root:
                self._find("certificate", horizon, "another root was signed at this size: a fork")
        return self._expired.horizon

    def entry(self, entry: LedgerEntry) -> None:
        """Take the next entry in order."""
        if entry.index > self._position:
            self._stand_in(entry.index)
        if entry.index > self._position:
            self._miss(entry.index)
        position, actual, published = self._position, leaf_hash(entry.content), next(self._published, None)
        parted = published is not None and published != actual
        parsed = _parsed(entry)
        continues = self._continues(entry, parsed)
        if actual != entry.leaf_hash:
            self._find("entry", position, "the entry does not match its leaf hash")
        elif not continues:
            self._find("chain", position, "the entry does not continue the one before it")
        elif parted and not self._parted:
            self._find("tree", position, "the entry is not the one that was published")
        if parsed is not None:
            self._look_closer(parsed)
        # After an edit the next entry may still name what was published here: one change, one finding.
        self._prev = frozenset({entry.leaf_hash, published or actual})
        self._parted = parted
        self._position += 1
        self._frontier.append(actual)
        self._compare_root()

    def end(self) -> None:
        """Compare the end with what was signed."""
        self._stand_in(self._expired.horizon)
        signed = max(self._roots, default=0)
        if signed > max(self._position, self._cut_at):
            self._cut_at = signed
            missing = signed - self._position
            self._find("tree", self._position, f"{missing} entries that a checkpoint covers are missing")

    def _continues(self, entry: LedgerEntry, parsed: ParsedEntry | None) -> bool:
        """Whether an entry's own bytes carry its place and its predecessor."""
        if parsed is None:
            return False
        # Behind an entry that was put in or taken out every index is off by one: that is said once.
        shift = parsed.index - self._position
        shifted, self._shift = shift != self._shift, shift
        known = self._prev is None or entry.prev_hash in self._prev
        return not shifted and known and parsed.prev_hash == entry.prev_hash

    def _look_closer(self, parsed: ParsedEntry) -> None:
        """Hold an entry against its writer and the clock, unless it was found wanting here or just before."""
        position, statement = self._position, parsed.statement
        if position == self._expired.horizon:
            self._writers.take_up(self._expired.writers)
        # Of a bundle that an interrupted run has left behind nobody knows what stood before it.
        told = 0 <= self._found_at >= position - 1 or position < self._expired.horizon
        problem = self._writers.problem(statement, position, resume=told)
        if problem and not told:
            self._find("writer", position, problem)
        at = _moment(statement.at)
        if not told and (at is None or self._at - at > TOLERATED):
            self._find("time", position, "the entry is dated back before the latest in front of it, or not at all")
        # The latest so far, or small steps back would add up.
        self._at = max(at or self._at, self._at)

    def _stand_in(self, until: int) -> None:
        """Let leaf hashes stand for entries that expired under a certificate."""
        for leaf in self._leaf_hashes(self._position, min(until, self._expired.horizon)):
            published = next(self._published, None)
            if published not in {None, leaf} and not self._parted:
                self._find("tree", self._position, "the leaf hash that is kept here is not the published one")
            self._parted = published not in {None, leaf}
            self._prev = frozenset({leaf})
            self._position += 1
            self._frontier.append(leaf)
            self._compare_root()

    def _miss(self, until: int) -> None:
        """Go on behind a gap; no root above it can be built any more."""
        self._find("chain", self._position, f"entries {self._position} to {until - 1} are missing")
        spoilt = min((size for size in self._roots if size > self._position), default=None)
        if spoilt is not None and not self._unproven:
            self._find("checkpoint", spoilt, "the tree that was signed at this size cannot be built any more")
        self._unproven = True
        before = [*islice(self._published, until - self._position)]
        self._prev = frozenset(before[-1:]) or None
        self._position = self._found_at = until

    def _compare_root(self) -> None:
        expected = self._roots.get(self._position)
        if expected is not None and expected != self._frontier.root() and not self._unproven:
            self._unproven = True
            self._find("checkpoint", self._position, "the tree has another root than was signed at this size")

    def _leaves(self, publisher: Publisher, size: int) -> Iterator[bytes]:
        try:
            yield from publisher.leaf_hashes(self._position, size)
        except Tampered as error:
            self._find("tree", None, str(error))

    def _find(self, place: str, position: int | None, problem: str) -> None:
        if place != "checkpoint" and position is not None:
            self._found_at = position
        finding = Finding(place, position, problem)
        if len(self.findings) < MOST_FINDINGS and finding not in self._said:
            self._said.add(finding)
            self.findings.append(finding)


def _parsed(entry: LedgerEntry) -> ParsedEntry | None:
    try:
        return parse_entry(entry.content)
    except ArchiveError:
        return None


def _moment(at: str) -> datetime | None:
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        return None
