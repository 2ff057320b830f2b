"""Keeping a second store in step with the first: what is put there is copied, what was removed there goes.

Two ways lead to the same place. What this process has put waits in a queue and is copied within a second. Comparing
both listings finds what a queue has lost with its process; of several archives the one that leads does it, when it
starts and once a day.

The removal rule: nothing goes from the second store that was not removed from the first. An act that removes does so
in both, the first before the second. What a comparison finds in the second store only may go when the first store
says that it has none, no row of the index names it, it is as old as what a crash leaves (`LeftOver`), and such objects
are few; what a row names is put back into the first. So a first store that has lost everything, or an old index,
empties nothing.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pacs_secure.archive.copies import Alarm, Copies
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.left_over import LeftOver
from pacs_secure.core.access import AccessRequest, Action, Grant, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, NotFound, Unavailable
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.ports import Blob, Blobs, Rebuilds, Records, StoredName

log = logging.getLogger(__name__)

COMPARED_EVERY = timedelta(days=1)
TRIED_AGAIN_AFTER = timedelta(minutes=15)
"""How long a comparison that failed is left alone: each is an act on record."""
ALARM_AFTER = timedelta(minutes=15)
"""How long an object may wait before the officer hears of it."""
MOST_DEAD = 100
"""Objects in the second store only that crashes explain; more mean that index or first store is not what it was,
and so do more than the first store holds."""
MOST_WAITING = 100_000
"""Ids that the queue holds; what is more is found by comparing."""
PIECE = 1 << 20
COMPARED_AT_ONCE = 200
"""Objects listed between two looks at the queue: what was just put does not wait for the end of a long comparison."""

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the second store stands to what this process has put."""

    waiting: int
    since: datetime | None
    """When the oldest object that waits was put; None while nothing waits."""
    compared: datetime | None
    """When both stores were last compared by this process."""

    def lag(self, now: datetime) -> float:
        """Return for how many seconds the oldest object has waited."""
        return 0.0 if self.since is None else max(0.0, (now - self.since).total_seconds())


@dataclass(slots=True)
class Comparison:
    """What comparing both stores found and did."""

    objects: int = 0
    """In the first store."""
    octets: int = 0
    missing: int = 0
    """Of those, not in the second."""
    differing: int = 0
    """In both, with another length: one of them is damaged, and `verify` says which."""
    extra: int = 0
    """In the second only."""
    copied: int = 0
    restored: int = 0
    """Put back into the first store, for the index names them."""
    removed: int = 0
    refused: int = 0
    """In the second only, named by no row, and too many or too old to be removed: they may be somebody's pictures."""

    def told(self) -> dict[str, str | int]:
        """Return what the ledger keeps of it."""
        return {
            "objects": self.objects,
            "copied": self.copied,
            "restored": self.restored,
            "removed": self.removed,
            "refused": self.refused,
            "differing": self.differing,
        }


class Replication:
    """The verb: keep the second store in step; may be called from several threads."""

    def __init__(
        self,
        guard: Guard,
        records: Records,
        first: Blobs,
        second: Blobs,
        copies: Copies,
        rebuilds: Rebuilds,
        now: Callable[[], datetime],
    ) -> None:
        self._guard = guard
        self._records = records
        self._first = first
        self.second = second
        self._copies = copies
        self._rebuilds = rebuilds
        self._now = now
        self._waiting: dict[ObjectId, datetime] = {}
        self._lock = threading.Lock()
        self._compared: datetime | None = None
        self._tried: datetime | None = None
        self._alarmed = False
        self._ending = threading.Event()

    def stop(self) -> None:
        """Let a comparison that runs end soon; what was not done is found by the next one."""
        self._ending.set()

    def stored(self, object_id: ObjectId) -> None:
        """Have an object copied that was put into the first store."""
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                self._waiting[object_id] = self._now()
            else:
                self._compared = None

    def removed(self, object_id: ObjectId) -> None:
        """Remove from the second store what was removed from the first.

        Raises:
            Unavailable: it may still be there: try again.
        """
        with self._lock:
            self._waiting.pop(object_id, None)
        self.second.remove(object_id)

    def standing(self) -> Standing:
        """Say how far the second store is behind."""
        with self._lock:
            since = min(self._waiting.values(), default=None)
            return Standing(len(self._waiting), since, self._compared)

    def step(self) -> int:
        """Copy what waits, oldest first; return how many objects were copied.

        Raises:
            Unavailable: one of the stores is out of reach: what waits goes on waiting.
        """
        copied = 0
        while (object_id := self._next()) is not None:
            try:
                copied += self._copy(object_id)
            except Unavailable:
                self._put_off(object_id)
                raise
            with self._lock:
                self._waiting.pop(object_id, None)
        return copied

    def look(self, subject: Subject, alarm: Alarm, *, leads: bool) -> None:
        """Do what is due: copy, compare where this archive leads, and tell the officer what is wanting.

        Raises:
            Unavailable: a store or the ledger is out of reach: the next look does the rest.
        """
        try:
            self.step()
            if leads and self.due():
                found = self.mend(subject, details={"job": "replication"})
                if found.refused:
                    alarm("objects", {"store": "first", "refused": found.refused})
        finally:
            self.watch(alarm)
            self._copies.tell(alarm)

    def watch(self, alarm: Alarm) -> None:
        """Tell the officer, once, that objects have waited for too long, and when that is over.

        Raises:
            Unavailable: that cannot be recorded now: the next look does it.
        """
        standing = self.standing()
        late = standing.since is not None and self._now() - standing.since >= ALARM_AFTER
        if late and not self._alarmed:
            since = "" if standing.since is None else standing.since.isoformat(timespec="seconds")
            alarm("objects", {"store": "second", "waiting": standing.waiting, "since": since})
            self._alarmed = True
        elif self._alarmed and standing.since is None:
            alarm("objects", {"store": "second", "recovered": "yes"})
            self._alarmed = False

    def due(self) -> bool:
        """Whether both stores should be compared now."""
        now = self._now()
        if self._tried is not None and now - self._tried < TRIED_AGAIN_AFTER:
            return False
        return self._compared is None or now - self._compared >= COMPARED_EVERY

    def compare(self, subject: Subject, *, details: dict[str, str], progress: Progress = lambda _: None) -> Comparison:
        """List both stores and say how they differ, changing nothing; recorded.

        Raises:
            Denied: the caller may not.
            Unavailable: a store cannot be listed.
        """
        return self._recorded(subject, {**details, "stores": "compared"}, lambda grant: self._compare(grant, progress))

    def mend(self, subject: Subject, *, details: dict[str, str], progress: Progress = lambda _: None) -> Comparison:
        """List both stores, copy what is missing, and remove what the removal rule allows; recorded.

        Raises:
            Denied: the caller may not.
            Unavailable: a store is out of reach: what was not done is done next time.
        """
        self._tried = self._now()

        def act(grant: Grant) -> Comparison:
            return self._compare(grant, progress, mending=True)

        compared = self._recorded(subject, {**details, "stores": "mended"}, act)
        self._compared = self._now()
        return compared

    def _recorded(self, subject: Subject, details: dict[str, str], act: Callable[[Grant], Comparison]) -> Comparison:
        grant = self._guard.admit(AccessRequest(subject, Action.ARCHIVE_VERIFY, None, details=details))
        try:
            compared = act(grant)
        except ArchiveError as error:
            self._guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self._guard.finish(grant, Outcome.COMPLETED, compared.told())
        return compared

    def _compare(self, grant: Grant, progress: Progress, *, mending: bool = False) -> Comparison:
        found = Comparison()
        left = LeftOver(self._now(), self._rebuilds.newest())
        theirs = {stored.object_id: stored for stored in self._meanwhile(self.second.names())}
        for stored in self._meanwhile(self._first.names()):
            progress(1)
            left.saw(stored)
            found.objects += 1
            found.octets += stored.length
            copy = theirs.pop(stored.object_id, None)
            if copy is None:
                found.missing += 1
                found.copied += mending and self._copy(stored.object_id)
            elif copy.length != stored.length:
                found.differing += 1
                self._copies.found("second", stored.object_id)
        # What was put while the first store was listed is no surplus.
        extra = {name: stored for name, stored in theirs.items() if not self._is_in_first(name)}
        found.extra = len(extra)
        if extra and mending:
            self._mend_extra(grant, extra, left, found)
        return found

    def _meanwhile(self, names: Iterator[StoredName]) -> Iterator[StoredName]:
        """Yield what is listed, and go on copying what is put meanwhile; end early when the archive does."""
        for number, stored in enumerate(names, 1):
            yield stored
            if number % COMPARED_AT_ONCE == 0:
                self.step()
            if self._ending.is_set():
                raise Unavailable("the archive ends: both stores are compared after the next start")

    def _mend_extra(self, grant: Grant, extra: dict[ObjectId, StoredName], left: LeftOver, found: Comparison) -> None:
        for row in self._records.every_instance(grant):
            if extra.pop(row.sealed.object_id, None) is not None:
                self._copies.found("first", row.sealed.object_id)
                found.restored += self._carry(row.sealed.object_id, self.second, self._first)
        for stored in extra.values():
            left.saw(stored)
        mine = [stored for stored in extra.values() if left.is_young(stored) and not left.is_from_before(stored)]
        old = [stored for stored in mine if left.is_old(stored)]
        found.refused = len(extra) - len(mine)
        if left.is_open or len(old) > min(MOST_DEAD, found.objects):
            found.refused += len(old)
            old = []
        if found.refused:
            log.error("%s objects are in the second store only and no row names them: they stay", found.refused)
        for stored in filter(left.is_settled, old):
            if not self._records.naming_objects([stored.object_id]):
                self.second.remove(stored.object_id)
                found.removed += 1

    def _copy(self, object_id: ObjectId) -> bool:
        """Copy one object; say whether the second store has it from now on by this."""
        copied = self._carry(object_id, self._first, self.second)
        if copied and not self._is_in_first(object_id):
            # It was removed while it was copied.
            self.second.remove(object_id)
            return False
        return copied

    def _carry(self, object_id: ObjectId, source: Blobs, target: Blobs) -> bool:
        try:
            with source.open(object_id) as blob:
                target.put(object_id, _pieces(blob))
        except (NotFound, Conflict):
            return False  # removed meanwhile, or there already
        return True

    def _is_in_first(self, object_id: ObjectId) -> bool:
        try:
            with self._first.open(object_id):
                return True
        except NotFound:
            return False

    def _next(self) -> ObjectId | None:
        with self._lock:
            return next(iter(self._waiting), None)

    def _put_off(self, object_id: ObjectId) -> None:
        """Let the others be tried before it: one that cannot be read holds up no other."""
        with self._lock:
            since = self._waiting.pop(object_id, None)
            if since is not None:
                self._waiting[object_id] = since


def _pieces(blob: Blob) -> Iterator[bytes]:
    """Yield all of an object; one that gives fewer bytes than it is long is not copied."""
    for offset in range(0, blob.length, PIECE):
        wanted = min(PIECE, blob.length - offset)
        piece = blob.read_at(offset, wanted)
        if len(piece) != wanted:
            raise Unavailable("an object cannot be read whole")
        yield piece
