"""Index against store and shelf, both ways: no row without its object and key, no object and no key left over.

Several may look at once, and others store and forget meanwhile: whatever seems wanting is looked at a second
time before it is a finding, and what is new since the walk began is nobody's left-over.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, groupby, islice
from typing import TypeVar

from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.ledger_check import MOST_FINDINGS
from pacs_secure.archive.left_over import LeftOver
from pacs_secure.archive.object_check import ObjectCheck
from pacs_secure.archive.proofs import demand_study, demand_tie
from pacs_secure.core.access import Grant
from pacs_secure.core.audit import Finding, Pace, Verdict
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.core.instance import InstanceRow
from pacs_secure.crypto.index_seal import IndexSeal
from pacs_secure.ports import (
    Blobs,
    Forgettings,
    KeyList,
    KeyShelf,
    KeyUnwrapper,
    Rebuilds,
    Records,
    Shelf,
    StoredName,
    Ties,
    Tombstone,
    Tombstones,
)

NOBODYS = "no row names it, and it may be somebody's picture: it stays"

MOST_DEAD = 100
"""Objects that crashes leave in a day at most; more without a row means that the index is old, or another one."""

BEING_FORGOTTEN = timedelta(minutes=10)
"""From its burial until a key must have left the shelf."""

AT_ONCE = 500

Paced = Callable[[Pace], object]
T = TypeVar("T")

COPIED_AFTER = timedelta(hours=1)
"""How old an object is that the second store must have."""


@dataclass(slots=True)
class _Walk:
    """What one verification has seen so far."""

    begun: float
    findings: list[Finding] = field(default_factory=list)
    objects: int = 0
    octets: int = 0
    shelves: dict[Institution, frozenset[KeyId]] = field(default_factory=dict)
    second_away: bool = False
    gone: set[KeyId] = field(default_factory=set)
    """Keys that a row names and that were looked for and not found."""

    def found(self, place: str, problem: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(place, None, problem))

    def pace(self, now: float) -> Pace:
        return Pace(self.objects, self.octets, now - self.begun)


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """Looks through index, store and shelf."""

    records: Records
    ties: Ties
    blobs: Blobs
    objects: ObjectCheck
    seals: InstitutionSeals
    unwrapper: KeyUnwrapper
    rebuilds: Rebuilds
    forgettings: Forgettings
    tombstones: Tombstones
    shelf: KeyShelf
    keys: KeyList | None
    """None: this process may not list the shelf, and says so."""
    home: Institution
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    second: ObjectCheck | None = None
    """The same of the second store, where there is one."""

    def take(self, grant: Grant, *, deep: bool, paced: Paced) -> Verdict:
        """Look at everything, sweep what is dead, and say what was found; ``deep`` opens, compares and parses.

        Objects that no row names are swept while they are young enough for a crash to have left them (`LeftOver`);
        older ones are findings. So many that the index must be an old one, or another archive's, are one finding.

        Raises:
            Unavailable: keys, index or store are out of reach; that says nothing of what they hold.
        """
        walk = _Walk(self.monotonic())
        if self.keys is not None:
            walk.shelves[self.home] = self.keys.listed(self.home, Shelf.STUDY)
        for row in self.records.every_instance(grant):
            self._row(grant, walk, row, deep=deep)
            paced(walk.pace(self.monotonic()))
        pace = walk.pace(self.monotonic())
        if deep:
            walk.findings += self._facts(grant)
        self._look_for_the_forgotten(walk)
        told = {"swept": self._sweep(walk), **self._left_keys(walk)}
        return Verdict(walk.objects, tuple(walk.findings), pace, told)

    def _row(self, grant: Grant, walk: _Walk, row: InstanceRow, *, deep: bool) -> None:
        walk.objects += 1
        if deep:
            problem = self.objects.read(grant, row)
            walk.octets += row.sealed.stored_length
        else:
            problem = self.objects.look(row) or self._key_problem(walk, row)
        if problem:
            walk.found("object", f"{row.sealed.object_id}: {problem}")
        if self.second is not None and not walk.second_away and self.now() - row.received_at > COPIED_AFTER:
            self._in_second(grant, walk, row, self.second, deep=deep)

    def _in_second(self, grant: Grant, walk: _Walk, row: InstanceRow, second: ObjectCheck, *, deep: bool) -> None:
        """Look at the other copy of an object; a second store that is away is one finding and asked no more."""
        try:
            problem = second.read(grant, row) if deep else second.look(row)
        except Unavailable:
            walk.second_away = True
            walk.found("second store", "it is out of reach")
            return
        if problem:
            walk.found("second store", f"{row.sealed.object_id}: {problem}")

    def _key_problem(self, walk: _Walk, row: InstanceRow) -> str:
        """Return whether the key of a row is not on the shelf, or ""; asked once a key."""
        of, key_id = row.identity.institution, row.sealed.study_key_id
        if self.keys is None:
            return ""
        if of not in walk.shelves:
            walk.shelves[of] = self.keys.listed(of, Shelf.STUDY)
        if key_id in walk.shelves[of]:
            return ""
        if key_id not in walk.gone:
            # Made since the list was, or gone: the shelf is asked for this very one.
            if self.unwrapper.fetch(of, Shelf.STUDY, [key_id]):
                walk.shelves[of] |= {key_id}
                return ""
            walk.gone.add(key_id)
        return self.objects.unless_gone(row, "its key is not on the shelf")

    def _sweep(self, walk: _Walk) -> int:
        """Remove what crashes left, and find what may be somebody's picture; return how much was removed."""
        left = LeftOver(self.now(), self.rebuilds.newest())
        if left.is_open:
            walk.found("index", "it is being rebuilt and that has not come to its end: nothing was swept")
            return 0
        most = min(MOST_DEAD, walk.objects)
        unnamed: list[StoredName] = []
        for stored in self._unnamed(left):
            if left.is_from_before(stored):
                walk.found("store", f"{stored.object_id}: {NOBODYS}")
            else:
                unnamed.append(stored)
            if len(unnamed) > most:
                walk.found("index", f"no row names {len(unnamed)} objects or more: it is not theirs, nothing was swept")
                return 0
        return sum(self._removed(walk, left, stored) for stored in unnamed)

    def _removed(self, walk: _Walk, left: LeftOver, stored: StoredName) -> bool:
        if not left.is_young(stored):
            walk.found("store", f"{stored.object_id}: {NOBODYS}")
            return False
        if not left.is_settled(stored) or self.records.naming_objects([stored.object_id]):
            return False  # whoever put it is slow, or its clock is another one
        self.blobs.remove(stored.object_id)
        return True

    def _unnamed(self, left: LeftOver) -> Iterator[StoredName]:
        """Yield objects that no row names and that are a day old: the index is asked after the store."""
        for some in _batches(self._old(left)):
            named = self.records.naming_objects([stored.object_id for stored in some])
            # What is being forgotten has no rows any more; who forgets it removes it once its keys are gone.
            doomed = {object_id for one in self.forgettings.under_way() for object_id in one.object_ids}
            yield from (stored for stored in some if stored.object_id not in named | doomed)

    def _old(self, left: LeftOver) -> Iterator[StoredName]:
        for stored in self.blobs.names():
            left.saw(stored)
            if left.is_old(stored):
                yield stored

    def _left_keys(self, walk: _Walk) -> Mapping[str, int | str]:
        """Count the keys that no row names: a crash left them or they wait to be used; they open nothing."""
        if self.keys is None:
            return {"shelf": "not compared: this process may not list it"}
        keys = [key_id for listed in walk.shelves.values() for key_id in sorted(listed)]
        named = sum(len(self.records.naming_keys(some)) for some in _batches(keys))
        return {"keys": len(keys), "keys_unnamed": len(keys) - named}

    def _look_for_the_forgotten(self, walk: _Walk) -> None:
        """Find keys that were forgotten and are on the shelf again: whoever restored it brought them back."""
        settled = (one for one in self.tombstones.all() if self.now() - one.forgotten_at > BEING_FORGOTTEN)
        for some in _batches(settled):
            for (of, shelf), ones in groupby(sorted(some, key=_place), key=_place):
                for key_id in sorted(self.shelf.lying(of, shelf, [one.key_id for one in ones])):
                    walk.found("shelf", f"{key_id}: it was forgotten, and is there again")

    def _facts(self, grant: Grant) -> list[Finding]:
        """Find studies and ties whose proof does not hold: what decisions would refuse to rest on."""
        studies = (
            (f"study {stored.facts.alias}", self._unproven(demand_study, stored.facts.institution, stored))
            for stored in self.records.every_study(grant)
        )
        ties = (
            (f"tie {tie.tie_id}", self._unproven(demand_tie, tie.institution, tie)) for tie in self.ties.every(grant)
        )
        found = (Finding("facts", None, f"{what}: {problem}") for what, problem in chain(studies, ties) if problem)
        return list(islice(found, MOST_FINDINGS))

    def _unproven(self, demand: Callable[[IndexSeal, T], object], of: Institution, kept: T) -> str:
        """Return why a proof does not hold, or ""."""
        try:
            demand(self.seals.index(of), kept)
        except Tampered as error:
            return str(error)
        return ""


def _place(one: Tombstone) -> tuple[Institution, Shelf]:
    return one.institution, one.shelf


Item = TypeVar("Item", StoredName, KeyId, Tombstone)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, AT_ONCE)):
        yield some
