"""The forwarder: follows the ledger and carries every entry to a repository of audit messages, in order.

Whatever waits, waits in the ledger: nothing is lost when the process ends, and nothing that fails here hinders
an act. A message may come twice, and never not at all. One forwarder, with a thread of its own, a repository.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from pacs_secure.archive.feed import Feeding, LedgerFeed
from pacs_secure.core.access import Subject
from pacs_secure.core.errors import ArchiveError, Unavailable
from pacs_secure.messages.occurrence import Occurrence
from pacs_secure.ports import Bookmarks, Leader, Repository

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two attempts at most, however often it has failed."""
ALARM_AFTER = timedelta(minutes=5)
"""How long entries may wait before the officer hears of it."""
ALARM = "audit repository"
_PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a repository stands to the ledger."""

    place: int
    """Index of the first entry that it has not taken."""
    behind: int
    """Entries that wait for it; entries of other institutions are among them until they were skipped."""
    since: datetime | None
    """Since when it has taken nothing that waited; None while it takes what comes."""


class Forwarder:
    """Delivers what waits for one repository; of several archives only the one that leads.

    Without ``leader`` there is no other.
    """

    def __init__(
        self,
        feed: LedgerFeed,
        bookmarks: Bookmarks,
        repository: Repository,
        render: Callable[[Occurrence], bytes],
        subject: Subject,
        now: Callable[[], datetime],
        leader: Leader | None = None,
    ) -> None:
        self._leader = leader
        self._feed = feed
        self._bookmarks = bookmarks
        self._repository = repository
        self._render = render
        self._subject = subject
        self._now = now
        self._act = ExitStack()
        self._feeding: Feeding | None = None
        self._since: datetime | None = None
        self._alarmed = False
        self._pause = EVERY_SECONDS
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pause(self) -> float:
        """Seconds until the next attempt: twice as long after each failure, short again after a success."""
        return self._pause

    def standing(self) -> Standing:
        """Say how far the repository has come; raises `Unavailable` when that cannot be known."""
        place, size = self._bookmarks.place(self._repository.channel), self._feed.ledger.size()
        place = place if place <= size else 0
        return Standing(place, size - place, self._since)

    def deliver(self) -> int:
        """Send everything that waits; return how many entries were taken.

        That entries are passed on is an act of its own: it begins with the first delivery of a process and
        ends with `stop`.

        Raises:
            Unavailable: repository, ledger or database are out of reach; what was not taken waits.
        """
        feeding, taken = self._feeding or self._begin(), 0
        while (page := feeding.page()).next_place != feeding.place and not self._ending.is_set():
            if page.entries:
                self._repository.send([self._render(one) for one in page.entries])
            self._bookmarks.move(self._repository.channel, page.next_place)
            feeding.passed_on(page)
            taken += len(page.entries)
        return taken

    def attempt(self) -> bool:
        """Deliver once, whatever comes of it; say whether nothing is left waiting."""
        try:
            self._deliver_where_it_leads()
        except ArchiveError as error:
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - a forwarder that dies silently is a ledger that nobody hears of
            self._failed(type(error).__name__)
        else:
            self._recovered()
            return True
        return False

    def start(self) -> None:
        """Follow the ledger in a thread of its own until `stop`."""
        name = f"forwarder-{self._repository.channel}"
        self._thread = threading.Thread(target=self._keep_on, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the act; what waits is delivered after the next start."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        self._act.close()

    def _deliver_where_it_leads(self) -> None:
        if self._leader is None or self._leader.leads():
            self.deliver()
        else:
            # Whoever leads delivers; this one begins behind it, as an act of its own, when it takes over.
            self._feeding = None
            self._act.close()

    def _begin(self) -> Feeding:
        place = self._begin_at()
        details = {"format": "atna", "channel": self._repository.channel}
        self._feeding = self._act.enter_context(self._feed.begin(self._subject, None, place, details))
        return self._feeding

    def _begin_at(self) -> int:
        """Return where to go on; a bookmark beyond the ledger is an alarm, and the ledger's own account holds."""
        channel = self._repository.channel
        place = self._bookmarks.place(channel)
        if place <= self._feed.ledger.size():
            return place
        log.error("the bookmark of %s is beyond the ledger", channel)
        place = self._feed.last_account(self._subject.institution, channel)
        if not self._alarm({"found": "the bookmark is beyond the ledger", "place": str(place)}):
            raise Unavailable("the bookmark is beyond the ledger, and that cannot be recorded")
        self._bookmarks.correct(channel, place)
        return place

    def _failed(self, why: str) -> None:
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._since = self._since or self._now()
        log.warning("entries wait for %s since %s: %s", self._repository.channel, self._since.isoformat(), why)
        if not self._alarmed and self._now() - self._since >= ALARM_AFTER:
            self._alarmed = self._alarm({"since": self._since.isoformat(timespec="seconds")})

    def _recovered(self) -> None:
        self._pause = EVERY_SECONDS
        if self._since is not None:
            log.warning("%s has taken every entry again", self._repository.channel)
            self._since = None
        if self._alarmed:
            self._alarmed = not self._alarm({"recovered": "yes"})

    def _alarm(self, facts: dict[str, str]) -> bool:
        """Have the officer told; say whether that could be done."""
        try:
            told = {"channel": self._repository.channel, **facts}
            self._feed.guard.alarm(self._subject.institution, ALARM, told)
        except ArchiveError as error:
            log.warning("the alarm about %s could not be recorded: %s", self._repository.channel, error)
            return False
        return True

    def _keep_on(self) -> None:
        self.attempt()
        while not self._ending.wait(self._pause):
            self.attempt()
