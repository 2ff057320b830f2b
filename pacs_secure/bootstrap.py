"""Where settings become engines: every adapter is opened here, and given to the house."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pacs_secure import __version__, identity
from pacs_secure.adapters.casbin_policy import CasbinPolicy
from pacs_secure.adapters.policy_check import check_policy
from pacs_secure.adapters.policy_files import read_folder
from pacs_secure.adapters.sql import (
    SCHEMA_VERSION,
    Database,
    SqlBackups,
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
from pacs_secure.adapters.vault_authority import VaultAuthority
from pacs_secure.adapters.vault_key_list import VaultKeyList
from pacs_secure.adapters.vault_keyring import VaultEraser, VaultSigner, VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_rewrapper import VaultRewrapper
from pacs_secure.adapters.vault_shelf import VaultShelf
from pacs_secure.archive.enrolment import certified
from pacs_secure.archive.guard import Terms
from pacs_secure.archive.key_pool import KeyPool
from pacs_secure.core.devices import describe
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution, institution
from pacs_secure.core.reports import Installation, Point, Thresholds
from pacs_secure.core.scrubs import ScrubRound
from pacs_secure.crypto.tlog import witness_key
from pacs_secure.engines import Engines
from pacs_secure.house import House, furnish
from pacs_secure.ports import Device, Signer
from pacs_secure.settings import Settings
from pacs_secure.stores import object_store
from pacs_secure.vault import Vault

_PACKAGE = Path(__file__).parent
LISTING = (0.5, 30.0)
"""Seconds for whoever has a whole shelf listed: the vault tells it in one piece."""


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
        Tampered: somebody else has unwrapped a secret id that was delivered to this process.
    """
    with ExitStack() as stack:
        vault = Vault(settings, stack)
        vault.demand_whole()
        yield open_house(settings, stack, vault)


def open_house(settings: Settings, stack: ExitStack, vault: Vault) -> House:
    """Open every engine that the settings name; ``stack`` closes them."""
    database = Database(settings.index.place, settings.index.password_file)
    stack.callback(database.close)
    signer = _signer(settings, vault)
    return furnish(
        Engines(
            home=institution(settings.institution),
            policy=CasbinPolicy(policy_directory(settings)),
            policies=SqlPolicies(database),
            records=SqlRecords(database),
            ledger=SqlLedger(database),
            ties=SqlTies(database),
            devices=SqlDevices(database),
            sessions=SqlSessions(database),
            publisher=TileDirectory(settings.ledger.checkpoint_directory),
            blobs=object_store(settings.objects, stack),
            packs=settings.objects.compression == "zstd",
            second=None if settings.objects.second is None else object_store(settings.objects.second, stack),
            wrapper=VaultWrapper(vault.session("store")),
            unwrapper=VaultUnwrapper(vault.session("reader")),
            shelf=VaultShelf(vault.session("reader")),
            public_key=partial(ledger_key, settings.ledger.public_key_file),
            origin=settings.ledger.origin,
            leader=database.leader(),
            emergencies=SqlEmergencies(database),
            patients=SqlPatients(database),
            notices=SqlNotices(database),
            used_tokens=SqlUsedTokens(database),
            authority=VaultAuthority(vault.session_if_given("enroller"), vault.session_if_given("revoker")),
            shares=SqlShares(database),
            boards=SqlBoards(database),
            bookmarks=SqlBookmarks(database),
            ledger_keys=SqlLedgerKeys(database),
            eraser=_eraser(vault),
            retention=SqlRetention(database),
            forgettings=SqlForgettings(database),
            tombstones=tombstones(settings, signer),
            rewraps=SqlRewraps(database),
            pool=_pool(settings, vault, database),
            rewrapper=_rewrapper(vault),
            scrubs=SqlScrubs(database),
            rebuilds=SqlRebuilds(database),
            key_list=_key_list(vault),
            keep_months=settings.ledger.keep_months,
            questions=SqlEmployeeQuestions(database),
            backups=SqlBackups(database),
            snapshots=SqlSnapshots(database),
            signer=signer,
            installation=installation(settings),
            witnesses=[witness_key(one.verifier_key) for one in settings.ledger.witnesses],
        ),
        _terms(settings),
        identity.session_terms(settings),
    )


def _eraser(vault: Vault) -> VaultEraser | None:
    """Return what forgets keys, when this process was given the role."""
    session = vault.session_if_given("eraser")
    return None if session is None else VaultEraser(session, vault.session_if_given("reader"))


def _pool(settings: Settings, vault: Vault, database: Database) -> KeyPool | None:
    """Return what keeps keys that were made beforehand, when the settings ask for it; nobody has filled it yet."""
    keys = settings.keys
    if not keys.pool:
        return None
    session = vault.session_if_given("minter") or vault.session("store")
    return KeyPool(
        VaultWrapper(session),
        VaultShelf(vault.session("reader")),
        SqlSnapshots(database),
        institution(settings.institution),
        keys.pool,
        lambda: datetime.now(UTC),
        only_in_snapshot=keys.only_in_snapshot,
    )


def _rewrapper(vault: Vault) -> VaultRewrapper | None:
    """Return what turns keys and wraps them anew, when this process was given the role."""
    session = vault.session_if_given("keeper", LISTING)
    return None if session is None else VaultRewrapper(session)


def _signer(settings: Settings, vault: Vault) -> VaultSigner | None:
    """Return what signs for the log, when this process was given the role."""
    session = vault.session_if_given("signer")
    return None if session is None else VaultSigner(session, institution(settings.institution))


def tombstones(settings: Settings, signer: Signer | None) -> TombstoneDirectory:
    """Return where it stands which keys were forgotten; without a signer nothing can be added."""
    ledger = settings.ledger
    return TombstoneDirectory(
        settings.tombstone_directory, ledger.origin, partial(ledger_key, ledger.public_key_file), signer
    )


def _key_list(vault: Vault) -> VaultKeyList | None:
    """Return what lists the shelf, when this process was given a role that may."""
    session = vault.session_if_given("keeper") or vault.session_if_given("eraser")
    return None if session is None else VaultKeyList(session)


def settle_database(settings: Settings) -> tuple[int, int]:
    """Make the database fit for this build; return the version of its schema before, 0 for none, and after.

    Raises:
        Unavailable: it cannot be opened, is of a newer build, or this role may not change it.
    """
    database = Database(settings.index.place, settings.index.password_file)
    database.close()
    return database.found_version, SCHEMA_VERSION


def last_scrub(settings: Settings) -> ScrubRound | None:
    """Return the scrub's newest round that came to its end, else the one under way; None before the first.

    Raises:
        Unavailable: the database cannot be opened, or is of another build: it is left as it is.
    """
    database = Database(settings.index.place, settings.index.password_file, as_it_is=True)
    try:
        scrubs = SqlScrubs(database)
        return scrubs.finished() or scrubs.newest()
    finally:
        database.close()


def installation(settings: Settings) -> Installation:
    """Return what reports say of the house itself."""
    report, access, login = settings.ledger.report, settings.access, settings.identity.login
    measures = [
        Point("break-glass", {"minutes": access.minutes_of_fresh_login, "hours": access.hours_of_emergency}),
        Point("invitations", {"days": access.days_of_invitation}),
        Point("after-treatment", {"days": access.days_after_treatment}),
    ]
    measures.append(Point("ledger-retention", {"months": settings.ledger.keep_months}))
    if login is not None:
        measures.append(Point("login", {"minutes": login.idle_minutes, "hours": login.longest_hours}))
    thresholds = Thresholds(**report.model_dump(exclude={"time_zone"}))
    return Installation(__version__, report.time_zone, thresholds, tuple(measures))


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
