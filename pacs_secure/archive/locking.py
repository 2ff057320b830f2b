"""Locking away: the newest checkpoint goes, every minute, where not even the house can take it back (LOG-03).

Whoever holds the database, the published directory and the log's key can write another history. They cannot change
what was locked: the next look finds a checkpoint that is larger than what is published, or another tree head of the
same size, and whoever audits finds it without the house.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from pacs_secure.core.errors import Conflict, Tampered, Unavailable
from pacs_secure.crypto.tlog import parse_checkpoint
from pacs_secure.ports import Publisher, Strongroom

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
ALARM_AFTER = timedelta(minutes=15)
CHECKPOINTS = "checkpoints"
WITNESSED = "witnessed"

Alarm = Callable[[str, Mapping[str, str | int]], object]


class CheckpointLock:
    """Keeps the newest checkpoint, and the newest witnessed one, in a strongroom; the archive that leads does."""

    def __init__(self, publisher: Publisher, strongroom: Strongroom, alarm: Alarm, now: Callable[[], datetime]) -> None:
        self._publisher = publisher
        self._strongroom = strongroom
        self._alarm = alarm
        self._now = now
        self._locked: dict[str, int] = {}
        self._compared = False
        self._told: set[str] = set()
        self._since: datetime | None = None

    @property
    def locked(self) -> int:
        """Return the size of the newest checkpoint that this process has locked away; 0 before the first."""
        return self._locked.get(CHECKPOINTS, 0)

    def look(self) -> None:
        """Compare once with what was locked before, then lock what is new; what is wanting is an alarm.

        Raises:
            Unavailable: the strongroom or the ledger is out of reach: the next look does it.
        """
        try:
            if not self._compared:
                self._compare()
                self._compared = True
            self._lock(CHECKPOINTS, self._publisher.checkpoint())
            self._lock(WITNESSED, self._publisher.witnessed())
        except Unavailable:
            self._failed()
            raise
        self._recovered()

    def _compare(self) -> None:
        """Find what is locked and is not, or no longer, published."""
        size = self._publisher.published()
        beyond = next(self._strongroom.names(_name(CHECKPOINTS, size)), None)
        if beyond is not None:
            self._tell("a larger checkpoint is locked away than is published", int(beyond.rpartition("/")[2]))
        kept, note = self._strongroom.read(_name(CHECKPOINTS, size)), self._publisher.checkpoint()
        if kept is not None and note is not None and not _same_head(kept, note):
            self._tell("another checkpoint of this size is locked away", size)

    def _lock(self, kind: str, note: bytes | None) -> None:
        if note is None:
            return
        size = parse_checkpoint(note).size
        if size <= self._locked.get(kind, 0):
            return
        name = _name(kind, size)
        try:
            self._strongroom.keep(name, note)
        except Conflict:
            # Another note of this size came first: with other cosignatures, or of another tree.
            kept = self._strongroom.read(name)
            if kept is None or not _same_head(kept, note):
                self._tell("another checkpoint of this size is locked away", size)
        self._locked[kind] = size

    def _tell(self, problem: str, size: int) -> None:
        if problem not in self._told:
            log.critical("%s: %s", problem, size)
            self._alarm("strongroom", {"problem": problem, "size": size})
            self._told.add(problem)

    def _failed(self) -> None:
        self._since = self._since or self._now()
        if self._now() - self._since >= ALARM_AFTER and "away" not in self._told:
            self._alarm("strongroom", {"problem": "out of reach", "since": self._since.isoformat(timespec="seconds")})
            self._told.add("away")

    def _recovered(self) -> None:
        self._since = None
        if "away" in self._told:
            self._alarm("strongroom", {"recovered": "yes"})
            self._told.discard("away")


def _name(kind: str, size: int) -> str:
    return f"{kind}/{size:020}"


def _same_head(one: bytes, other: bytes) -> bool:
    try:
        return parse_checkpoint(one).text == parse_checkpoint(other).text
    except Tampered:
        return False
