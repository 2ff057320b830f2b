"""The scrub: reads, opens and parses every object within a period, little by little, and says what is wanting.

A round goes along the rows in the order in which they came, evenly spread over its period, and remembers where
it stands: a restart goes on there. What arrives behind its place is read in the next round, so that a period
of half a year reads every object at least once a year (StrlSchV 127(1) no. 1, INT-02).
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.object_check import ObjectCheck
from pacs_secure.archive.store_check import COPIED_AFTER
from pacs_secure.core.access import AccessRequest, Action, Door, Grant, Role, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.instance import InstanceRow, PlacedRow
from pacs_secure.core.scrubs import ScrubRound
from pacs_secure.ports import Records, Scrubs

log = logging.getLogger(__name__)

Alarm = Callable[[str, Mapping[str, str | int]], object]

LOOK_EVERY = 600.0
"""Seconds between two looks whether something is due."""
BETWEEN = timedelta(hours=1)
"""From one slice to the next: each is on record."""
LONGEST = timedelta(minutes=12)
"""Of a slice that is in time; whoever is late reads until the next."""
LATE = 0.1
"""Share of its period that a round may lie behind before it hurries."""
AT_ONCE = 100
MOST_ALARMS = 10
"""Of one slice; those behind are counted."""


@dataclass(slots=True)
class _Slice:
    """What one slice has seen."""

    round: ScrubRound
    target: int
    until: datetime
    found: list[str] = field(default_factory=list)
    objects: int = 0


class Scrub:
    """Reads a slice of the archive whenever one is due."""

    def __init__(
        self,
        guard: Guard,
        records: Records,
        objects: ObjectCheck,
        scrubs: Scrubs,
        home: Institution,
        period: timedelta,
        alarm: Alarm,
        now: Callable[[], datetime],
        second: ObjectCheck | None = None,
    ) -> None:
        """Take what reads objects, in the first store and in the ``second`` where there is one."""
        self._guard = guard
        self._records = records
        self._objects = objects
        self._scrubs = scrubs
        self._who = Subject("archive", Role.OPERATOR, home, "", Door.JOB, "")
        self._period = period
        self._alarm = alarm
        self._second = second
        self._now = now
        self._ending = threading.Event()

    def stop(self) -> None:
        """Let the slice that is under way end behind the object it is reading."""
        self._ending.set()

    def look(self) -> int:
        """Read what is due by now; return how many objects were read.

        Raises:
            Unavailable: keys, store, index or ledger are out of reach: what was read until then is remembered.
        """
        now = self._now()
        newest = self._scrubs.newest()
        current = self._round(newest, now)
        if current is None or (newest is current and now - current.looked_at < BETWEEN):
            return 0
        last = self._records.last_place()
        share = min(1.0, (now - current.begun_at + BETWEEN) / self._period)
        target = -int(-last * share // 1)
        if last and target <= current.place < last:
            return 0
        behind = share - current.place / last if last else 0.0
        piece = _Slice(current, target, now + (BETWEEN if behind > LATE else LONGEST))
        with self._recorded(piece) as grant:
            self._read(grant, piece)
        return piece.objects

    def _round(self, newest: ScrubRound | None, now: datetime) -> ScrubRound | None:
        """Return the round that is under way or is to begin, None while the last one is still good."""
        if newest is None:
            return ScrubRound(1, now, now)
        if newest.finished_at is None:
            return newest
        return ScrubRound(newest.number + 1, now, now) if now - newest.begun_at >= self._period else None

    def _read(self, grant: Grant, piece: _Slice) -> None:
        while not self._ending.is_set() and self._now() < piece.until:
            some = self._records.instances_behind(grant, piece.round.place, AT_ONCE)
            due = [one for one in some if one.place <= piece.target]
            try:
                self._read_some(grant, piece, due)
            finally:
                self._keep(piece, ended=not some or (len(some) < AT_ONCE and piece.round.place == some[-1].place))
            if len(due) < AT_ONCE:
                return

    def _read_some(self, grant: Grant, piece: _Slice, due: list[PlacedRow]) -> None:
        for one in due:
            if self._ending.is_set():
                return
            problem = self._objects.read(grant, one.row)
            if problem:
                piece.found.append(f"{one.row.sealed.object_id}: {problem}")
            problem = self._read_copy(grant, piece, one.row) or problem
            piece.objects += 1
            piece.round = replace(
                piece.round,
                place=one.place,
                objects=piece.round.objects + 1,
                octets=piece.round.octets + one.row.sealed.stored_length,
                wanting=piece.round.wanting + bool(problem),
            )

    def _read_copy(self, grant: Grant, piece: _Slice, row: InstanceRow) -> str:
        """Read the copy in the second store, unless that is away or the copy on its way; return the problem."""
        if self._second is None or self._now() - row.received_at <= COPIED_AFTER:
            return ""
        try:
            problem = self._second.read(grant, row)
        except Unavailable as error:
            log.warning("a second copy could not be read: %s", error)
            return ""
        if problem:
            piece.found.append(f"{row.sealed.object_id} in the second store: {problem}")
        return problem

    def _keep(self, piece: _Slice, *, ended: bool) -> None:
        now = self._now()
        piece.round = replace(piece.round, looked_at=now, finished_at=now if ended else None)
        self._scrubs.keep(piece.round)

    @contextmanager
    def _recorded(self, piece: _Slice) -> Iterator[Grant]:
        """Record a slice and how it came out, and raise the alarm for what it found wanting, however it ended."""
        request = AccessRequest(self._who, Action.ARCHIVE_VERIFY, None, details={"job": "scrub"})
        grant = self._guard.admit(request)
        try:
            yield grant
        except ArchiveError as error:
            self._guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__, "checked": piece.objects})
            raise
        else:
            told = {"checked": piece.objects, "findings": len(piece.found), "round": piece.round.number}
            self._guard.finish(grant, Outcome.COMPLETED, told)
        finally:
            self._raise_alarms(piece)

    def _raise_alarms(self, piece: _Slice) -> None:
        for number, found in enumerate(piece.found[:MOST_ALARMS], 1):
            more = len(piece.found) - number if number == MOST_ALARMS else 0
            self._alarm("scrub", {"found": found} | ({"more": more} if more else {}))
        if piece.found:
            log.error("the scrub found %s objects wanting", len(piece.found))
