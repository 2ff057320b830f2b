"""Makes what watches over a running archive from outside the database, as the settings say."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from pacs_secure.adapters.https_witness import HttpsWitness
from pacs_secure.adapters.s3_place import s3_place
from pacs_secure.adapters.s3_strongroom import S3Strongroom
from pacs_secure.adapters.time_servers import TimeServers
from pacs_secure.adapters.time_stamps import TimeStampAuthority
from pacs_secure.archive.clock_watch import ClockWatch
from pacs_secure.archive.locking import CheckpointLock
from pacs_secure.archive.time_stamping import TimeStamping
from pacs_secure.archive.witnessing import Witnessing
from pacs_secure.core.errors import Malformed
from pacs_secure.crypto.tlog import verify_note, witness_key
from pacs_secure.ports import Ledger, Publisher
from pacs_secure.settings import Settings

Alarm = Callable[[str, Mapping[str, str | int]], object]


def witnessing(
    settings: Settings, ledger: Ledger, publisher: Publisher, public_key: Callable[[], bytes], alarm: Alarm
) -> Witnessing | None:
    """Return what asks the configured witnesses, or None when there is none.

    Raises:
        Malformed: a verifier key is none, or two witnesses are one.
        Unavailable: an authority cannot be read.
    """
    named = settings.ledger.witnesses
    keys = {witness_key(one.verifier_key).public_key for one in named}
    if len(keys) != len(named):
        raise Malformed("two witnesses have the same key: they would be one witness that counts twice")
    asked = [HttpsWitness(one.name, one.url, one.verifier_key, one.ca_file) for one in named]

    def demand_ours(note: bytes) -> None:
        verify_note(note, settings.ledger.origin, public_key())

    return Witnessing(ledger, publisher, demand_ours, asked, settings.ledger.quorum, alarm) if asked else None


def time_stamping(settings: Settings, publisher: Publisher, alarm: Alarm) -> TimeStamping | None:
    """Return what stamps checkpoints, or None when no authority is configured; raises as `witnessing` does."""
    told = settings.ledger.time_stamping
    if told is None:
        return None
    authority = TimeStampAuthority(told.url, told.ca_file, told.tls_ca_file)
    return TimeStamping(publisher, authority, told.every_hours * 3600, alarm)


def checkpoint_lock(settings: Settings, publisher: Publisher, alarm: Alarm) -> CheckpointLock | None:
    """Return what locks checkpoints away, or None when no bucket is configured; raises as `witnessing` does."""
    told = settings.ledger.lock
    if told is None:
        return None
    place = s3_place(told.url, told.endpoint, told.region, told.credentials_file, told.ca_file, told.request_seconds)
    strongroom = S3Strongroom(place, settings.ledger.locked_days, _now)
    return CheckpointLock(publisher, strongroom, alarm, _now)


def clock_watch(settings: Settings, alarm: Alarm) -> ClockWatch:
    """Return what watches our clock, with other clocks when some are configured.

    Raises:
        Malformed: an address is none.
    """
    told = settings.clock
    return ClockWatch(TimeServers(told.servers) if told.servers else None, told.every_seconds, alarm)


def _now() -> datetime:
    return datetime.now(UTC)
