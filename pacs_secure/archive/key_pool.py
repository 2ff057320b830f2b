"""Keys made beforehand: they take the vault off the way of a picture, and outlast an outage of it.

A key younger than the vault's newest snapshot is lost with the vault, and every picture under it. So a key of the
pool can be made to wait until a snapshot that somebody has verified holds it (crypto-and-ledger 5). On the shelf it
lies wrapped like any other, and the shelf is asked whether it still does before it may be used; in clear it is in the
memory of this process only, and nowhere once that ends. What is then left on the shelf opens nothing.
"""

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import ForgettableKey, KeyShelf, KeyWrapper, Shelf, Snapshots

log = logging.getLogger(__name__)

POOLED = (Shelf.STUDY, Shelf.LEDGER)
"""What a new study of a new patient needs: a key for its pictures, one for what the ledger says of the patient."""
MARGIN = timedelta(seconds=60)
"""How far the clocks of whoever makes keys and whoever takes snapshots may be apart."""
EVERY_SECONDS = 5.0
"""Between two looks whether the pool is full."""
MOST_AT_ONCE = 100
"""Keys that one look makes at most: a pool that is filled must not keep others from the vault."""

Place = tuple[Institution, Shelf]


@dataclass(frozen=True, slots=True)
class Level:
    """How full the pool is."""

    ready: int
    waiting: int
    """Made, and in no verified snapshot yet."""


@dataclass(frozen=True, slots=True)
class _Pooled:
    key: ForgettableKey
    made_at: datetime
    """When it lay on the shelf."""


class KeyPool:
    """`pacs_secure.ports.KeyWrapper` over another, which gives what was made beforehand while there is any."""

    def __init__(
        self,
        wrapper: KeyWrapper,
        shelf: KeyShelf,
        snapshots: Snapshots,
        home: Institution,
        size: int,
        now: Callable[[], datetime],
        *,
        only_in_snapshot: bool,
    ) -> None:
        self._wrapper = wrapper
        self._shelf = shelf
        self._snapshots = snapshots
        self._size = size
        self._now = now
        self._only_in_snapshot = only_in_snapshot
        self._held_until: datetime | None = None
        """Every key that was made before lies in a verified snapshot."""
        self._lock = threading.Lock()
        self._keys: defaultdict[Place, deque[_Pooled]] = defaultdict(deque)
        self._met = {home}

    def mint(self, institution: Institution, shelf: Shelf) -> ForgettableKey:
        """Return a key that was made beforehand and may be used, or make one now.

        Raises:
            Unavailable: there is none, and the vault is out of reach.
        """
        if shelf in POOLED:
            with self._lock:
                self._met.add(institution)
                waiting = self._keys[institution, shelf]
                if waiting and self._assignable(waiting[0]):
                    return waiting.popleft().key  # the oldest first: of all, it has waited
        return self._wrapper.mint(institution, shelf)

    def fill(self) -> int:
        """Make some of the keys that are missing and return how many; the vault may be asked for more next time.

        What the shelf lacks by now is dropped before: a vault that was restored has no key from after its snapshot.

        Raises:
            Unavailable: vault or index are out of reach; what is there stays, and nothing more of it may be used.
        """
        held_until = self._snapshots.newest_verified() if self._only_in_snapshot else None
        for place in self._places():
            self._drop_lost(place, held_until)
        self._held_until = held_until
        made = 0
        for place in self._places():
            while made < MOST_AT_ONCE and len(self._keys[place]) < self._size:
                key = self._wrapper.mint(*place)
                with self._lock:
                    self._keys[place].append(_Pooled(key, self._now()))
                made += 1
        return made

    def level(self) -> Level:
        """Return how full the pool is, over all shelves."""
        with self._lock:
            pooled = [one for waiting in self._keys.values() for one in waiting]
            ready = sum(map(self._assignable, pooled))
        return Level(ready, len(pooled) - ready)

    def drop(self) -> None:
        """Forget every key in memory: the process ends."""
        with self._lock:
            self._keys.clear()

    def _places(self) -> list[Place]:
        with self._lock:
            return [(institution, shelf) for institution in sorted(self._met) for shelf in POOLED]

    def _drop_lost(self, place: Place, held_until: datetime | None) -> None:
        """Drop what is to become assignable and is not on the shelf; everything, when the youngest key is not.

        What a restored vault lacks is what was made last: the youngest tells of a restore, one question a look.
        """
        with self._lock:
            pooled = list(self._keys[place])
        if not pooled:
            return
        youngest = pooled[-1].key.key_id
        new = [one for one in pooled if _is_held(one, held_until) and not _is_held(one, self._held_until)]
        asked = {youngest, *(one.key.key_id for one in new)}
        lost = asked - self._shelf.lying(*place, asked)
        if youngest in lost:
            lost = {one.key.key_id for one in pooled}
        if lost:
            log.error("%s keys made beforehand are not on the shelf any more, and are not used", len(lost))
            with self._lock:
                self._keys[place] = deque(one for one in self._keys[place] if one.key.key_id not in lost)

    def _assignable(self, pooled: _Pooled) -> bool:
        return not self._only_in_snapshot or _is_held(pooled, self._held_until)


def _is_held(pooled: _Pooled, until: datetime | None) -> bool:
    """Whether a key was surely made before a moment."""
    return until is not None and pooled.made_at + MARGIN <= until
