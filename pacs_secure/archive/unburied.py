"""Unburied: keys that were forgotten and have no tombstone any more, because somebody took the newest ones away.

The chain of tombstones shows each that is missing but the last. What the archive itself has written of its forgettings
names the keys too, with a proof: they are buried again, and deleted should they be back.
"""

import logging
from dataclasses import dataclass
from functools import partial

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.missed_forgettings import MissedForgettings
from pacs_secure.archive.proofs import demand_forgetting
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Forgettings, KeyEraser, Shelf, Tombstones

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unburied:
    """Holds what was forgotten against the tombstones."""

    guard: Guard
    forgettings: Forgettings
    tombstones: Tombstones
    eraser: KeyEraser | None
    """Buries each key before it deletes it; None: this process may not."""
    seals: InstitutionSeals
    missed: MissedForgettings
    of: Institution
    """Whose ledger hears of it."""

    def look(self) -> int:
        """Bury again what lacks its tombstone; return how many keys that were.

        By a row that the archive did not write nothing is buried: it is an alarm.

        Raises:
            Tampered: the tombstones are not what was buried.
            Unavailable: tombstones are missing and this process may not bury, or something is out of reach.
        """
        lacking, forged = 0, self.forgettings.malformed()
        for one in self.forgettings.buried():
            lies = partial(self.tombstones.holds, one.institution, Shelf.STUDY)
            key_ids = [key_id for key_id in one.key_ids if not lies(key_id)]
            if not key_ids:
                continue
            try:
                demand_forgetting(self.seals.index(one.institution), one)
            except Tampered:
                forged += 1
                continue
            if not lacking:
                log.error("tombstones are missing that were there before")
                self.guard.alarm(self.of, "tombstones are missing", {"burying": "yes" if self.eraser else "no"})
            if self.eraser is None:
                raise Unavailable("tombstones are missing, and this process may not bury: start one that may")
            self.eraser.erase(one.institution, Shelf.STUDY, key_ids)
            lacking += len(key_ids)
        if forged:
            self.guard.alarm(self.of, "forgettings are forged", {"rows": forged})
        self._miss()
        return lacking

    def _miss(self) -> None:
        """Say which forgettings only the ledger knows of; none of it keeps an archive from starting."""
        try:
            missed = self.missed.count()
        except Tampered:
            self.guard.alarm(self.of, "forgettings are missing", {"ledger": "it is not what was recorded"})
            return
        if missed:
            self.guard.alarm(self.of, "forgettings are missing", {"studies": missed})
