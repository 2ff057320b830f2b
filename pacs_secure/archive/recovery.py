"""After a crash: acts that began and never ended are closed in the ledger as aborted."""

from dataclasses import dataclass
from datetime import datetime

from pacs_secure.archive.guard import Guard
from pacs_secure.core.audit import Outcome
from pacs_secure.ports import Ledger, Records


@dataclass(frozen=True, slots=True)
class Recovery:
    """The verb: leave no act without an outcome."""

    guard: Guard
    records: Records
    ledger: Ledger

    def close_open_acts(self, before: datetime) -> int:
        """Close every act that began before the given moment and has no outcome; return how many.

        What such an act had stored stays: each of its instances was committed and acknowledged.
        """
        drafts = self.records.open_acts(before)
        for draft in drafts:
            self.ledger.append(self.guard.closing(draft, Outcome.ABORTED))
        return len(drafts)
