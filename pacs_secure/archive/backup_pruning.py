"""Ends what backups hold in its time: whole sets, snapshots of the vault before them, and what no set refers to."""

from dataclasses import dataclass
from datetime import datetime

from pacs_secure.archive.backup_sets import objects_of, published_of
from pacs_secure.core.backups import MANIFEST, SNAPSHOT, Manifest, read_manifest
from pacs_secure.core.errors import ArchiveError
from pacs_secure.ports.backups import BackupPlace


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went."""

    sets: int = 0
    snapshots: int = 0
    objects: int = 0


def prune(place: BackupPlace, now: datetime) -> Pruned:
    """Remove what is past its time, but the newest set: without a younger one it is all that there is.

    A set whose manifest cannot be read stays, and with it everything that any set may refer to.
    """
    names = place.names()
    told = {name: _manifest(place, name) for name in names}
    over = [name for name in names[:-1] if (one := told[name]) is not None and one.expires_at <= now]
    snapshots = 0
    for name in names[:-1]:
        one = told[name]
        if one is not None and one.vault is not None and one.vault.expires_at <= now and name not in over:
            snapshots += _remove_snapshot(place, name)
    for name in over:
        place.remove(name)
    swept = _sweep(place) if over and None not in told.values() else 0
    return Pruned(len(over), snapshots, swept)


def _manifest(place: BackupPlace, name: str) -> Manifest | None:
    try:
        return read_manifest(place.get(name).read(MANIFEST))
    except ArchiveError:
        return None


def _remove_snapshot(place: BackupPlace, name: str) -> int:
    files = place.get(name)
    there = SNAPSHOT in files.names()
    files.remove(SNAPSHOT)
    return int(there)


def _sweep(place: BackupPlace) -> int:
    """Remove what no set refers to any more; return how many objects went."""
    sets = [place.get(name) for name in place.names()]
    objects = {one.object_id for files in sets for one in objects_of(files)}
    published = {one.name for files in sets for one in published_of(files)}
    for name in list(place.ledger.names()):
        if name not in published:
            place.ledger.remove(name)
    dead = [stored.object_id for stored in place.objects.names() if stored.object_id not in objects]
    for object_id in dead:
        place.objects.remove(object_id)
    return len(dead)
