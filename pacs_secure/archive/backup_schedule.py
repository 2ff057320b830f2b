"""Backups by themselves: one is taken when it is due, then proven, and who watches hears when that fails or is late."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from functools import partial

from pacs_secure.archive.backup import Backup
from pacs_secure.archive.backup_proof import ProveBackup
from pacs_secure.archive.backup_sets import Known, dated_ahead, newest_known, signed
from pacs_secure.core.access import Subject
from pacs_secure.core.errors import ArchiveError, Tampered, Unavailable
from pacs_secure.ports import Alarm, Gauges
from pacs_secure.ports.backups import BackupPlace

log = logging.getLogger(__name__)

EVERY_SECONDS = 300.0
"""Between two looks whether a backup is due."""
AFTER_FAILURE = timedelta(hours=1)
"""Until a backup that failed is tried again."""
LATE = 2
"""Intervals after which no proven backup is an alarm, whoever takes them."""
DETAILS = {"job": "backup"}


class BackupSchedule:
    """Takes and proves a set whenever one is due, where this process leads."""

    def __init__(
        self,
        backup: Backup,
        proof: ProveBackup,
        place: Callable[[], AbstractContextManager[BackupPlace]],
        by: Subject,
        every: timedelta,
        leads: Callable[[], bool],
        alarm: Alarm,
        gauges: Gauges,
    ) -> None:
        """Take what is done, where, as whom and how often, and who hears of it."""
        self._backup = backup
        self._proof = proof
        self._place = place
        self._by = by
        self._every = every
        self._leads = leads
        self._alarm = alarm
        self._gauges = gauges
        self._since = backup.now()
        self._not_before = self._since
        self._alarmed: set[str] = set()

    def look(self) -> None:
        """Take a set when one is due; raise an alarm when it fails, and another when none was proven for too long."""
        try:
            with self._place() as place:
                self._take_when_due(place)
                known = self._known(place)
                self._watch_clock(place)
        except Unavailable as error:
            self._failed(error)
            return
        self._measure(known)
        self._watch_lateness(known)

    def _known(self, place: BackupPlace) -> Known | None:
        """Return what is known of the newest sets that the ledger's key has signed; a folder alone is none."""
        origin, key = self._proof.origin, self._proof.public_key()
        return newest_known(place, self._backup.now(), lambda name: signed(place, name, origin, key) is not None)

    def _watch_clock(self, place: BackupPlace) -> None:
        """Say that there are sets from the future: they count as none, and stay until somebody looks at them."""
        ahead = dated_ahead(place, self._backup.now())
        if self._leads() and ahead:
            self._raise("backup dated ahead", {"sets": ahead})
        else:
            self._recovered("backup dated ahead", "no set is dated in the future")

    def _take_when_due(self, place: BackupPlace) -> None:
        now, known = self._backup.now(), self._known(place)
        is_due = known is None or now - known.taken_at >= self._every
        if not self._leads() or now < self._not_before or not is_due:
            return
        try:
            taken = self._backup.create(self._by, None, place, details=DETAILS, then_prune=False)
            proof = self._proof.verify(self._by, None, place, taken.manifest.name, details=DETAILS)
            if not proof.verdict.sound:
                raise Tampered("the backup that was just taken is not sound")
            self._prune(place)
        except ArchiveError as error:
            self._failed(error)
            # What was erased stays erased in its time also while backups fail.
            with suppress(ArchiveError):
                self._prune(place)
        else:
            log.info("a backup of %s objects was taken and proven", taken.manifest.objects.count)
            self._gauges.set("backup_failed", 0)
            self._recovered("backup failed")

    def _prune(self, place: BackupPlace) -> None:
        self._backup.prune(self._by, None, place, details=DETAILS)

    def _failed(self, error: ArchiveError) -> None:
        log.error("the backup failed: %s", error)
        self._not_before = self._backup.now() + AFTER_FAILURE
        self._gauges.set("backup_failed", 1)
        self._raise("backup failed", {"error": type(error).__name__})

    def _measure(self, known: Known | None) -> None:
        if known is not None:
            self._gauges.watch("backup_age_seconds", partial(self._age, known.taken_at))
        if known is not None and known.proven_of is not None:
            self._gauges.watch("backup_proven_age_seconds", partial(self._age, known.proven_of))

    def _age(self, at: datetime) -> float:
        return (self._backup.now() - at).total_seconds()

    def _watch_lateness(self, known: Known | None) -> None:
        """Whoever takes them, and whoever leads: that there is no proven set for two intervals is said."""
        newest = known.proven_of if known is not None and known.proven_of is not None else self._since
        if self._leads() and self._backup.now() - newest > LATE * self._every:
            self._raise("backup late", {"hours": int(self._every.total_seconds() // 3600)})
        else:
            self._recovered("backup late")

    def _raise(self, kind: str, facts: dict[str, str | int]) -> None:
        if kind not in self._alarmed:
            self._alarm(kind, facts)
            self._alarmed.add(kind)

    def _recovered(self, kind: str, because: str = "a backup was taken and proven") -> None:
        if kind in self._alarmed:
            self._alarm(kind, {"recovered": because})
            self._alarmed.remove(kind)
