"""A shelf of keys in memory that passes the contract of the real one."""

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from os import urandom
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import ForgettableKey, KekState, Rewrapped, RewrapRow, Shelf
from tests.fakes import MemoryLedger

Place = tuple[Institution, Shelf, KeyId]


class FakeKeyring:
    """Wraps, unwraps, sings and signs; set ``sealed`` to put it out of reach.

    Only ``institutions`` have a KEK when they are given; otherwise everyone has.
    """

    def __init__(self, institutions: Collection[Institution] | None = None) -> None:
        self.sealed = False
        self.minted = 0
        self.fetched = 0
        self.opening = 0
        """Of what was fetched: study keys, without which no picture opens."""
        self._institutions = institutions
        self._shelf: dict[Place, tuple[Place, bytes]] = {}
        self._versions: dict[Place, int] = {}
        self._keks: dict[Institution, KekState] = {}
        self.refusing: set[KeyId] = set()
        """Entries that cannot be wrapped anew."""
        self.between: Callable[[], object] = lambda: None
        """What happens between the reading of a batch and its writing."""
        self._log_key = Ed25519PrivateKey.generate()
        self._lock = threading.Lock()

    def mint(self, institution: Institution, shelf: Shelf) -> ForgettableKey:
        self._reach()
        if self._institutions is not None and institution not in self._institutions:
            raise Unavailable("the institution has no key")
        minted = ForgettableKey(KeyId(uuid4()), urandom(32))
        place = (institution, shelf, minted.key_id)
        with self._lock:
            self.minted += 1
            self._shelf[place] = (place, minted.key)
            self._versions[place] = self._kek(institution).newest
        return minted

    def fetch(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> dict[KeyId, ForgettableKey]:
        self._reach()
        found = {}
        with self._lock:
            self.fetched += 1
            self.opening += shelf is Shelf.STUDY
            for key_id in key_ids:
                place = (institution, shelf, key_id)
                if place in self._shelf:
                    wrapped_for, key = self._shelf[place]
                    if wrapped_for != place or self._version(place) < self._kek(institution).least:
                        raise Tampered("a key on the shelf does not unwrap")
                    found[key_id] = ForgettableKey(key_id, key)
        return found

    def forget(self, key_id: KeyId) -> None:
        """Take the key off the shelf, wherever it lies."""
        with self._lock:
            for place in [place for place in self._shelf if place[2] == key_id]:
                del self._shelf[place]

    def erase(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> None:
        self._reach()
        if shelf not in {Shelf.STUDY, Shelf.LEDGER}:
            raise Unavailable("the vault refuses this role")
        with self._lock:
            for key_id in key_ids:
                self._shelf.pop((institution, shelf, key_id), None)

    def lying(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> frozenset[KeyId]:
        self._reach()
        with self._lock:
            return frozenset(key_id for key_id in key_ids if (institution, shelf, key_id) in self._shelf)

    def snapshot(self) -> dict[Place, tuple[Place, bytes]]:
        """Return what lies on the shelf now, for `restore`."""
        with self._lock:
            return dict(self._shelf)

    def restore(self, snapshot: dict[Place, tuple[Place, bytes]]) -> None:
        """Put the shelf back as it was, as who restores a snapshot of the vault does."""
        with self._lock:
            self._shelf = dict(snapshot)

    def listed(self, institution: Institution, shelf: Shelf) -> frozenset[KeyId]:
        self._reach()
        with self._lock:
            return frozenset(place[2] for place in self._shelf if place[:2] == (institution, shelf))

    def institutions(self, shelf: Shelf) -> frozenset[Institution]:
        self._reach()
        with self._lock:
            return frozenset(place[0] for place in self._shelf if place[1] == shelf)

    def copy(self, source: Place, target: Place) -> None:
        """Put what lies at one place at another too, as someone with the vault's disks might."""
        with self._lock:
            self._shelf[target] = self._shelf[source]
            self._versions[target] = self._version(source)

    def state(self, institution: Institution) -> KekState:
        self._reach()
        return self._kek(institution)

    def rotate(self, institution: Institution) -> KekState:
        self._reach()
        turned = self._kek(institution)
        self._keks[institution] = KekState(turned.newest + 1, turned.least, datetime.now(UTC))
        return self._keks[institution]

    def shelved(self, institution: Institution, shelf: Shelf) -> Sequence[KeyId]:
        self._reach()
        with self._lock:
            return sorted(place[2] for place in self._shelf if place[:2] == (institution, shelf))

    def rewrap(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId], version: int) -> Rewrapped:
        self._reach()
        asked = [(institution, shelf, key_id) for key_id in key_ids]
        old = [place for place in asked if place in self._shelf and self._version(place) < version]
        current = sum(place in self._shelf and self._version(place) >= version for place in asked)
        failed = {place for place in old if place[2] in self.refusing or self._shelf[place][0] != place}
        self.between()
        done = {place for place in old if place not in failed and place in self._shelf}
        self._versions |= dict.fromkeys(done, self._kek(institution).newest)
        gone = len(asked) - current - len(failed) - len(done)
        return Rewrapped(frozenset(one[2] for one in done), current, gone, frozenset(one[2] for one in failed))

    def below(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId], version: int) -> int:
        self._reach()
        places = [(institution, shelf, key_id) for key_id in key_ids]
        return sum(place in self._shelf and self._version(place) < version for place in places)

    def retire(self, institution: Institution, version: int) -> None:
        self._reach()
        turned = self._kek(institution)
        if version > turned.newest:
            raise Unavailable("the vault did not do what was asked")
        self._keks[institution] = KekState(turned.newest, version, turned.made_at)

    def _kek(self, institution: Institution) -> KekState:
        if self._institutions is not None and institution not in self._institutions:
            raise Unavailable("the institution has no key")
        return self._keks.setdefault(institution, KekState(1, 1, datetime.now(UTC)))

    def _version(self, place: Place) -> int:
        return self._versions.get(place, 1)

    def sing(self) -> None:
        self._reach()

    def public_key(self) -> bytes:
        self._reach()
        return self._log_key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        self._reach()
        return self._log_key.sign(message)

    def _reach(self) -> None:
        if self.sealed:
            raise Unavailable("the vault is sealed")


class MemorySnapshots:
    """What is known of the vault's snapshots, in memory."""

    def __init__(self) -> None:
        self._taken: dict[bytes, datetime] = {}

    def add(self, taken_at: datetime, verified_at: datetime, name_digest: bytes) -> None:
        self._taken.setdefault(name_digest, taken_at)

    def newest_verified(self) -> datetime | None:
        return max(self._taken.values(), default=None)


class MemoryRewraps:
    """The rows of rewrappings in memory."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self.ledger = ledger
        self.rows: dict[tuple[Institution, Shelf], RewrapRow] = {}

    def of(self, institution: Institution) -> Sequence[RewrapRow]:
        return [row for (of, _), row in sorted(self.rows.items()) if of == institution]

    def begin(self, permit: Permit, rows: Sequence[RewrapRow], draft: Draft) -> None:
        self.ledger.append(draft)
        ours = {row.institution for row in rows}
        self.rows = {place: row for place, row in self.rows.items() if place[0] not in ours}
        self.rows |= {(row.institution, row.shelf): row for row in rows}

    def advance(self, permit: Permit, row: RewrapRow) -> None:
        kept = self.rows.get((row.institution, row.shelf))
        if kept is None or (kept.version, kept.begun) != (row.version, row.begun):
            raise Conflict("another rewrapping is under way")
        self.rows[row.institution, row.shelf] = row
