"""Ends what backups hold in its time: whole sets, snapshots of the vault before them, and what no set refers to."""

from dataclasses import dataclass
from datetime import datetime

from pacs_secure.archive.backup_sets import is_ahead, objects_of, proven_at, published_of, signed
from pacs_secure.core.backups import SNAPSHOT
from pacs_secure.core.errors import NotFound
from pacs_secure.ports.backups import BackupPlace


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went."""

    sets: int = 0
    snapshots: int = 0
    objects: int = 0

    def told(self) -> dict[str, str | int]:
        """Return what the ledger says of it."""
        return {"pruned": self.sets, "snapshots": self.snapshots, "swept": self.objects}


def prune(place: BackupPlace, now: datetime, origin: str, public_key: bytes) -> Pruned:
    """Remove what is past its time, but the newest set and the newest that was proven, whatever their age.

    When a set goes is said by its manifest, so only by one that the ledger's key has signed. A set of which
    nobody knows that stays, and with it everything that any set may refer to.
    """
    names = place.names()
    told = {name: one for name in names if (one := signed(place, name, origin, public_key)) is not None}
    staying = _staying(place, list(told), now)
    over = [name for name, one in told.items() if one.expires_at <= now and name not in staying]
    snapshots = 0
    for name, one in told.items():
        if one.vault is not None and one.vault.expires_at <= now and name not in (*staying, *over):
            snapshots += _remove_snapshot(place, name)
    for name in over:
        place.remove(name)
    swept = _sweep(place) if over and len(told) == len(names) else 0
    return Pruned(len(over), snapshots, swept)


def _staying(place: BackupPlace, names: list[str], now: datetime) -> set[str]:
    """Return what may be all that there is: a clock far ahead must not end what is proven before something else is."""
    names = [name for name in names if not is_ahead(name, now)]
    proven = [name for name in names if proven_at(place.get(name), now) is not None]
    return {*names[-1:], *proven[-1:]}


def _remove_snapshot(place: BackupPlace, name: str) -> int:
    files = place.get(name)
    try:
        files.length(SNAPSHOT)
    except NotFound:
        return 0
    files.remove(SNAPSHOT)
    return 1


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
