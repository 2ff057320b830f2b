"""Copies of sealed objects: which store is asked first, and what is remembered of one that was found wanting.

A copy proves itself by its seal, whoever kept it: what does not open is damaged, and the next store is asked.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pacs_secure.core.errors import ArchiveError, NotFound, Tampered, Unavailable
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.ports import Blobs

AWAY = 5.0
"""Seconds for which a store that was out of reach is asked last: its silence costs a reader the longest wait."""
MOST_REMEMBERED = 1000
"""Damaged objects about which the officer is told once; beyond that they are told again."""
NAMED_AT_ONCE = 8
TOLD_EVERY = 60.0
"""Seconds between two alarms about one store: a whole disk that decays is no flood of them."""
NAMES = ("first", "second")

Alarm = Callable[[str, Mapping[str, str | int]], object]


@dataclass(frozen=True, slots=True)
class Found:
    """One copy that is not what was sealed."""

    store: str
    object_id: ObjectId


class Copies:
    """The stores of one archive, in the order in which they are asked."""

    def __init__(self, stores: Sequence[Blobs], monotonic: Callable[[], float]) -> None:
        self._stores = dict(zip(NAMES, stores, strict=False))
        self._monotonic = monotonic
        self._away: dict[str, float] = {}
        self._waiting: dict[Found, None] = {}
        self._told: dict[Found, None] = {}
        self._alarmed: dict[str, float] = {}
        self._lock = threading.Lock()
        self.from_second = 0
        """How often the first store could not give what the second gave."""

    def read(self, object_id: ObjectId, start: int, read: Callable[[Blobs, int], Iterator[bytes]]) -> Iterator[bytes]:
        """Yield what ``read`` yields from ``start`` on; where one copy fails, the next goes on.

        Raises:
            Tampered: no copy is what was sealed.
            Unavailable: no copy could be read, and one was out of reach.
        """
        failures: list[ArchiveError] = []
        for store, blobs in self._in_order():
            try:
                for piece in read(blobs, start):
                    start += len(piece)
                    yield piece
            except (Tampered, Unavailable, NotFound) as error:
                failures.append(self._failed(store, object_id, error))
            else:
                self._worked(store, after_failure=bool(failures))
                return
        raise next((error for error in failures if isinstance(error, Unavailable)), failures[0])

    def found(self, store: str, object_id: ObjectId) -> None:
        """Remember a damaged copy until the officer was told."""
        what = Found(store, object_id)
        with self._lock:
            if what not in self._told:
                self._waiting[what] = None

    def tell(self, alarm: Alarm) -> int:
        """Have the officer told of the damaged copies found since, once a minute at most; return of how many.

        Raises:
            Unavailable: that cannot be done now; the next call does it.
        """
        told = 0
        for store in NAMES:
            with self._lock:
                found = [one for one in self._waiting if one.store == store]
            if found and self._monotonic() - self._alarmed.get(store, -TOLD_EVERY) >= TOLD_EVERY:
                named = " ".join(str(one.object_id) for one in found[:NAMED_AT_ONCE])
                alarm("objects", {"store": store, "damaged": len(found), "objects": named})
                self._remember(store, found)
                told += len(found)
        return told

    def _remember(self, store: str, found: Sequence[Found]) -> None:
        self._alarmed[store] = self._monotonic()
        with self._lock:
            for one in found:
                del self._waiting[one]
                self._told[one] = None
            while len(self._told) > MOST_REMEMBERED:
                del self._told[next(iter(self._told))]

    def _in_order(self) -> list[tuple[str, Blobs]]:
        now = self._monotonic()
        with self._lock:
            away = {store for store, since in self._away.items() if now - since < AWAY}
        return sorted(self._stores.items(), key=lambda named: named[0] in away)

    def _failed(self, store: str, object_id: ObjectId, error: ArchiveError) -> ArchiveError:
        if isinstance(error, Unavailable):
            with self._lock:
                self._away[store] = self._monotonic()
            return error
        self.found(store, object_id)
        # The index says it exists: to answer "no such object" would hide a loss.
        return Tampered("the stored object is missing") if isinstance(error, NotFound) else error

    def _worked(self, store: str, *, after_failure: bool) -> None:
        with self._lock:
            self._away.pop(store, None)
            self.from_second += after_failure or store != NAMES[0]
