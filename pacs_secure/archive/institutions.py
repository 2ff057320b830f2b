"""The two keys an institution seals its index and its ledger details under, fetched when needed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.index_seal import DetailsSeal, IndexSeal
from pacs_secure.ports import InstitutionKeys, KeyUnwrapper, KeyWrapper, Records, Shelf

OLDEST_INDEX_KEY = 300.0
"""Seconds an index key may serve from memory before the shelf is asked again."""


@dataclass(frozen=True, slots=True)
class _Held:
    index: IndexSeal
    details: DetailsSeal
    keys: InstitutionKeys
    fetched_at: float


class InstitutionSeals:
    """Hands out the seals of an institution, making its keys the first time it is met.

    The ledger key only serves to write what happened, so it stays in memory while the process
    lives: an outage of the vault must not make refusals unrecordable. The index key is asked for
    again when it is older than `OLDEST_INDEX_KEY`.
    """

    def __init__(
        self, records: Records, wrapper: KeyWrapper, unwrapper: KeyUnwrapper, monotonic: Callable[[], float]
    ) -> None:
        self._records = records
        self._wrapper = wrapper
        self._unwrapper = unwrapper
        self._monotonic = monotonic
        self._held: dict[Institution, _Held] = {}
        self._lock = threading.Lock()

    def index(self, institution: Institution) -> IndexSeal:
        """Return the seal of the institution's index; raise `Unavailable` without its key."""
        held = self._held.get(institution)
        if held is None or self._monotonic() - held.fetched_at > OLDEST_INDEX_KEY:
            held = self._fetch(institution)
        return held.index

    def details(self, institution: Institution) -> DetailsSeal:
        """Return the seal of the institution's ledger details; raise `Unavailable` without its key."""
        held = self._held.get(institution) or self._fetch(institution)
        return held.details

    def ledger_keys(self, institution: Institution) -> InstitutionKeys:
        """Return the ids of the keys in use."""
        held = self._held.get(institution) or self._fetch(institution)
        return held.keys

    def flush(self) -> None:
        """Forget the index keys in memory: the vault was sealed or access was revoked."""
        with self._lock:
            for institution, held in self._held.items():
                self._held[institution] = _Held(held.index, held.details, held.keys, float("-inf"))

    def _fetch(self, institution: Institution) -> _Held:
        with self._lock:
            keys = self._records.institution_keys(institution, None)
            if keys is None:
                keys = self._records.institution_keys(institution, self._mint(institution))
            if keys is None:  # pragma: no cover - the port adopts what is proposed
                raise Tampered("the index did not keep the institution's keys")
            index = self._unwrapper.fetch(institution, Shelf.INDEX, [keys.index]).get(keys.index)
            ledger = self._unwrapper.fetch(institution, Shelf.LEDGER, [keys.ledger]).get(keys.ledger)
            if index is None or ledger is None:
                raise Tampered("a key of the institution is missing from the shelf")
            held = _Held(IndexSeal(index.key), DetailsSeal(ledger.key), keys, self._monotonic())
            self._held[institution] = held
            return held

    def _mint(self, institution: Institution) -> InstitutionKeys:
        return InstitutionKeys(
            index=self._wrapper.mint(institution, Shelf.INDEX).key_id,
            ledger=self._wrapper.mint(institution, Shelf.LEDGER).key_id,
        )
