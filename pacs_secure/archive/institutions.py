"""The two keys an institution seals its index and its ledger details under, fetched when needed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.crypto.index_seal import DetailsSeal, IndexSeal
from pacs_secure.ports import ForgettableKey, InstitutionKeys, KeyUnwrapper, KeyWrapper, Records, Shelf

OLDEST_INDEX_KEY = 300.0
"""Seconds an index key may serve from memory before the shelf is asked again."""


class IndexSeals(Protocol):
    """Whoever hands out the seals of indexes."""

    def index(self, institution: Institution) -> IndexSeal:
        """Return the seal of the institution's index; raise `Unavailable` without its key."""


@dataclass(frozen=True, slots=True)
class _Index:
    seal: IndexSeal
    fetched_at: float


@dataclass(frozen=True, slots=True)
class _Ledger:
    seal: DetailsSeal
    keys: InstitutionKeys


class InstitutionSeals:
    """Hands out the seals of an institution, making its keys the first time it is met.

    The ledger key only serves to write what happened, so it stays in memory while the process
    lives: an outage of the vault must not make refusals unrecordable. The index key is asked for
    again when it is older than `OLDEST_INDEX_KEY`, by one of however many need it.
    """

    def __init__(
        self, records: Records, wrapper: KeyWrapper, unwrapper: KeyUnwrapper, monotonic: Callable[[], float]
    ) -> None:
        self._records = records
        self._wrapper = wrapper
        self._unwrapper = unwrapper
        self._monotonic = monotonic
        self._index: dict[Institution, _Index] = {}
        self._ledger: dict[Institution, _Ledger] = {}
        self._lock = threading.Lock()

    def index(self, institution: Institution) -> IndexSeal:
        """Return the seal of the institution's index; raise `Unavailable` without its key."""
        held = self._fresh(institution)
        if held is None:
            with self._lock:
                held = self._fresh(institution) or self._fetch_index(institution)
        return held.seal

    def details(self, institution: Institution) -> DetailsSeal:
        """Return the seal of the institution's ledger details; raise `Unavailable` without its key."""
        return self._of_ledger(institution).seal

    def ledger_keys(self, institution: Institution) -> InstitutionKeys:
        """Return the ids of the keys in use."""
        return self._of_ledger(institution).keys

    def flush(self) -> None:
        """Forget the index keys in memory: the vault was sealed or access was revoked."""
        with self._lock:
            self._index.clear()

    def _fresh(self, institution: Institution) -> _Index | None:
        held = self._index.get(institution)
        return held if held and self._monotonic() - held.fetched_at <= OLDEST_INDEX_KEY else None

    def _fetch_index(self, institution: Institution) -> _Index:
        key = self._fetch(institution, Shelf.INDEX, self._keys(institution).index)
        held = self._index[institution] = _Index(IndexSeal(key.key), self._monotonic())
        return held

    def _of_ledger(self, institution: Institution) -> _Ledger:
        held = self._ledger.get(institution)
        if held is None:
            with self._lock:
                held = self._ledger.get(institution) or self._fetch_ledger(institution)
        return held

    def _fetch_ledger(self, institution: Institution) -> _Ledger:
        keys = self._keys(institution)
        key = self._fetch(institution, Shelf.INSTITUTION, keys.ledger)
        held = self._ledger[institution] = _Ledger(DetailsSeal(key.key), keys)
        return held

    def _keys(self, institution: Institution) -> InstitutionKeys:
        keys = self._records.institution_keys(institution, None)
        if keys is None:
            keys = self._records.institution_keys(institution, self._mint(institution))
        if keys is None:  # pragma: no cover - the port adopts what is proposed
            raise Tampered("the index did not keep the institution's keys")
        return keys

    def _fetch(self, institution: Institution, shelf: Shelf, key_id: KeyId) -> ForgettableKey:
        key = self._unwrapper.fetch(institution, shelf, [key_id]).get(key_id)
        if key is None:
            raise Tampered("a key of the institution is missing from the shelf")
        return key

    def _mint(self, institution: Institution) -> InstitutionKeys:
        return InstitutionKeys(
            index=self._wrapper.mint(institution, Shelf.INDEX).key_id,
            ledger=self._wrapper.mint(institution, Shelf.INSTITUTION).key_id,
        )


class OutlastingSeals:
    """Hands out the seals of indexes to whoever takes pictures in, also while the vault is away.

    Only where keys are made beforehand (`pacs_secure.archive.key_pool`): without its index key no picture could
    be taken in by them. Nothing is searched or opened by it.
    """

    def __init__(self, seals: IndexSeals) -> None:
        self._seals = seals
        self._held: dict[Institution, IndexSeal] = {}

    def index(self, institution: Institution) -> IndexSeal:
        """Return the seal of the institution's index, the last one known when the vault is out of reach."""
        try:
            seal = self._seals.index(institution)
        except Unavailable:
            held = self._held.get(institution)
            if held is None:
                raise
            return held
        self._held[institution] = seal
        return seal
