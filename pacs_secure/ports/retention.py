"""What the ledger no longer keeps: certificates, and the leaf hashes that stand for entries that have gone."""

from collections.abc import Sequence
from typing import Protocol

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft


class Retention(Protocol):
    """Removes entries below a certified horizon from the ledger, and nothing else ever."""

    def certificates(self) -> Sequence[bytes]:
        """Return every certificate as stored, oldest first; whoever acts by one verifies it first."""

    def first(self) -> int:
        """Return the index of the first entry that is still kept whole; the size of the ledger when none is."""

    def oldest_open(self) -> int | None:
        """Return the index of the oldest entry whose act has no outcome yet, or None: it must stay."""

    def certify(self, permit: Permit, start: int, horizon: int, note: bytes, draft: Draft) -> None:
        """Keep a certificate and record it, in one commit; the same one twice is kept and recorded once.

        Raises:
            Conflict: it does not begin at the newest horizon: somebody else has certified meanwhile.
        """

    def expire(self, permit: Permit, stop: int) -> int:
        """Remove some of the entries below ``stop``, oldest first, and keep their leaf hashes; return how many went.

        0 when none is left. What finds entries (by time, by patient, by study) and notices of
        them go in the same commit. Whole bundles of 256 go, one at a time.

        Raises:
            Conflict: no certificate reaches so far.
            Tampered: an entry is missing, or is none of this build's.
        """
