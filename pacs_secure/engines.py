"""The engines of a house: one adapter for each port that the verbs need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pacs_secure import __version__
from pacs_secure.adapters.printing.printer import PagePrinter
from pacs_secure.adapters.vault_authority import VaultAuthority
from pacs_secure.archive.key_pool import KeyPool
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.reports import Installation
from pacs_secure.crypto.tlog import WitnessKey
from pacs_secure.ports import (
    Blobs,
    Boards,
    Bookmarks,
    CertificateAuthority,
    ChangingPolicy,
    Devices,
    Emergencies,
    EmployeeQuestions,
    Forgettings,
    KeyEraser,
    KeyList,
    KeyRewrapper,
    KeyShelf,
    KeyUnwrapper,
    KeyWrapper,
    Leader,
    Ledger,
    Notices,
    Patients,
    PolicyHistory,
    Publisher,
    Rebuilds,
    Records,
    ReportPrinter,
    Retention,
    Rewraps,
    Scrubs,
    Shares,
    Signer,
    Snapshots,
    Ties,
    Tombstones,
    UsedTokens,
)
from pacs_secure.ports import LedgerKeys as LedgerKeyList
from pacs_secure.ports import Sessions as SessionStore
from pacs_secure.ports.backups import DatabaseBackups


@dataclass(frozen=True, slots=True)
class Engines:
    """One adapter for each port that the verbs need."""

    home: Institution
    """Whose key the ledger's writers have theirs wrapped under."""
    policy: ChangingPolicy
    policies: PolicyHistory
    records: Records
    ledger: Ledger
    ties: Ties
    devices: Devices
    sessions: SessionStore
    publisher: Publisher
    blobs: Blobs
    wrapper: KeyWrapper
    unwrapper: KeyUnwrapper
    shelf: KeyShelf
    public_key: Callable[[], bytes]
    """What checkpoints are verified with, raw Ed25519."""
    origin: str
    """Under which name checkpoints are published."""
    leader: Leader
    """Of several archives on one database, the one that gives places and signs checkpoints."""
    emergencies: Emergencies
    patients: Patients
    notices: Notices
    shares: Shares
    boards: Boards
    bookmarks: Bookmarks
    ledger_keys: LedgerKeyList
    questions: EmployeeQuestions
    retention: Retention
    forgettings: Forgettings
    tombstones: Tombstones
    rewraps: Rewraps
    scrubs: Scrubs
    rebuilds: Rebuilds
    key_list: KeyList | None = None
    """None: this process may not list the shelf."""
    eraser: KeyEraser | None = None
    """None: this process forgets nothing."""
    pool: KeyPool | None = None
    """Over the wrapper; None: no key is made beforehand."""
    rewrapper: KeyRewrapper | None = None
    """None: this process turns no key and wraps none anew."""
    keep_months: int = 36
    """How long an entry of the ledger is kept."""
    authority: CertificateAuthority = field(default_factory=lambda: VaultAuthority(None, None))
    """By default none: devices are enrolled by certificates of others."""
    printer: ReportPrinter = field(default_factory=PagePrinter)
    backups: DatabaseBackups | None = None
    """The database as a whole; None: nobody backs it up by this process."""
    snapshots: Snapshots | None = None
    """Which snapshots of the vault were verified; None: nobody verifies any by this process."""
    signer: Signer | None = None
    """Of the log; None: this process may sign neither reports nor certificates of what expires."""
    installation: Installation = field(default_factory=lambda: Installation(__version__))
    """What reports say of the house."""
    witnesses: Sequence[WitnessKey] = ()
    """Whose cosignatures reports believe."""
    packs: bool = True
    """Whether what is not compressed yet is compressed before it is sealed."""
    second: Blobs | None = None
    """Where every object lies a second time; None: nowhere."""
    used_tokens: UsedTokens | None = None
    """None: nobody can prove to the DICOM door that they stand behind a device."""
