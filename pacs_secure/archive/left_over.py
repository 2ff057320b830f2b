"""Objects that no row names: which a crash may have left, and which may be somebody's picture.

A crash between putting and committing leaves ciphertext that nobody was told Success for. It is swept when it is older
than a day, and only while it is young: what is older had a row once, or nobody knows, and is a finding. So is what
was there before a restore or a rebuild ended, for then the index may be older than the object.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pacs_secure.core.identifiers import ObjectId, made_at
from pacs_secure.core.rebuilding import RebuildState
from pacs_secure.ports import StoredName

DEAD_AFTER = timedelta(days=1)
"""Ciphertext that no row names is swept when older: a crash left it, nobody was told Success."""

YOUNG_FOR = timedelta(days=7)
"""What has no row and is older than this stays: a verification a week finds what crashes leave."""

LONGEST_PUT = timedelta(hours=1)
"""From an object's id to its row at most: far below the age at which what has no row is swept."""


@dataclass(slots=True)
class LeftOver:
    """Tells by two clocks how old an object is: the host's, which may be wrong, and that of whoever wrote last."""

    now: datetime
    rebuilt: RebuildState | None
    """The newest rebuild or restore."""
    newest: datetime | None = None
    """When the newest object was written that was seen."""

    @property
    def is_open(self) -> bool:
        """Whether the index is being made anew, so that a row that is missing means nothing."""
        return self.rebuilt is not None and self.rebuilt.finished_at is None

    def saw(self, stored: StoredName) -> None:
        """Learn how far the store's time has come."""
        self.newest = stored.written_at if self.newest is None else max(self.newest, stored.written_at)

    def is_old(self, stored: StoredName) -> bool:
        """Whether an object is older than a day by this host's clock, which may be ahead."""
        return self.now - stored.written_at > DEAD_AFTER

    def is_settled(self, stored: StoredName) -> bool:
        """Whether an object is older than a day by both clocks: who put it has committed, or never will."""
        latest = self.now if self.newest is None else min(self.now, self.newest)
        return latest - stored.written_at > DEAD_AFTER

    def is_from_before(self, stored: StoredName) -> bool:
        """Whether an object is older than what the index was made from last."""
        since = None if self.rebuilt is None else self.rebuilt.finished_at
        return since is not None and _born(stored) <= since

    def is_young(self, stored: StoredName) -> bool:
        """Whether an object without a row may be what a crash left, by both clocks."""
        latest = self.now if self.newest is None else max(self.now, self.newest)
        return latest - _born(stored) <= YOUNG_FOR


def was_just_put(object_id: ObjectId, now: datetime) -> bool:
    """Whether an object may still get its row: one that may be swept meanwhile must not."""
    return now - made_at(object_id) <= LONGEST_PUT


def _born(stored: StoredName) -> datetime:
    """Return when an object was made: its id says it, also where it was copied since."""
    return min(stored.written_at, made_at(stored.object_id))
