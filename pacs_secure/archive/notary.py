"""The notary: signs how far the ledger has come and publishes it where the database cannot reach.

Every second, or after a thousand entries: extend the tree, sign its head with a key that never
leaves the vault (C2SP checkpoint), keep the note, publish entries, tiles and note. When the vault
is away the ledger goes on and the next checkpoint covers what was missed.
"""

import logging
import threading
from collections.abc import Callable

from pacs_secure.core.errors import ArchiveError, Tampered
from pacs_secure.crypto.tlog import Frontier, checkpoint_text, parse_checkpoint, sign_note
from pacs_secure.ports import Leader, Ledger, Publisher, Signer

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
MOST_ENTRIES = 1000
"""Entries after which a checkpoint is due at once."""

_PATIENCE = 30.0


class Notary:
    """Keeps checkpoints coming; one per ledger: of several archives only the one that leads signs.

    Without ``leader`` there is no other.
    """

    def __init__(
        self, ledger: Ledger, publisher: Publisher, signer: Signer, origin: str, leader: Leader | None = None
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._signer = signer
        self._origin = origin
        self._leader = leader
        self._frontier: Frontier | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def attest(self) -> int:
        """Publish a checkpoint over everything recorded so far; return the size it covers.

        Raises:
            Tampered: what was published is not a prefix of the ledger.
            Unavailable: the vault or the publishing place is out of reach.
        """
        frontier = self._frontier or self._resume()
        size = self._ledger.size()
        while frontier.size < size:
            entries = list(self._ledger.entries(frontier.size, min(size, frontier.size + MOST_ENTRIES)))
            grown = frontier.copy()
            for entry in entries:
                grown.append(entry.leaf_hash)
            text = checkpoint_text(self._origin, grown.size, grown.root())
            note = sign_note(text, self._origin, self._signer.public_key(), self._signer.sign(text))
            self._publisher.publish(entries, grown.size, note)
            self._ledger.add_checkpoint(grown.size, note)
            frontier = self._frontier = grown
        self._frontier = frontier
        return frontier.size

    def start(self) -> None:
        """Attest in a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._keep_on, name="notary", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after one last checkpoint, if the vault allows one."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _attest_where_it_leads(self) -> None:
        if self._leader is None or self._leader.leads():
            self.attest()
        else:
            # Whoever leads publishes; this one begins there when it takes over.
            self._frontier = None

    def _resume(self) -> Frontier:
        frontier = Frontier()
        published = self._publisher.published()
        for leaf in self._ledger.leaf_hashes(0, published):
            frontier.append(leaf)
        note = self._publisher.checkpoint()
        if frontier.size < published or (note is not None and parse_checkpoint(note).root != frontier.root()):
            raise Tampered("the ledger is not what was published")
        return frontier

    def _keep_on(self) -> None:
        waiting: Callable[[float], bool] = self._ending.wait
        ended = False
        while not ended:
            ended = waiting(EVERY_SECONDS)
            try:
                self._attest_where_it_leads()
            except ArchiveError as error:
                log.warning("no checkpoint: %s", error)
            except Exception:
                # A notary that dies silently is worse than one that keeps complaining.
                log.exception("no checkpoint")
