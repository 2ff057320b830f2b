"""Witnessing: shows every new checkpoint to witnesses outside the house, and raises the alarm when they fall silent.

The log publishes, then its witnesses sign (C2SP tlog-witness). They are asked in threads of their own,
so that none of them ever delays the notary or another witness. A note that a quorum has co-signed is
published beside the plain one: from then on nobody can show another history without being caught.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from pacs_secure.core.errors import ArchiveError, Tampered, Unavailable
from pacs_secure.crypto.tlog import Checkpoint, consistency_from_tiles, parse_checkpoint
from pacs_secure.ports import Cosigned, Ledger, Publisher, Witness

log = logging.getLogger(__name__)

EVERY_SECONDS = 0.5
LONGEST_WAIT = 2.0
"""Seconds that a round waits for slow witnesses; whoever is slower is heard in a later one."""
LONGEST_UNWITNESSED = 60.0
"""Seconds after which an entry that no quorum has witnessed is an alarm."""
LONGEST_PAUSE = 30.0
"""Seconds between two attempts at a witness that fails."""
SHORTEST_PEACE = 60.0
"""Seconds without a contradiction after which one is over: whoever signs and contradicts in turn is one alarm."""
_ATTEMPTS = 3
_PATIENCE = 30.0

Alarm = Callable[[str, Mapping[str, str | int]], object]
"""Records an alarm: its kind, and facts that name nobody."""
DemandOurs = Callable[[bytes], object]
"""Raises `Tampered` for a note that the log did not sign."""
Clock = Callable[[], float]
Asked = tuple[bytes, Future[Cosigned | None]]
"""About which checkpoint a witness was asked, and what it will answer."""


class Correspondence:
    """What passes between the log and one witness: how far it has seen, and whether it contradicts."""

    def __init__(self, witness: Witness, publisher: Publisher, monotonic: Clock) -> None:
        self.name = witness.name
        self.contradicts = ""
        """What it objects to; "" while it does not."""
        self._witness = witness
        self._publisher = publisher
        self._monotonic = monotonic
        self._seen = 0
        self._pause = 0.0
        self._next = 0.0

    @property
    def due(self) -> bool:
        """Whether it may be asked again: less and less often while it fails."""
        return self._monotonic() >= self._next

    def signed(self, note: bytes) -> bool:
        """Say whether a note bears its cosignature; raises `Tampered` when this is no checkpoint."""
        return self._witness.signed(note)

    def ask(self, checkpoint: Checkpoint, note: bytes) -> Cosigned | None:
        """Show it a checkpoint; return its cosignature, or None when there is none this time."""
        try:
            cosigned = self._submit(checkpoint, note)
        except ArchiveError as error:
            log.warning("%s does not witness size %s: %s", self.name, checkpoint.size, error)
            if isinstance(error, Tampered):
                self.contradicts = str(error)
            # Where it stands it says itself the next time: what made it fail may have been a size that it made up.
            self._seen = 0
            self._pause = min(LONGEST_PAUSE, 2 * self._pause or EVERY_SECONDS)
            self._next = self._monotonic() + self._pause
            return None
        self.contradicts, self._pause, self._next = "", 0.0, 0.0
        return cosigned

    def _submit(self, checkpoint: Checkpoint, note: bytes) -> Cosigned:
        """Submit from where the witness stands, which it says itself when we do not know (409)."""
        for _ in range(_ATTEMPTS):
            seen, size = self._seen, checkpoint.size
            if seen > size:
                raise self._ahead(seen)
            proof = consistency_from_tiles(self._publisher.tile, seen, size) if seen else []
            answer = self._witness.submit(seen, proof, note)
            if isinstance(answer, Cosigned):
                self._seen = size
                return answer
            if answer.size == seen:
                raise Tampered("a witness saw another ledger of the same size")
            self._seen = answer.size
        raise Unavailable("the witness says another size each time")

    def _ahead(self, size: int) -> ArchiveError:
        """Say what it means that a witness saw more than is shown: the ledger was cut back, or has just grown."""
        if self._publisher.published() >= size:
            return Unavailable("the witness is further than this checkpoint")
        return Tampered("a witness saw a larger ledger than there is now")


class Witnessing:
    """Keeps cosignatures coming; one per ledger, beside its notary."""

    def __init__(
        self,
        ledger: Ledger,
        publisher: Publisher,
        demand_ours: DemandOurs,
        witnesses: Sequence[Witness],
        quorum: int,
        alarm: Alarm,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._demand_ours = demand_ours
        self._quorum = quorum
        self._watch = Watch(ledger, alarm, monotonic)
        self._letters = [Correspondence(witness, publisher, monotonic) for witness in witnesses]
        self._pool = ThreadPoolExecutor(max(1, len(self._letters)), "witness")
        self._asked: dict[str, Asked] = {}
        self._about = b""
        self._signed: dict[str, Cosigned] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def attest(self) -> int:
        """Show the newest checkpoint to every witness that has not signed it; return how many have.

        Raises:
            Tampered: what was published is no checkpoint, or another one was witnessed.
            Unavailable: the publishing place is out of reach.
        """
        note = self._publisher.checkpoint()
        if note is None:
            return 0
        checkpoint = parse_checkpoint(note)
        if checkpoint.text != self._about:
            self._about, self._signed = checkpoint.text, {}
        fresh = [one for one in self._letters if one.name not in {*self._asked, *self._signed} and one.due]
        for letter in fresh:
            self._asked[letter.name] = (checkpoint.text, self._pool.submit(letter.ask, checkpoint, note))
        # Whoever did not answer in an earlier round is not waited for again.
        wait([self._asked[letter.name][1] for letter in fresh], LONGEST_WAIT)
        if self._collect() and len(self._signed) >= self._quorum:
            lines = [f"{one.line}\n" for _, one in sorted(self._signed.items())]
            self._publisher.add_witnessed(checkpoint.size, note + "".join(lines).encode())
            self._watch.witnessed = checkpoint.size
        return len(self._signed)

    def look(self) -> None:
        """Raise the alarm when entries have waited too long for their witnesses, or a witness contradicts.

        Raises:
            Unavailable: it cannot be recorded now.
        """
        self._watch.look()
        for letter in self._letters:
            self._watch.contradicted(letter.name, letter.contradicts)

    def start(self) -> None:
        """Attest in a thread of its own until `stop`."""
        self._watch.witnessed = self._resume()
        self._thread = threading.Thread(target=self._keep_on, name="witnessing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the last checkpoint was shown once more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        self._pool.shutdown(cancel_futures=True)

    def _collect(self) -> bool:
        """Take what has been answered meanwhile; say whether somebody has signed the newest checkpoint."""
        signed = False
        for name, (about, answer) in list(self._asked.items()):
            if not answer.done():
                continue
            del self._asked[name]
            # Whoever was slower than the log has signed an older checkpoint, and is asked again.
            if (cosigned := answer.result()) is not None and about == self._about:
                self._signed[name] = cosigned
                signed = True
        return signed

    def _resume(self) -> int:
        """Return how far a quorum has signed, as far as it can be proven: whoever may write there proves nothing."""
        try:
            note = self._publisher.witnessed()
            if note is None:
                return 0
            self._demand_ours(note)
            signed = sum(letter.signed(note) for letter in self._letters)
            return parse_checkpoint(note).size if signed >= self._quorum else 0
        except ArchiveError as error:
            log.warning("nobody knows how far the ledger was witnessed: %s", error)
            return 0

    def _keep_on(self) -> None:
        ended = False
        while not ended:
            ended = self._ending.wait(EVERY_SECONDS)
            for act in (self.attest, self.look):
                try:
                    act()
                except ArchiveError as error:
                    log.warning("witnessing: %s", error)
                except Exception:
                    # Whoever watches must not fall silent itself.
                    log.exception("witnessing")


class Watch:
    """Holds the ledger against what was witnessed of it."""

    def __init__(self, ledger: Ledger, alarm: Alarm, monotonic: Clock) -> None:
        self.witnessed = 0
        """Size of the newest checkpoint that a quorum has co-signed."""
        self._ledger = ledger
        self._alarm = alarm
        self._monotonic = monotonic
        self._waiting: tuple[int, float] | None = None
        """A size that is not witnessed yet, and since when."""
        self._raised = False
        self._contradicting: dict[str, float] = {}
        """Who contradicts, and when it last did."""

    def look(self) -> None:
        """Compare once; one alarm an outage, and one word when it is over."""
        size, now = self._ledger.size(), self._monotonic()
        awaited, since = self._waiting or (self.witnessed, now)
        seconds = int(now - since)
        if self.witnessed >= awaited:
            if self._raised:
                self._alarm("unwitnessed", {"recovered": f"after {seconds} s", "witnessed": self.witnessed})
            self._raised = False
            self._waiting = (size, now) if size > self.witnessed else None
        elif now - since > LONGEST_UNWITNESSED and not self._raised:
            self._alarm("unwitnessed", {"seconds": seconds, "witnessed": self.witnessed, "entries": size})
            self._raised = True

    def contradicted(self, name: str, why: str) -> None:
        """Raise the alarm when a witness contradicts, once until it has not done so for a while."""
        now = self._monotonic()
        if why:
            if name not in self._contradicting:
                self._alarm("contradicted", {"witness": name, "because": why})
            self._contradicting[name] = now
        elif now - self._contradicting.get(name, now) >= SHORTEST_PEACE:
            self._alarm("contradicted", {"witness": name, "recovered": "it signs again"})
            del self._contradicting[name]
