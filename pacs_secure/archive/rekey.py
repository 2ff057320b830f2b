"""Rekeying: the institution's key is turned, and everything on the shelf is wrapped anew; no object is rewritten.

A study key lies on the shelf wrapped by the institution's key, and stays the same 32 bytes under whichever version
wraps it: so neither objects nor rows know of it. The order of steps is what a crash may leave behind:

1. turn     the vault makes a new version; from now on everything is wrapped under it
2. rewrap   shelf by shelf, 100 entries at a time; how far it has come is kept, and whoever comes next goes on there
3. look     at every entry on every shelf once more, whatever the rows say: none may be wrapped under an older version
4. retire   the older versions; only now, and not while a key that was wrapped before the turn may still be on its way

Nothing that was forgotten comes back: the vault's role may write over an entry and not create one, and what was
written is held against the tombstones afterwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action, Grant, Permit, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import KekState, KeyEraser, KeyRewrapper, RewrapRow, Rewraps, Shelf, Tombstones

AT_ONCE = 100
"""Entries between two notes of how far it has come."""
SETTLING = timedelta(seconds=60)
"""How long after a turn a key that was wrapped before it may still come to the shelf: it is made within seconds."""

Progress = Callable[[int], None]
"""Hears of every batch of entries that were looked at."""


class Stay(StrEnum):
    """Why older versions still unwrap after a rewrapping."""

    NOTHING = "nothing"
    """They do not: the rewrapping is at its end."""
    FAILED = "failed"
    """The vault could not wrap some entries anew."""
    BELOW = "below"
    """An entry under an older version came meanwhile: once more."""
    YOUNG = "young"
    """The turn is less than a minute ago."""
    STOPPED = "stopped"
    """The archive ends: it goes on with the next start."""


@dataclass(frozen=True, slots=True)
class OnShelf:
    """One shelf of an institution."""

    shelf: Shelf
    keys: int
    row: RewrapRow | None
    """How far its newest rewrapping has come."""


@dataclass(frozen=True, slots=True)
class KeysStatus:
    """How the keys of an institution stand."""

    kek: KekState
    shelves: Sequence[OnShelf]

    @property
    def pending(self) -> bool:
        """Whether a rewrapping is not at its end."""
        return self.kek.least < self.kek.newest


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What one call has done."""

    version: int
    done: int = 0
    gone: int = 0
    failed: int = 0
    stay: Stay = Stay.NOTHING

    def told(self) -> dict[str, str | int]:
        """Return it as facts for the ledger."""
        counts = {"rewrapped": self.done, "forgotten": self.gone, "failed": self.failed}
        return {"version": self.version, **counts, "older": "retired" if self.stay is Stay.NOTHING else self.stay.value}


@dataclass(frozen=True, slots=True)
class Rekey:
    """The verb: status, rotate, rewrap; each for the caller's own institution."""

    guard: Guard
    rewrapper: KeyRewrapper | None
    """None: this process was not given the vault role for it."""
    rewraps: Rewraps
    tombstones: Tombstones
    eraser: KeyEraser | None
    now: Callable[[], datetime]

    @property
    def able(self) -> bool:
        """Whether this process was given the right."""
        return self.rewrapper is not None

    def pending(self, of: Institution) -> bool:
        """Say whether a rewrapping waits to go on; raises `Unavailable` when the vault does not say."""
        state = self.state(of)
        return state.least < state.newest

    def state(self, of: Institution) -> KekState:
        """Return the versions of an institution's key, which name nobody; raises as `pending`."""
        return self._given().state(of)

    def status(self, subject: Subject, purpose: Purpose | None, *, details: dict[str, str]) -> KeysStatus:
        """Say which versions there are, how many keys lie on each shelf, and how far a rewrapping has come.

        Raises:
            Denied: the caller may not.
            Unavailable: this process was not given the right, or the vault is out of reach.
        """
        grant = self.guard.admit(AccessRequest(subject, Action.KEYS_STATUS, purpose, details=details))
        try:
            rewrapper, of = self._given(), subject.institution
            rows = {row.shelf: row for row in self.rewraps.of(of)}
            shelves = [OnShelf(shelf, len(rewrapper.shelved(of, shelf)), rows.get(shelf)) for shelf in Shelf]
            status = KeysStatus(rewrapper.state(of), shelves)
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish_later(grant, Outcome.COMPLETED, {"version": status.kek.newest})
        return status

    def rotate(self, subject: Subject, purpose: Purpose | None, *, details: dict[str, str]) -> KekState:
        """Turn the institution's key, and begin to wrap the shelf anew; `rewrap` carries it out.

        Raises:
            Denied: the caller may not.
            Conflict: the rewrapping of the turn before has not come to an end.
            Unavailable: this process was not given the right, or the vault is out of reach.
        """
        permit = self.guard.decide(AccessRequest(subject, Action.KEYS_ROTATE, purpose, details=details))
        grant = self.guard.grant(permit, 0)
        try:
            rewrapper, of = self._given(), subject.institution
            if any(row.finished is None for row in self.rewraps.of(of)):
                raise Conflict("the shelf is still being wrapped anew after the last rotation")
            # 1 turn
            state = rewrapper.rotate(of)
            self.begin(permit, grant, of, state)
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish(permit, Outcome.COMPLETED, {"version": state.newest})
        return state

    def rewrap(
        self,
        subject: Subject,
        purpose: Purpose | None,
        *,
        details: dict[str, str],
        progress: Progress = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Rekeyed:
        """Wrap the shelf anew from where it stood, and retire older versions when nothing is left under them.

        May be called again at any time, also after a crash and by two processes at once.

        Raises:
            Denied: the caller may not.
            Conflict: somebody else has begun anew meanwhile.
            Unavailable: this process was not given the right, or something is out of reach; the rest goes next time.
        """
        permit = self.guard.decide(AccessRequest(subject, Action.KEYS_REWRAP, purpose, details=details))
        grant = self.guard.grant(permit, 0)
        try:
            rekeyed = _Run(self, self._given(), permit, grant, progress, stop).carry_out()
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish(permit, Outcome.FAILED if rekeyed.failed else Outcome.COMPLETED, rekeyed.told())
        if rekeyed.failed:
            self.guard.alarm(subject.institution, "keys on the shelf", {"failed": rekeyed.failed})
        return rekeyed

    def _given(self) -> KeyRewrapper:
        if self.rewrapper is None:
            raise Unavailable("this process was not given the right to wrap keys anew")
        return self.rewrapper

    def begin(self, permit: Permit, grant: Grant, of: Institution, state: KekState) -> Sequence[RewrapRow]:
        """Begin to wrap every shelf anew, from its first entry, and record that."""
        rows = [RewrapRow(of, shelf, state.newest, self.now()) for shelf in sorted(Shelf)]
        self.rewraps.begin(permit, rows, self.guard.draft(grant, Outcome.BEGUN, {"version": state.newest}))
        return rows

    def bury_again(self, of: Institution, shelf: Shelf, written: frozenset[KeyId]) -> None:
        """Take off again what was forgotten in the moment in which it was written over.

        Raises:
            Unavailable: it cannot be taken off; readiness stays closed as long as it lies there.
        """
        revived = [key_id for key_id in sorted(written) if self.tombstones.holds(of, shelf, key_id)]
        if not revived:
            return
        if self.eraser is None:
            raise Unavailable("a forgotten key may lie on the shelf again, and this process may not erase")
        self.eraser.erase(of, shelf, revived)


class _Run:
    """One call of `Rekey.rewrap`."""

    def __init__(
        self,
        rekey: Rekey,
        rewrapper: KeyRewrapper,
        permit: Permit,
        grant: Grant,
        progress: Progress,
        stop: Callable[[], bool],
    ) -> None:
        self._rekey = rekey
        self._rewrapper = rewrapper
        self._permit = permit
        self._grant = grant
        self._progress = progress
        self._stop = stop
        self._of = permit.request.subject.institution
        self._state = rewrapper.state(self._of)
        self._told = Rekeyed(self._state.newest)

    def carry_out(self) -> Rekeyed:
        """Do what is left, and say how it came out."""
        if self._state.least == self._state.newest:
            return self._told
        # 2 rewrap
        failed = 0
        for row in self._rows():
            ended = self._shelf(row)
            if ended.finished is None:
                return replace(self._told, stay=Stay.STOPPED)
            failed += ended.failed
        if failed:
            return replace(self._told, failed=failed, stay=Stay.FAILED)
        return replace(self._told, stay=self._end())

    def _end(self) -> Stay:
        """Retire older versions when nothing is left under them, and say why when something is."""
        if self._rekey.now() - self._state.made_at < SETTLING:
            return Stay.YOUNG
        # 3 look
        below = self._look()
        if below is None:
            return Stay.STOPPED
        if below:
            self._anew()
            return Stay.BELOW
        # 4 retire
        self._rewrapper.retire(self._of, self._state.newest)
        return Stay.NOTHING

    def _rows(self) -> Sequence[RewrapRow]:
        """Return where it stands; begin anew when that is of another version, or ended with failures."""
        rows = self._rekey.rewraps.of(self._of)
        ours = {row.shelf for row in rows} == set(Shelf) and {row.version for row in rows} == {self._state.newest}
        ended = all(row.finished is not None for row in rows)
        if ours and not (ended and any(row.failed for row in rows)):
            return rows
        return self._anew()

    def _anew(self) -> Sequence[RewrapRow]:
        return self._rekey.begin(self._permit, self._grant, self._of, self._state)

    def _shelf(self, row: RewrapRow) -> RewrapRow:
        if row.finished is not None:
            return row
        last = row.last
        waiting = [one for one in self._rewrapper.shelved(self._of, row.shelf) if last is None or one > last]
        for start in range(0, len(waiting), AT_ONCE):
            if self._stop():
                return row
            row = self._batch(row, waiting[start : start + AT_ONCE])
        row = replace(row, finished=self._rekey.now())
        self._rekey.rewraps.advance(self._permit, row)
        return row

    def _batch(self, row: RewrapRow, key_ids: Sequence[KeyId]) -> RewrapRow:
        result = self._rewrapper.rewrap(self._of, row.shelf, key_ids, row.version)
        self._rekey.bury_again(self._of, row.shelf, result.done)
        done, failed = len(result.done), len(result.failed)
        row = replace(row, last=key_ids[-1], done=row.done + done, failed=row.failed + failed)
        self._rekey.rewraps.advance(self._permit, row)
        self._told = replace(self._told, done=self._told.done + done, gone=self._told.gone + result.gone)
        self._progress(len(key_ids))
        return row

    def _look(self) -> int | None:
        """Count what is still wrapped under an older version; None when there was no time to look at all."""
        below = 0
        for shelf in Shelf:
            there = self._rewrapper.shelved(self._of, shelf)
            for start in range(0, len(there), AT_ONCE):
                if self._stop():
                    return None
                some = there[start : start + AT_ONCE]
                below += self._rewrapper.below(self._of, shelf, some, self._state.newest)
                self._progress(len(some))
        return below
