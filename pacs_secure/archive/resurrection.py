"""Resurrection: a vault that is restored from a snapshot has keys again that were forgotten since; they go again.

The tombstones are held against the shelf, never the shelf against them: it may hold millions. All of them when the
archive starts, and again and again while it runs: each time the newest, for whatever snapshot is restored lacks what
happened last, and a page of the rest. What lives again is an alarm on record before it is deleted; a process that may
not delete it is not ready until somebody who may has done so. Meanwhile nothing opens by it (`LivingKeys`).
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, islice
from operator import attrgetter

from pacs_secure.archive.guard import Guard
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import KeyEraser, KeyShelf, Tombstone, Tombstones

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
PAGE = 100
"""Tombstones in one question."""
TOLD = 10_000
"""Tombstones after which the log says how far a look has come."""
BEING_FORGOTTEN = timedelta(minutes=1)
"""From its burial until a key must have left the shelf; a start waits for nobody."""
_place = attrgetter("institution", "shelf")


class Resurrection:
    """Looks for forgotten keys on the shelf, and takes them off again."""

    def __init__(
        self,
        tombstones: Tombstones,
        shelf: KeyShelf,
        eraser: KeyEraser | None,
        guard: Guard,
        of: Institution,
        now: Callable[[], datetime],
    ) -> None:
        """Take what is asked, and what erases; None: this process may not.

        ``of`` is whose ledger hears of it.
        """
        self._tombstones = tombstones
        self._shelf = shelf
        self._eraser = eraser
        self._guard = guard
        self._of = of
        self._now = now
        self._looked = False
        self._living = False
        self._alarmed = False
        self._newest: Sequence[Tombstone] = ()
        self._rest: Iterator[Tombstone] = iter(())

    def check(self) -> None:
        """Return when no forgotten key is known to be back; raise `Unavailable` otherwise."""
        if not self._looked:
            raise Unavailable("nobody knows yet whether a forgotten key is back")
        if self._living:
            raise Unavailable(
                "a forgotten key is back, and this process may not delete it: start one with the vault role eraser"
            )

    def look_at_all(self) -> int:
        """Hold every tombstone against the shelf; return how many keys were back, which are gone now.

        Raises:
            Tampered: the tombstones are not what was buried.
            Unavailable: keys are back and this process may not delete them, or something is out of reach.
        """
        self._looked, deleted, held, every = False, 0, 0, self._every()
        while page := list(islice(every, PAGE)):
            deleted += self._bury_again(self._back(page))
            held += len(page)
            if held % TOLD == 0:
                log.info("%s tombstones were held against the shelf so far", held)
        self._looked = True
        self._say_that_all_is_well(deleted)
        return deleted

    def look(self) -> int:
        """Hold the newest tombstones and the next page of all against the shelf; raises as `look_at_all`."""
        if not self._looked or self._living:
            return self.look_at_all()
        page = list(islice(self._rest, PAGE))
        if len(page) < PAGE:
            self._rest = self._every()
        back = self._back(dict.fromkeys([*self._newest, *page]))
        late = [one for one in back if abs(self._now() - one.forgotten_at) > BEING_FORGOTTEN]
        if not late:
            return 0
        # One that is back is seldom alone.
        return self._bury_again(late) + self.look_at_all()

    def _every(self) -> Iterator[Tombstone]:
        newest: deque[Tombstone] = deque(maxlen=PAGE)
        for tombstone in self._tombstones.all():
            newest.append(tombstone)
            yield tombstone
        self._newest = tuple(newest)

    def _back(self, tombstones: Iterable[Tombstone]) -> list[Tombstone]:
        """Return those whose keys are on the shelf."""
        found: list[Tombstone] = []
        for (institution, shelf), some in groupby(sorted(tombstones, key=_place), key=_place):
            asked = {one.key_id: one for one in some}
            found += [asked[key_id] for key_id in self._shelf.lying(institution, shelf, asked)]
        return found

    def _bury_again(self, back: list[Tombstone]) -> int:
        """Say that keys are back, then delete them where this process may."""
        if not back:
            return 0
        self._living = True
        if not self._alarmed:
            log.error("forgotten keys are back on the shelf")
            deleting = "yes" if self._eraser is not None else "no"
            self._guard.alarm(self._of, "forgotten keys are back", {"keys": len(back), "deleting": deleting})
            self._alarmed = True
        if self._eraser is None:
            self._looked = True
            self.check()
        else:
            for (institution, shelf), some in groupby(sorted(back, key=_place), key=_place):
                self._eraser.erase(institution, shelf, [one.key_id for one in some])
        return len(back)

    def _say_that_all_is_well(self, deleted: int) -> None:
        self._living = False
        if self._alarmed:
            self._guard.alarm(self._of, "forgotten keys are back", {"recovered": "they are gone", "keys": deleted})
            self._alarmed = False
