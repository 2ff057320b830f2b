"""Finding an institution's own keys again when the index that named them is lost, so that pseudonyms go on."""

from collections.abc import Iterator
from dataclasses import dataclass

from pacs_secure.archive.proofs import is_ledger_key
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.crypto.index_seal import DetailsSeal
from pacs_secure.crypto.tlog import WIDTH, read_draft
from pacs_secure.ports import (
    InstitutionKeys,
    KeyList,
    KeyUnwrapper,
    KeyWrapper,
    Ledger,
    LedgerKey,
    Records,
    Shelf,
)


@dataclass(frozen=True, slots=True)
class InstitutionRecovery:
    """Settles under which keys an institution goes on."""

    records: Records
    ledger: Ledger
    keys: KeyList | None
    wrapper: KeyWrapper
    unwrapper: KeyUnwrapper

    def settle(self, of: Institution) -> bool:
        """Name an institution's keys to the index, unless it knows them; say whether its pseudonyms go on.

        The key of its pseudonyms is the one that the newest entries of its ledger prove; where none proves any, the
        only one on the shelf. Otherwise it gets new keys: persons have other pseudonyms from then on.
        """
        if self.records.institution_keys(of, None) is not None:
            return True
        index, told = self._only(of, Shelf.INDEX), self._proven(of) or self._alone(of)
        proposed = InstitutionKeys(
            index=index or self.wrapper.mint(of, Shelf.INDEX).key_id,
            ledger=told or self.wrapper.mint(of, Shelf.INSTITUTION).key_id,
        )
        self.records.institution_keys(of, proposed)
        return told is not None

    def _only(self, of: Institution, shelf: Shelf) -> KeyId | None:
        listed = frozenset() if self.keys is None else self.keys.listed(of, shelf)
        return next(iter(listed)) if len(listed) == 1 else None

    def _alone(self, of: Institution) -> KeyId | None:
        """Return the only key there is, where no entry could tell whether it is the right one."""
        return self._only(of, Shelf.INSTITUTION) if next(self._evidence(of), None) is None else None

    def _proven(self, of: Institution) -> KeyId | None:
        """Return the key under which an entry of the institution was proven, None when there is none."""
        evidence = next(self._evidence(of), None)
        if evidence is None or self.keys is None:
            return None
        for key_id in sorted(self.keys.listed(of, Shelf.INSTITUTION)):
            try:
                found = self.unwrapper.fetch(of, Shelf.INSTITUTION, [key_id]).get(key_id)
            except Tampered:
                continue  # somebody put it there who has not the institution's KEK
            if found is not None and is_ledger_key(DetailsSeal(found.key), evidence):
                return key_id
        return None

    def _evidence(self, of: Institution) -> Iterator[LedgerKey]:
        """Yield what the last entries say of the keys of their details."""
        size = self.ledger.size()
        for entry in self.ledger.entries(max(0, size - WIDTH), size):
            draft = read_draft(entry.content)
            if draft.institution == of and draft.details is not None and draft.details.proof:
                yield _listed(draft, draft.details.key_id, draft.details.proof)


def _listed(draft: Draft, key_id: KeyId, proof: bytes) -> LedgerKey:
    # A refusal is sealed under nobody's key, whomever it is about.
    patient = None if draft.outcome is Outcome.REFUSED else draft.patient_alias
    return LedgerKey(key_id, draft.institution, patient, draft.at.year, proof)
