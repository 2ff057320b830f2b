"""A whole archive for tests: in memory, or on a disk that can be searched byte by byte."""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pacs_secure.adapters.casbin_policy import CasbinPolicy
from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.sql import (
    Database,
    SqlBoards,
    SqlBookmarks,
    SqlDevices,
    SqlEmergencies,
    SqlEmployeeQuestions,
    SqlForgettings,
    SqlLedger,
    SqlLedgerKeys,
    SqlNotices,
    SqlPatients,
    SqlPolicies,
    SqlRebuilds,
    SqlRecords,
    SqlRetention,
    SqlRewraps,
    SqlScrubs,
    SqlSessions,
    SqlShares,
    SqlSnapshots,
    SqlTies,
    SqlUsedTokens,
)
from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.adapters.tombstone_directory import TombstoneDirectory
from pacs_secure.archive import Archive
from pacs_secure.archive.key_pool import KeyPool
from pacs_secure.archive.notary import Notary
from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.engines import Engines
from pacs_secure.house import House, furnish
from pacs_secure.ports import (
    Blobs,
    CertificateAuthority,
    KeyEraser,
    KeyList,
    KeyRewrapper,
    KeyShelf,
    KeyUnwrapper,
    KeyWrapper,
    Shelf,
    Signer,
)
from tests.builders import HERE
from tests.fakes import (
    Alone,
    MemoryDevices,
    MemoryLedger,
    MemoryLedgerKeys,
    MemoryPublisher,
    MemoryRecords,
    MemoryRetention,
    MemoryTies,
)
from tests.fakes_authority import MemoryAuthority
from tests.fakes_blobs import MemoryBlobs
from tests.fakes_emergencies import MemoryEmergencies, MemoryNotices, MemoryPatients
from tests.fakes_feeds import MemoryBookmarks
from tests.fakes_forgettings import MemoryForgettings
from tests.fakes_keys import FakeKeyring, MemoryRewraps
from tests.fakes_policies import MemoryPolicies
from tests.fakes_questions import MemoryEmployeeQuestions
from tests.fakes_rebuilds import MemoryRebuilds
from tests.fakes_scrubs import MemoryScrubs
from tests.fakes_sessions import MemorySessions
from tests.fakes_sharing import MemoryBoards, MemoryShares
from tests.fakes_tombstones import MemoryTombstones

POLICIES = Path(__file__).parents[1] / "policies"
ORIGIN = "tests.example/ledger"


def told(entry: LedgerEntry) -> dict[str, Any]:
    """Return what an entry says, its place and time among it."""
    envelope: dict[str, Any] = json.loads(entry.content)
    said: dict[str, Any] = envelope.pop("said")
    return {**said, **envelope}


@dataclass
class World:
    """An archive over fakes; each of them can be put out of reach or damaged."""

    house: House
    ledger: MemoryLedger
    ties: MemoryTies
    records: MemoryRecords
    blobs: MemoryBlobs
    keyring: FakeKeyring
    devices: MemoryDevices
    sessions: MemorySessions
    policies: MemoryPolicies
    publisher: MemoryPublisher
    notary: Notary
    authority: MemoryAuthority
    questions: MemoryEmployeeQuestions
    tombstones: MemoryTombstones
    forgettings: MemoryForgettings

    @property
    def archive(self) -> Archive:
        return self.house.archive

    def fingerprint(self, data_set: bytes, of: Institution = HERE) -> bytes:
        """Return the keyed fingerprint of a Data Set, as the index has it."""
        return self.archive.search.seals.index(of).fingerprint(sha256(data_set).digest())

    def entries(self) -> list[dict[str, Any]]:
        """Return the content of every ledger entry, oldest first."""
        return [told(entry) for entry in self.ledger.kept]


@cache
def _loaded_policy() -> CasbinPolicy:
    return CasbinPolicy(POLICIES)


def shipped_policy() -> CasbinPolicy:
    """Return a policy with the rules that ship, which are loaded once: they check themselves for a while."""
    return copy(_loaded_policy())


def memory_world(second: Blobs | None = None, of: World | None = None) -> World:
    """Build an archive in memory, with the policy that ships, and perhaps a second store of objects.

    ``of`` is an archive whose database was lost: objects, keys and what was published are those.
    """
    ledger = MemoryLedger()
    keyring, blobs = (of.keyring, of.blobs) if of else (FakeKeyring(), MemoryBlobs())
    publisher = of.publisher if of else MemoryPublisher()
    ties = MemoryTies(ledger)
    records, devices = MemoryRecords(ledger, ties), MemoryDevices(ledger)
    authority = MemoryAuthority()
    sessions = MemorySessions(ledger)
    policies = MemoryPolicies(ledger)
    questions = MemoryEmployeeQuestions(ledger)
    tombstones, forgettings = MemoryTombstones(), MemoryForgettings(records)
    engines = Engines(
        HERE,
        shipped_policy(),
        policies,
        records,
        ledger,
        ties,
        devices,
        sessions,
        publisher,
        blobs,
        keyring,
        keyring,
        keyring,
        keyring.public_key,
        ORIGIN,
        Alone(),
        emergencies=MemoryEmergencies(ties),
        patients=MemoryPatients(records),
        notices=MemoryNotices(ledger),
        authority=authority,
        shares=MemoryShares(ties),
        boards=MemoryBoards(ties),
        bookmarks=MemoryBookmarks(),
        ledger_keys=MemoryLedgerKeys(ledger),
        retention=MemoryRetention(ledger),
        forgettings=forgettings,
        tombstones=tombstones,
        rewraps=MemoryRewraps(ledger),
        rewrapper=keyring,
        scrubs=MemoryScrubs(),
        rebuilds=MemoryRebuilds(records),
        key_list=keyring,
        second=second,
        eraser=keyring,
        signer=keyring,
        questions=questions,
    )
    notary = Notary(ledger, publisher, keyring, ORIGIN)
    return World(
        furnish(engines),
        ledger,
        ties,
        records,
        blobs,
        keyring,
        devices,
        sessions,
        policies,
        publisher,
        notary,
        authority,
        questions,
        tombstones,
        forgettings,
    )


@dataclass
class DiskWorld:
    """An archive on SQLite and files below one directory."""

    house: House
    database: Database
    directory: Path
    notary: Notary

    @property
    def archive(self) -> Archive:
        return self.house.archive

    @property
    def index_file(self) -> Path:
        return self.directory / "index.db"

    @property
    def objects(self) -> Path:
        return self.directory / "objects"

    @property
    def checkpoints(self) -> Path:
        return self.directory / "ledger"

    def entries(self) -> list[dict[str, Any]]:
        """Return the content of every ledger entry, oldest first, once what follows is committed."""
        self.database.write(lambda _: None)
        ledger = self.house.engines.ledger
        return [told(entry) for entry in ledger.entries(0, ledger.size())]


@dataclass(frozen=True)
class AsFetched:
    """A shelf that is asked by fetching from it."""

    unwrapper: KeyUnwrapper

    def lying(self, of: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> frozenset[KeyId]:
        return frozenset(self.unwrapper.fetch(of, shelf, key_ids))


def _pool(wrapper: KeyWrapper, unwrapper: KeyUnwrapper, database: Database, home: Institution, size: int) -> KeyPool:
    now = lambda: datetime.now(UTC)  # noqa: E731 - a clock
    return KeyPool(wrapper, AsFetched(unwrapper), SqlSnapshots(database), home, size, now, only_in_snapshot=True)


@contextmanager
def disk_world(
    directory: Path,
    wrapper: KeyWrapper,
    unwrapper: KeyUnwrapper,
    signer: Signer,
    authority: CertificateAuthority | None = None,
    eraser: KeyEraser | None = None,
    home: Institution = HERE,
    database: Database | None = None,
    blobs: Blobs | None = None,
    second: Blobs | None = None,
    shelf: KeyShelf | None = None,
    rewrapper: KeyRewrapper | None = None,
    key_list: KeyList | None = None,
    pool: int = 0,
) -> Iterator[DiskWorld]:
    """Build an archive below a directory, with the policy that ships; closed in the end.

    Objects lie below the directory too, unless ``blobs`` says elsewhere.
    """
    database = database or Database(directory / "index.db")
    disk = DiskBlobs(directory / "objects")
    publisher = TileDirectory(directory / "ledger")
    ledger = SqlLedger(database)
    public_key: Callable[[], bytes] = signer.public_key
    engines = Engines(
        home,
        shipped_policy(),
        SqlPolicies(database),
        SqlRecords(database),
        ledger,
        SqlTies(database),
        SqlDevices(database),
        SqlSessions(database),
        publisher,
        blobs or disk,
        wrapper,
        unwrapper,
        shelf or AsFetched(unwrapper),
        public_key,
        ORIGIN,
        database.leader(),
        emergencies=SqlEmergencies(database),
        patients=SqlPatients(database),
        notices=SqlNotices(database),
        authority=authority or MemoryAuthority(),
        shares=SqlShares(database),
        boards=SqlBoards(database),
        questions=SqlEmployeeQuestions(database),
        bookmarks=SqlBookmarks(database),
        signer=signer,
        used_tokens=SqlUsedTokens(database),
        ledger_keys=SqlLedgerKeys(database),
        retention=SqlRetention(database),
        forgettings=SqlForgettings(database),
        tombstones=TombstoneDirectory(directory / "tombstones", ORIGIN, public_key, signer),
        scrubs=SqlScrubs(database),
        rebuilds=SqlRebuilds(database),
        key_list=key_list,
        eraser=eraser,
        rewraps=SqlRewraps(database),
        pool=_pool(wrapper, unwrapper, database, home, pool) if pool else None,
        rewrapper=rewrapper,
        second=second,
    )
    try:
        yield DiskWorld(furnish(engines), database, directory, Notary(ledger, publisher, signer, ORIGIN))
    finally:
        database.close()
        disk.close()


@pytest.fixture
def world() -> World:
    return memory_world()
