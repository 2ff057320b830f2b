"""Ledger keys: one for each patient and year, so that what the ledger says of a patient can be forgotten.

The leaf of an entry commits to the ciphertext of its details, so every proof holds whether or not
the key is there (crypto-and-ledger 7.3). Several keys for one place are allowed: a process that may
not fetch one back makes another, as with study keys.
"""

import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from pacs_secure.archive.named_keys import keys_named
from pacs_secure.archive.proofs import is_ledger_key
from pacs_secure.core.access import Permit
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.crypto.index_seal import DetailsSeal
from pacs_secure.ports import ForgettableKey, KeyEraser, KeyShelf, KeyUnwrapper, KeyWrapper, Ledger, LedgerKey, Shelf
from pacs_secure.ports import LedgerKeys as KeyList

OLDEST = 300.0
"""Seconds a key may seal from memory before the list and the shelf are asked again, so that one that was
forgotten elsewhere is not used for longer. While they are out of reach it serves on."""
MOST_KEYS = 4096
MOST_TRIED = 8
"""Keys of one place that are looked for; there is seldom more than one."""
STRIPES = 64
AT_ONCE = 100
"""Keys that are forgotten before the list is told."""


class Place(NamedTuple):
    """Whose details a key seals, and of which year."""

    institution: Institution
    patient_alias: UUID | None
    year: int


@dataclass(frozen=True, slots=True)
class _Held:
    key_id: KeyId
    seal: DetailsSeal
    since: float


class LedgerKeys:
    """Gives each entry the key of its place, and forgets keys."""

    def __init__(
        self,
        keys: KeyList,
        ledger: Ledger,
        wrapper: KeyWrapper,
        unwrapper: KeyUnwrapper | None,
        eraser: KeyEraser | None,
        shelf: KeyShelf | None,
        proving: Callable[[Institution], DetailsSeal],
        monotonic: Callable[[], float],
    ) -> None:
        """Take what keys are listed, made, brought back, erased, looked for and proven by; None: it may not."""
        self._list = keys
        self._ledger = ledger
        self._wrapper = wrapper
        self._unwrapper = unwrapper
        self._eraser = eraser
        self._shelf = shelf
        self._proving = proving
        self._monotonic = monotonic
        self._held: OrderedDict[Place, _Held] = OrderedDict()
        self._lock = threading.Lock()
        self._flights = tuple(threading.Lock() for _ in range(STRIPES))
        self._unassigned: defaultdict[Institution, deque[ForgettableKey]] = defaultdict(deque)

    @property
    def may_forget(self) -> bool:
        """Whether this process was given the right to erase keys."""
        return self._eraser is not None

    def seal(self, institution: Institution, patient_alias: UUID | None, year: int) -> tuple[KeyId, DetailsSeal]:
        """Return the key that details of this place are sealed under now, and its id.

        Raises:
            Unavailable: no key of this place is in memory, and none can be fetched or made.
        """
        place = Place(institution, patient_alias, year)
        held = self._find(place)
        if held is None or self._is_old(held):
            with self._flights[hash(place) % STRIPES]:
                held = self._find(place)
                if held is None or self._is_old(held):
                    held = self._renew(place, held)
        return held.key_id, held.seal

    def expect(self, institution: Institution) -> None:
        """Have a key at hand for a patient who is not known yet.

        Such a patient gets a name within the commit that needs the key, where nobody may wait for the vault.
        """
        with self._lock:
            there = bool(self._unassigned[institution])
        if not there:
            minted = self._wrapper.mint(institution, Shelf.LEDGER)
            with self._lock:
                self._unassigned[institution].append(minted)

    def forget(self, permit: Permit, institution: Institution, patient_alias: UUID, through: int | None = None) -> int:
        """Forget what the ledger says of one patient, of all years or up to and with one; return how many keys went.

        Entries, chain and proofs stay as they are; the details open to nobody any more. Another
        process may seal new details under a forgotten key for `OLDEST` seconds: they open to nobody either.
        The list is only a shortcut: every entry of the ledger is asked too, so that no key is kept by hiding its row.

        Raises:
            Tampered: the list or the ledger is not what was written; nothing is forgotten then.
            Unavailable: this process may not erase, or not every key is proven gone; try again.
        """
        listed = list(map(self.demand, self._list.of_patient(institution, patient_alias, through)))
        entries = self._ledger.entries(0, self._ledger.size())
        named = map(self.demand, keys_named(entries, institution, patient_alias, through))
        known = {key.key_id for key in listed}
        unlisted = {key.key_id: key for key in named if key.key_id not in known}
        return self.erase(permit, [*listed, *self._still_there(institution, unlisted)])

    def erase(self, permit: Permit, keys: Iterable[LedgerKey]) -> int:
        """Erase keys from the shelf, prove each gone, then take them off the list; return how many there were.

        Whoever is interrupted does it again: a key that is gone already is a key that is gone.

        Raises:
            Tampered: the archive did not list a key so; neither it nor what follows it is erased.
            Unavailable: this process may not erase, or not every key is proven gone.
        """
        if self._eraser is None:
            raise Unavailable("this process was not given the right to erase keys")
        erased, waiting = 0, iter(keys)
        while some := list(islice(waiting, AT_ONCE)):
            named: defaultdict[Institution, list[KeyId]] = defaultdict(list)
            for key in map(self.demand, some):
                named[key.institution].append(key.key_id)
            for institution, key_ids in named.items():
                self._eraser.erase(institution, Shelf.LEDGER, key_ids)
            self._list.remove(permit, some)
            self._drop({key.key_id for key in some})
            erased += len(some)
        return erased

    def _still_there(self, institution: Institution, keys: dict[KeyId, LedgerKey]) -> list[LedgerKey]:
        """Leave out what is known to be gone: entries go on naming keys that were forgotten long ago."""
        if self._shelf is None:
            return list(keys.values())
        return [keys[key_id] for key_id in self._shelf.lying(institution, Shelf.LEDGER, list(keys))]

    def demand(self, key: LedgerKey) -> LedgerKey:
        """Return a key of the list; raise `Tampered` when the archive did not list it so."""
        if not self._is_proven(key):
            raise Tampered("the list of ledger keys is not what was written")
        return key

    def _is_proven(self, key: LedgerKey) -> bool:
        return is_ledger_key(self._proving(key.institution), key)

    def _find(self, place: Place) -> _Held | None:
        with self._lock:
            held = self._held.get(place)
            if held is not None:
                self._held.move_to_end(place)
            return held

    def _is_old(self, held: _Held) -> bool:
        return self._monotonic() - held.since > OLDEST

    def _renew(self, place: Place, held: _Held | None) -> _Held:
        try:
            key = self._fetch(place, held=held is not None) or self._take(place)
        except Unavailable:
            if held is None:
                raise
            return held
        same = held is not None and held.key_id == key.key_id
        fresh = _Held(key.key_id, held.seal if held and same else DetailsSeal(key.key), self._monotonic())
        with self._lock:
            self._held[place] = fresh
            self._held.move_to_end(place)
            if len(self._held) > MOST_KEYS:
                self._held.popitem(last=False)
        return fresh

    def _fetch(self, place: Place, *, held: bool) -> ForgettableKey | None:
        if self._unwrapper is None:
            return None
        # A row that somebody else put there must not have this patient's details sealed under another's key.
        listed = [key.key_id for key in self._list.of(*place) if self._is_proven(key)][:MOST_TRIED]
        try:
            found = self._unwrapper.fetch(place.institution, Shelf.LEDGER, listed) if listed else {}
        except Unavailable:
            if held:
                raise
            return None  # another is taken or made, as by whoever may not fetch one back
        return next((found[key_id] for key_id in listed if key_id in found), None)

    def _take(self, place: Place) -> ForgettableKey:
        """Take a key that was made beforehand, where the place is a patient's, or make one."""
        with self._lock:
            waiting = self._unassigned[place.institution]
            if place.patient_alias is not None and waiting:
                return waiting.popleft()
        return self._wrapper.mint(place.institution, Shelf.LEDGER)

    def _drop(self, key_ids: set[KeyId]) -> None:
        with self._lock:
            for place in [place for place, held in self._held.items() if held.key_id in key_ids]:
                del self._held[place]
