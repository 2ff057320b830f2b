"""The watch over the ledger: what was written in the last minute is verified while the archive runs (LOG-03)."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from pacs_secure.archive.ledger_check import LedgerCheck
from pacs_secure.archive.ledger_walk import LedgerWalk
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import KeyId

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
BEGINS_BEFORE = timedelta(minutes=1)
"""How old the entries are that a watch begins with."""

Alarm = Callable[[str, Mapping[str, str | int]], object]


class LedgerWatch:
    """Takes what is new whenever it looks, and raises an alarm for what is wanting, once."""

    def __init__(
        self, walk: LedgerWalk, new_check: Callable[[], LedgerCheck], alarm: Alarm, now: Callable[[], datetime]
    ) -> None:
        self._walk = walk
        self._new_check = new_check
        self._alarm = alarm
        self._now = now
        self._check: LedgerCheck | None = None
        self._said: tuple[KeyId, int] | None = None
        """What this process was told that is kept, at the look before."""

    def look(self) -> int:
        """Verify what is new; return how far the ledger is verified.

        Raises:
            Unavailable: ledger, keys or publishing place are out of reach, or an alarm cannot be recorded now:
                the next look does it.
        """
        if self._check is None:
            check = self._new_check()
            self._walk.begin_since(check, self._now() - BEGINS_BEFORE)
            self._check = check
        told, self._said = self._said, self._walk.ledger.said()
        size = self._walk.take(self._check)
        # What was kept a whole look ago has its place by now: until then nothing more is recorded, nothing delivered.
        held = told is None or self._check.said(told[0]) >= told[1]
        self._walk.ledger.trust(held=held)
        findings = self._check.findings
        while findings:
            position = {} if findings[0].position is None else {"position": findings[0].position}
            self._alarm("ledger", {"place": findings[0].place, "problem": findings[0].problem, **position})
            del findings[0]
        self._check.forget_what_is_behind()
        if not held:
            log.critical("the database has lost entries that it said it keeps: nothing is accepted or delivered")
            raise Unavailable("the database has lost entries that it said it keeps")
        return size
