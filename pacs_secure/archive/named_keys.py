"""Which keys the entries of the ledger themselves name: what somebody took off a list is still found."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.tlog import leaf_hash, read_draft
from pacs_secure.ports import LedgerKey


def unbroken(entries: Iterable[LedgerEntry], place: int | None = None) -> Iterator[LedgerEntry]:
    """Yield entries that follow each other, from a place where one is given, and are as they were recorded.

    Raises:
        Tampered: one is missing in between, or is not what was recorded.
    """
    for entry in entries:
        if entry.index != (entry.index if place is None else place) or leaf_hash(entry.content) != entry.leaf_hash:
            raise Tampered("an entry of the ledger is not what was recorded")
        place = entry.index + 1
        yield entry


def keys_named(
    entries: Iterable[LedgerEntry], institution: Institution, patient_alias: UUID, through: int | None = None
) -> Iterator[LedgerKey]:
    """Yield what entries about a patient name as keys, of all years or of those up to and with one; nothing is proven.

    Raises:
        Tampered: an entry is missing in between, or is not what was recorded.
    """
    alias = str(patient_alias).encode()
    for entry in unbroken(entries):
        if alias not in entry.content:  # nearly always: reading a draft takes a hundred times as long
            continue
        draft = read_draft(entry.content)
        theirs = (draft.institution, draft.patient_alias) == (institution, patient_alias)
        # A refusal is sealed under nobody's key, whomever it is about (`drafts`).
        if not theirs or draft.details is None or draft.outcome is Outcome.REFUSED:
            continue
        if through is None or draft.at.year <= through:
            yield LedgerKey(draft.details.key_id, institution, patient_alias, draft.at.year, draft.details.proof)
