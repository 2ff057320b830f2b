"""What a rebuild asks of the database that it fills."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.rebuilding import RebuildState


class Rebuilds(Protocol):
    """Lets an empty index be filled from outside, and remembers whether that came to its end."""

    def newest(self) -> RebuildState | None:
        """Return the newest rebuild, None when there never was one."""

    def begin(self, at: datetime) -> RebuildState:
        """Begin a rebuild, or return the one that is under way.

        Raises:
            Conflict: something is in the index or the ledger already, and no rebuild of it is under way.
        """

    def finish(self, at: datetime) -> None:
        """Note that the rebuild came to its end."""

    def take_back(self, entries: Sequence[LedgerEntry]) -> None:
        """Put entries that were published back into the ledger as they were, behind the last; durable on return.

        Raises:
            Conflict: they do not follow the last, or no rebuild is under way.
        """

    def take_back_expired(self, certificates: Mapping[int, tuple[int, bytes]], tiles: Mapping[int, bytes]) -> None:
        """Put back what stands for entries that expired: certificates by their horizon, with where each starts.

        ``tiles`` are the 256 leaf hashes of each bundle, by its number. Raises as `take_back`.
        """
