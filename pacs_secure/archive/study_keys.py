"""Study keys in memory: few, briefly, and fetched once however many readers wait.

Limits of crypto-and-ledger 6: 300 s at most, 60 s idle, 4,096 keys; for sealing 2^20 objects or 1 TiB a key.
CPython cannot wipe ``bytes``; dropping the reference is all that eviction can do.
"""

import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pacs_secure.core.errors import NotFound
from pacs_secure.core.identifiers import Institution, KeyId, Uid
from pacs_secure.ports import ForgettableKey, KeyUnwrapper, KeyWrapper, Shelf

OLDEST = 300.0
"""Seconds that no key is older than; each has its own age up to a tenth below, so that not all are fetched at once."""
SHORTER = 0.1
MOST_IDLE = 60.0
MOST_KEYS = 4096
MOST_USES = 1 << 20
MOST_OCTETS = 1 << 40
"""Bytes that are sealed under one key."""
STRIPES = 64


Place = TypeVar("Place", bound=Hashable)


@dataclass(slots=True)
class _Key:
    key: ForgettableKey
    born: float
    used: float
    oldest: float
    uses: int = 1
    octets: int = 0

    def spent(self, now: float) -> bool:
        return now - self.born > self.oldest or self.uses >= MOST_USES or self.octets >= MOST_OCTETS


class _Kept(Generic[Place]):
    """Keys by place, oldest use first, with one lock a stripe so that a miss is fetched once."""

    def __init__(self, monotonic: Callable[[], float], chance: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._keys: OrderedDict[Place, _Key] = OrderedDict()
        self._lock = threading.Lock()
        self._flights = tuple(threading.Lock() for _ in range(STRIPES))

    def flight(self, place: Hashable) -> threading.Lock:
        return self._flights[hash(place) % STRIPES]

    def find(self, place: Place) -> ForgettableKey | None:
        now = self._monotonic()
        with self._lock:
            self._drop_idle(now)
            kept = self._keys.get(place)
            if kept is None:
                return None
            if kept.spent(now):
                del self._keys[place]
                return None
            kept.used = now
            kept.uses += 1
            self._keys.move_to_end(place)
            return kept.key

    def keep(self, place: Place, key: ForgettableKey) -> ForgettableKey:
        now = self._monotonic()
        with self._lock:
            self._drop_idle(now)
            oldest = OLDEST * (1 - SHORTER * self._chance())
            self._keys[place] = _Key(key, now, now, oldest)
            self._keys.move_to_end(place)
            if len(self._keys) > MOST_KEYS:
                self._keys.popitem(last=False)
        return key

    def drop(self, key_ids: Collection[KeyId]) -> None:
        with self._lock:
            for place in [place for place, kept in self._keys.items() if kept.key.key_id in key_ids]:
                del self._keys[place]

    def weigh(self, place: Place, octets: int) -> None:
        with self._lock:
            kept = self._keys.get(place)
            if kept is not None:
                kept.octets += octets

    def clear(self) -> None:
        with self._lock:
            self._keys.clear()

    def _drop_idle(self, now: float) -> None:
        """Drop every key that nobody has used for a while, whoever is asked for now."""
        while self._keys and now - next(iter(self._keys.values())).used > MOST_IDLE:
            self._keys.popitem(last=False)


class StudyKeys:
    """Gives sealing its current key of a study, and opening the keys its objects name."""

    def __init__(
        self,
        wrapper: KeyWrapper,
        unwrapper: KeyUnwrapper,
        monotonic: Callable[[], float],
        chance: Callable[[], float] = random.random,
        *,
        outlasting: bool = False,
    ) -> None:
        """Take where keys come from; ``outlasting`` ones go on sealing when the vault is away, and open nothing."""
        self._outlasting = outlasting
        self._wrapper = wrapper
        self._unwrapper = unwrapper
        self._sealing: _Kept[tuple[Institution, Uid, int]] = _Kept(monotonic, chance)
        self._opening: _Kept[tuple[Institution, KeyId]] = _Kept(monotonic, chance)

    def for_sealing(self, institution: Institution, study_instance_uid: Uid, epoch: int = 0) -> ForgettableKey:
        """Return the key that new objects of the study are sealed under, minting one when none is in memory.

        A study may own several keys: a role that may only create on the shelf cannot fetch an
        older one back, so it makes another. Of one UID each epoch has its own: a key from before
        a fence seals nothing behind it.
        """
        place = (institution, study_instance_uid, epoch)
        with self._sealing.flight(place):
            return self._sealing.find(place) or self._sealing.keep(place, self._wrapper.mint(institution, Shelf.STUDY))

    def for_opening(self, institution: Institution, key_ids: Collection[KeyId]) -> dict[KeyId, ForgettableKey]:
        """Return the keys by id, fetching the missing ones in one batch.

        Raises:
            NotFound: a key was forgotten: its objects are erased.
        """
        wanted = frozenset(key_ids)
        with self._opening.flight((institution, wanted)):
            found = {key_id: key for key_id in wanted if (key := self._opening.find((institution, key_id)))}
            missing = wanted - found.keys()
            if missing:
                fetched = self._unwrapper.fetch(institution, Shelf.STUDY, missing)
                if missing - fetched.keys():
                    raise NotFound("the key of this object was forgotten")
                found |= {key_id: self._opening.keep((institution, key_id), key) for key_id, key in fetched.items()}
            return found

    def drop(self, key_ids: Collection[KeyId]) -> None:
        """Drop these keys from memory: they are being forgotten."""
        self._sealing.drop(key_ids)
        self._opening.drop(key_ids)

    def sealed(self, institution: Institution, study_instance_uid: Uid, octets: int, epoch: int = 0) -> None:
        """Note how many bytes were sealed under the key of a study."""
        self._sealing.weigh((institution, study_instance_uid, epoch), octets)

    def flush(self) -> None:
        """Drop every key that opens something: the vault was sealed, access was revoked, or the process ends.

        Of those that seal, keys of a pool stay for their time: what they seal opens to nobody without the vault.
        """
        if not self._outlasting:
            self._sealing.clear()
        self._opening.clear()
