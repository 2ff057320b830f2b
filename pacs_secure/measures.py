"""What the watchers of the machine are told of a running archive: sizes, ages and whether it works."""

import os
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pacs_secure.archive.copies import Copies
from pacs_secure.archive.key_pool import KeyPool
from pacs_secure.archive.rekey import Rekey
from pacs_secure.archive.replication import Replication
from pacs_secure.archive.vouching import Vouching
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Gauges, Ledger, Publisher, Scrubs

SHORTEST_TOKEN = 32
"""Bytes: who may ask from elsewhere is not to be guessed."""


def measure_ledger(
    gauges: Gauges, ledger: Ledger, publisher: Publisher, vouching: Vouching, now: Callable[[], datetime]
) -> None:
    """Have read how far the ledger is, how far it is published, and how old the newest word of a witness is."""
    gauges.watch("ledger_entries", ledger.size)
    gauges.watch("ledger_published_entries", publisher.published)
    gauges.watch("ledger_witnessed_age_seconds", lambda: witnessed_age(vouching, now()))


def measure_machine(gauges: Gauges, objects: Path | None, ready: Callable[[], None]) -> None:
    """Have read how much room the objects have, and whether the archive works: ``ready`` raises when it does not.

    A bucket (None) does not say how much room it has.
    """
    if objects is not None:
        gauges.watch("objects_free_bytes", lambda: free_bytes(objects))
    gauges.watch("ready", lambda: is_ready(ready))


def measure_objects(
    gauges: Gauges, copies: Copies, replication: Replication | None, now: Callable[[], datetime]
) -> None:
    """Have read how far the second store is behind, in this process, and how often it had to stand in."""
    if replication is not None:
        gauges.watch("objects_waiting_for_second_store", lambda: float(replication.standing().waiting))
        gauges.watch("objects_replication_lag_seconds", lambda: replication.standing().lag(now()))
        gauges.watch("objects_compared_age_seconds", lambda: compared_age(replication, now()))
        gauges.watch("objects_read_from_second_store", lambda: float(copies.from_second))


def compared_age(replication: Replication, now: datetime) -> float:
    """Return how many seconds ago this process compared both stores; raise `Unavailable` when it has not yet."""
    compared = replication.standing().compared
    if compared is None:
        raise Unavailable("both stores were not compared yet")
    return (now - compared).total_seconds()


def measure_pool(gauges: Gauges, pool: KeyPool) -> None:
    """Have read how many keys made beforehand may be used, and how many wait for a snapshot."""
    gauges.watch("pool_ready_keys", lambda: float(pool.level().ready))
    gauges.watch("pool_waiting_keys", lambda: float(pool.level().waiting))


def measure_keys(gauges: Gauges, rekey: Rekey, of: Institution, now: Callable[[], datetime]) -> None:
    """Have read how old the version is that wraps every key of the house, and whether older ones still unwrap."""
    gauges.watch("institution_key_age_seconds", lambda: key_age(rekey, of, now()))
    gauges.watch("rewrapping_pending", lambda: float(rekey.pending(of)))


def measure_scrub(gauges: Gauges, scrubs: Scrubs, now: Callable[[], datetime]) -> None:
    """Have read how long ago a whole round of the scrub ended, and how many objects were wanting in it and since."""
    gauges.watch("scrub_finished_age_seconds", lambda: scrub_age(scrubs, now()))
    gauges.watch("scrub_wanting_objects", lambda: float(wanting(scrubs)))


def scrub_age(scrubs: Scrubs, now: datetime) -> float:
    """Return how many seconds ago every object had been read; raise `Unavailable` before the first round has ended."""
    finished = scrubs.finished()
    if finished is None or finished.finished_at is None:
        raise Unavailable("no round of the scrub has ended yet")
    return (now - finished.finished_at).total_seconds()


def wanting(scrubs: Scrubs) -> int:
    """Return how many objects were wanting in the last whole round and in the one under way."""
    newest, finished = scrubs.newest(), scrubs.finished()
    rounds = {one.number: one.wanting for one in (newest, finished) if one is not None}
    return sum(rounds.values())


def key_age(rekey: Rekey, of: Institution, now: datetime) -> float:
    """Return how many seconds ago an institution's key was turned; raise `Unavailable` when the vault does not say."""
    return (now - rekey.state(of).made_at).total_seconds()


def witnessed_age(vouching: Vouching, now: datetime) -> float:
    """Return how many seconds ago a witness signed the newest witnessed checkpoint; raise `Unavailable` if none did."""
    newest = vouching.newest()
    if newest is None:
        raise Unavailable("no witness vouches for the ledger yet")
    return (now - newest.at).total_seconds()


def is_ready(ready: Callable[[], None]) -> float:
    """Return 1 when the archive can do its work, else 0."""
    try:
        ready()
    except Unavailable:
        return 0.0
    return 1.0


def free_bytes(directory: Path) -> float:
    """Return the free bytes where a directory lies; raise `Unavailable` when nobody can tell."""
    try:
        space = os.statvfs(directory)
    except OSError:
        raise Unavailable("the free space cannot be told") from None
    return float(space.f_bavail * space.f_frsize)


def watchers_token(file: Path | None) -> bytes | None:
    """Read what a watcher from elsewhere has to bring, None when no file is named.

    Raises:
        Unavailable: it cannot be read, is short, or may be read by others.
    """
    if file is None:
        return None
    try:
        secret = file.read_bytes().strip()
        shared = stat.S_IMODE(file.stat().st_mode) & 0o077
    except OSError:
        raise Unavailable("the token of the metrics cannot be read") from None
    if shared or len(secret) < SHORTEST_TOKEN:
        raise Unavailable("the token of the metrics is short, or may be read by others")
    return secret
