"""Which shelf key the details of which entries are sealed under."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pacs_secure.core.access import Permit
from pacs_secure.core.identifiers import Institution, KeyId


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """A key that ledger details were sealed under, and whose."""

    key_id: KeyId
    institution: Institution
    patient_alias: UUID | None
    """None: of entries that are about nobody's pictures."""
    year: int
    """UTC, of the entries."""
    proof: bytes = b""
    """That the archive wrote so; whoever acts by it holds it against the rest first."""


class LedgerKeys(Protocol):
    """The list of ledger keys, so that those of a patient or of a year can be found and forgotten.

    `Ledger.append` and every change that is recorded add to it in the commit of the entry: no
    entry names a key that the list does not know.
    """

    def of(self, institution: Institution, patient_alias: UUID | None, year: int) -> Sequence[LedgerKey]:
        """Return the keys of one place, in an order that is the same for everyone; there may be several."""

    def of_patient(
        self, institution: Institution, patient_alias: UUID, through: int | None = None
    ) -> Sequence[LedgerKey]:
        """Return every key of a patient, of all years or of those up to and with one."""

    def before(self, year: int) -> Iterator[LedgerKey]:
        """Yield every key of every institution of earlier years, oldest year first."""

    def remove(self, permit: Permit, keys: Sequence[LedgerKey]) -> None:
        """Take keys off the list that have gone from the shelf; those that are not on it are nobody's loss."""
