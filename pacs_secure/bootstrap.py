"""Where everything meets: adapters are given to the verbs, and the verbs to the doors."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pacs_secure import identity
from pacs_secure.adapters.casbin_policy import CasbinPolicy
from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.policy_check import check_policy
from pacs_secure.adapters.policy_files import read_folder
from pacs_secure.adapters.sql import (
    Database,
    SqlBoards,
    SqlDevices,
    SqlEmergencies,
    SqlLedger,
    SqlNotices,
    SqlPatients,
    SqlPolicies,
    SqlRecords,
    SqlSessions,
    SqlShares,
    SqlTies,
    SqlUsedTokens,
)
from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.adapters.vault_authority import VaultAuthority
from pacs_secure.adapters.vault_keyring import VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_session import AppRole, VaultSession
from pacs_secure.archive import Archive
from pacs_secure.archive.boards import Convening
from pacs_secure.archive.break_glass import BreakGlass
from pacs_secure.archive.care import CareTies
from pacs_secure.archive.classification import Classify
from pacs_secure.archive.enrolment import Enrolment, certified
from pacs_secure.archive.explain import Explain
from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard, Terms
from pacs_secure.archive.ingest import Ingest
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.invitations import Invitations
from pacs_secure.archive.notices import NoticeBook
from pacs_secure.archive.opened_boards import BoardPages
from pacs_secure.archive.policies import Policies
from pacs_secure.archive.proven_devices import ProvenDevices
from pacs_secure.archive.recovery import Recovery
from pacs_secure.archive.retrieve import Retrieve
from pacs_secure.archive.seals import Opener, Sealer
from pacs_secure.archive.search import Search
from pacs_secure.archive.sessions import Sessions, SessionTerms
from pacs_secure.archive.shares import Sharing
from pacs_secure.archive.study_keys import StudyKeys
from pacs_secure.archive.verify import Progress, Verify
from pacs_secure.core.devices import describe
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution, ObjectId, object_id
from pacs_secure.dicom.header import Limits
from pacs_secure.ports import (
    Blobs,
    Boards,
    CertificateAuthority,
    ChangingPolicy,
    Device,
    Devices,
    Emergencies,
    KeyUnwrapper,
    KeyWrapper,
    Ledger,
    Notices,
    Patients,
    PolicyHistory,
    Publisher,
    Records,
    Shares,
    Ties,
    UsedTokens,
)
from pacs_secure.ports import Sessions as SessionStore
from pacs_secure.settings import Settings

__all__ = ["Archive", "Engines", "House", "Progress", "assemble", "furnish"]

log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Engines:
    """One adapter for each port that the verbs need."""

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
    public_key: Callable[[], bytes]
    """What checkpoints are verified with, raw Ed25519."""
    origin: str
    """Under which name checkpoints are published."""
    emergencies: Emergencies
    patients: Patients
    notices: Notices
    shares: Shares
    boards: Boards
    authority: CertificateAuthority = field(default_factory=lambda: VaultAuthority(None, None))
    """By default none: devices are enrolled by certificates of others."""
    used_tokens: UsedTokens | None = None
    """None: nobody can prove to the DICOM door that they stand behind a device."""


@dataclass(frozen=True, slots=True)
class House:
    """The archive with its engines, before any door is opened."""

    archive: Archive
    engines: Engines
    drop_keys: Callable[[], None]
    """Forget every key that opens something."""


def furnish(engines: Engines, terms: Terms | None = None, session_terms: SessionTerms | None = None) -> House:
    """Give the engines to the verbs."""
    seals = InstitutionSeals(engines.records, engines.wrapper, engines.unwrapper, time.monotonic)
    engines = replace(engines, devices=ProvenDevices(engines.devices, seals))
    keys = StudyKeys(engines.wrapper, engines.unwrapper, time.monotonic)
    guard = Guard(engines.policy, engines.ledger, engines.ties, seals, _now, uuid4, terms)
    facts = Facts(guard, engines.records, seals)
    opener = Opener(keys, engines.blobs)
    invitations = Invitations(guard, facts, engines.records, seals, _now)
    sealer = Sealer(keys, engines.blobs, _new_object_id)

    def drop_keys() -> None:
        keys.flush()
        seals.flush()

    archive = Archive(
        guard=guard,
        facts=facts,
        ingest=Ingest(guard, facts, engines.records, engines.blobs, sealer, seals, _now, Limits()),
        retrieve=Retrieve(guard, facts, engines.records, opener),
        search=Search(guard, engines.records, seals),
        verify=Verify(
            guard,
            engines.records,
            engines.ties,
            engines.ledger,
            engines.publisher,
            engines.blobs,
            opener,
            seals,
            engines.origin,
            engines.public_key,
            _now,
        ),
        enrolment=Enrolment(guard, engines.devices, engines.authority, _now),
        recovery=Recovery(guard, engines.records, engines.ledger),
        break_glass=BreakGlass(guard, engines.emergencies, engines.patients, engines.ledger, seals, _now, uuid4),
        notices=NoticeBook(guard, engines.notices, seals, _now),
        classify=Classify(guard, facts, engines.records, seals, _now),
        care=CareTies(guard, facts, engines.ties, seals, _now),
        sessions=Sessions(guard, engines.sessions, seals, _now, time.monotonic, session_terms),
        convening=Convening(invitations, BoardPages(invitations), engines.boards, engines.ledger),
        sharing=Sharing(invitations, engines.shares, engines.ledger),
        explain=Explain(guard, facts, engines.policy, _now),
        policies=Policies(guard, engines.policy, engines.policies, seals, check_policy, _now),
    )
    return House(archive, engines, drop_keys)


class Vault:
    """The sessions of one installation, each with the rights of one role."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self._settings = settings
        self._stack = stack
        try:
            self._credentials = json.loads(settings.vault.credentials_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise Unavailable("the vault credentials cannot be read") from None

    def session(self, role: str) -> VaultSession:
        """Return a session that logs in as ``role`` when it is first used, closed with the house."""
        try:
            identity = AppRole(**self._credentials[role])
        except (KeyError, TypeError):
            raise Unavailable(f"the vault credentials lack the role {role}") from None
        return self._open(identity)

    def session_if_given(self, role: str) -> VaultSession | None:
        """Return such a session, or None when this process was not given the role."""
        return self.session(role) if role in self._credentials else None

    def anonymous(self) -> VaultSession:
        """Return a session for what needs no login."""
        return self._open(None)

    def _open(self, identity: AppRole | None) -> VaultSession:
        session = VaultSession(self._settings.vault.address, self._settings.vault.ca_file, identity)
        self._stack.callback(session.close)
        return session


def _terms(settings: Settings) -> Terms:
    access = settings.access
    return Terms(
        after_treatment=timedelta(days=access.days_after_treatment),
        fresh_login=timedelta(minutes=access.minutes_of_fresh_login),
        longest_emergency=timedelta(hours=access.hours_of_emergency),
        longest_invitation=timedelta(days=access.days_of_invitation),
    )


@contextmanager
def assemble(settings: Settings) -> Iterator[House]:
    """Open every engine that the settings name, and close them in the end; nothing is asked of the vault yet.

    Raises:
        Unavailable: an engine cannot be opened.
    """
    with ExitStack() as stack:
        yield open_house(settings, stack, Vault(settings, stack))


def open_house(settings: Settings, stack: ExitStack, vault: Vault) -> House:
    """Open every engine that the settings name; ``stack`` closes them."""
    database = Database(settings.index.file)
    stack.callback(database.close)
    blobs = DiskBlobs(settings.objects.directory, settings.objects.least_free)
    stack.callback(blobs.close)
    return furnish(
        Engines(
            policy=CasbinPolicy(policy_directory(settings)),
            policies=SqlPolicies(database),
            records=SqlRecords(database),
            ledger=SqlLedger(database),
            ties=SqlTies(database),
            devices=SqlDevices(database),
            sessions=SqlSessions(database),
            publisher=TileDirectory(settings.ledger.checkpoint_directory),
            blobs=blobs,
            wrapper=VaultWrapper(vault.session("store")),
            unwrapper=VaultUnwrapper(vault.session("reader")),
            public_key=lambda: ledger_key(settings.ledger.public_key_file),
            origin=settings.ledger.origin,
            emergencies=SqlEmergencies(database),
            patients=SqlPatients(database),
            notices=SqlNotices(database),
            used_tokens=SqlUsedTokens(database),
            authority=VaultAuthority(vault.session_if_given("enroller"), vault.session_if_given("revoker")),
            shares=SqlShares(database),
            boards=SqlBoards(database),
        ),
        _terms(settings),
        identity.session_terms(settings),
    )


def policy_directory(settings: Settings) -> Path:
    """Return where the policy lies: as configured, inside the installed package, or in the source tree."""
    if settings.policy_directory is not None:
        return settings.policy_directory
    bundled = _PACKAGE / "_bundled" / "policies"
    return bundled if bundled.is_dir() else _PACKAGE.parent / "policies"


def policy_problems(settings: Settings, directory: Path | None = None) -> list[str]:
    """Say everything that is wrong with the policy of a folder, by default the one that ships."""
    return check_policy(directory or policy_directory(settings))


def policy_texts(directory: Path) -> dict[str, str]:
    """Read the files of a policy to propose; raises `Malformed` when one is missing."""
    return read_folder(directory)


def device(
    of: Institution, ae_title: str, certificate: bytes, host: str, port: int, department: str, allow: str
) -> Device:
    """Describe a device to enrol, known from now on by the public key of its certificate (PEM).

    Raises:
        Malformed: the AE title, the operations or the certificate are none (PS3.5 6.2).
    """
    wanted = describe(of, ae_title, department=department, allow=allow.split(","), host=host, port=port)
    return certified(wanted, certificate)


def ledger_key(file: Path) -> bytes:
    """Read the public key that checkpoints are verified with; raise `Unavailable` when there is none."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError):
        raise Unavailable("the ledger's public key cannot be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Unavailable("the ledger's public key is no Ed25519 key")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _now() -> datetime:
    return datetime.now(UTC)


def _new_object_id() -> ObjectId:
    return object_id(time.time_ns() // 1_000_000, os.urandom(10))
