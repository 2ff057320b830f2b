"""Missed: forgettings that the ledger tells of and the index does not, or no longer as the archive wrote them.

Whoever owns the database can remove the row of a forgetting, or have it say that it is done: then nobody carries it
on, its keys stay, and the rows of the study can be put back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.proofs import demand_forgetting
from pacs_secure.archive.spoken_forgettings import SpokenForgettings
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import Forgettings, Ledger, Retention


@dataclass(frozen=True, slots=True)
class MissedForgettings:
    """Holds the index against the ledger."""

    forgettings: Forgettings
    ledger: Ledger
    retention: Retention
    seals: InstitutionSeals
    writer_key: Callable[[KeyId], bytes | None]
    """Returns a writer's first key, None when the shelf has none."""

    def count(self, only: Institution | None = None) -> int:
        """Count the studies that are missed, of every institution or one.

        Raises:
            Tampered: an entry of the ledger is missing, or is not what was recorded.
            Unavailable: keys, index or ledger are out of reach.
        """
        spoken = SpokenForgettings(self.writer_key, self.retention.first())
        # The ledger first: what is on record by then is in the index, or has gone further.
        spoken.follow(self.ledger.entries(spoken.place, self.ledger.size()))
        houses = spoken.houses() if only is None else {only}
        return sum(not self._stands(of, alias) for of in houses for alias in spoken.under_way(of))

    def _stands(self, of: Institution, study_alias: UUID) -> bool:
        try:
            one = self.forgettings.of_study(study_alias)
            return one is not None and demand_forgetting(self.seals.index(of), one).institution == of
        except Tampered:
            return False
