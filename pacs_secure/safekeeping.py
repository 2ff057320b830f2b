"""Makes from the settings what takes backups, proves them and brings them back."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pacs_secure.adapters.backup_directory import BackupDirectory
from pacs_secure.adapters.file_tree import FileTree
from pacs_secure.adapters.sql import SqlScratch
from pacs_secure.adapters.vault_snapshots import PATIENCE, RaftSnapshots, VaultTrials
from pacs_secure.archive.backup import Backup, Keeping
from pacs_secure.archive.backup_proof import ProveBackup
from pacs_secure.archive.backup_restore import RestoreBackup
from pacs_secure.archive.backup_schedule import BackupSchedule
from pacs_secure.archive.backup_sets import Known, newest_known
from pacs_secure.bootstrap import open_house
from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.errors import NotFound, Unavailable
from pacs_secure.core.identifiers import institution
from pacs_secure.house import House
from pacs_secure.ports import Alarm, Gauges
from pacs_secure.settings import Settings
from pacs_secure.vault import Vault


@dataclass(frozen=True, slots=True)
class Safekeeping:
    """The verbs about backups, and the house that they are of."""

    house: House
    backup: Backup
    proof: ProveBackup
    restoring: RestoreBackup


@contextmanager
def opened(settings: Settings, unseal_file: Path | None = None) -> Iterator[Safekeeping]:
    """Open house and verbs, and close them in the end; ``unseal_file`` stands for that of the settings.

    Raises:
        Unavailable: an engine cannot be opened, or the shares cannot be read.
    """
    with ExitStack() as stack:
        vault = Vault(settings, stack)
        vault.demand_whole()
        yield safekeeping(settings, open_house(settings, stack, vault), vault, unseal_file)


def safekeeping(settings: Settings, house: House, vault: Vault, unseal_file: Path | None = None) -> Safekeeping:
    """Return the verbs about backups over a house that is open."""
    engines, told, guard = house.engines, settings.backup, house.archive.guard
    if engines.backups is None or engines.snapshots is None:
        raise Unavailable("this process backs nothing up")
    taking = vault.session_if_given("snapshot", PATIENCE)
    published = FileTree(settings.ledger.checkpoint_directory)
    now, shares = house.archive.verify.now, read_shares(unseal_file or told.unseal_file)
    backup = Backup(
        guard=guard,
        database=engines.backups,
        blobs=engines.blobs,
        published=published,
        vault=None if taking is None else RaftSnapshots(taking),
        signer=engines.signer,
        origin=engines.origin,
        home=institution(settings.institution),
        keeping=Keeping(timedelta(days=told.keep_days), timedelta(days=told.keep_vault_days)),
        now=now,
    )
    proof = ProveBackup(
        guard=guard,
        scratch=SqlScratch(told.work_directory),
        trial=VaultTrials(shares, vault.identity("reader")) if shares else None,
        snapshots=engines.snapshots,
        tombstones=engines.tombstones,
        origin=engines.origin,
        public_key=engines.public_key,
        now=now,
    )
    restoring = RestoreBackup(
        guard=guard,
        proof=proof,
        database=engines.backups,
        blobs=engines.blobs,
        published=published,
        tombstones=engines.tombstones,
        signer=engines.signer,
        replay=house.resurrection.look_at_all,
        now=now,
    )
    return Safekeeping(house, backup, proof, restoring)


def schedule(settings: Settings, house: House, vault: Vault, alarm: Alarm, gauges: Gauges) -> BackupSchedule | None:
    """Return what takes backups by itself, or None where the settings name no place for them."""
    told = settings.backup
    if told.directory is None:
        return None
    kept, directory = safekeeping(settings, house, vault), told.directory
    return BackupSchedule(
        kept.backup,
        kept.proof,
        lambda: closing(BackupDirectory(directory)),
        Subject("archive", Role.OPERATOR, institution(settings.institution), "", Door.JOB, ""),
        timedelta(hours=told.every_hours),
        house.engines.leader.leads,
        alarm,
        gauges,
    )


def known(directory: Path) -> Known | None:
    """Return what a place says of its newest sets, None where there is none."""
    try:
        with closing(BackupDirectory(directory, make=False)) as place:
            return newest_known(place, datetime.now(UTC))
    except (NotFound, Unavailable):
        return None


@contextmanager
def place_of(backup_set: Path) -> Iterator[tuple[BackupDirectory, str]]:
    """Open the place of a set, and say which set is meant: the newest one when the place itself is named.

    Raises:
        NotFound: there is none.
    """
    directory = backup_set if (backup_set / "objects").is_dir() else backup_set.parent
    place = BackupDirectory(directory, make=False)
    try:
        names = place.names()
        name = backup_set.name if directory != backup_set else next(reversed(names), "")
        if name not in names:
            raise NotFound("there is no such backup set")
        yield place, name
    finally:
        place.close()


def read_shares(file: Path | None) -> tuple[str, ...]:
    """Read the unseal shares, none when no file is named.

    Raises:
        Unavailable: they cannot be read, or may be read by others.
    """
    if file is None:
        return ()
    try:
        if file.stat().st_mode & 0o077:
            raise Unavailable("the unseal shares may be read by others")
        return tuple(map(str, json.loads(file.read_text(encoding="utf-8"))["shares"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise Unavailable("the unseal shares cannot be read") from None
