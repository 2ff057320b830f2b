"""What runs beside the doors while the archive is open: attesting, watching, telling, expiring, copying, backing up.

Each of these looks again and again by itself, most of them only where this process leads, and what one
of them cannot do it says and tries again: none of them ends the archive.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial

from pacs_secure import keeping, safekeeping, watchers
from pacs_secure.adapters.vault_keyring import VaultSigner
from pacs_secure.adapters.watching import Periodic
from pacs_secure.archive import backup_schedule, clock_watch, key_pool, locking, time_stamping
from pacs_secure.archive.ledger_watch import EVERY_SECONDS, LedgerWatch
from pacs_secure.archive.notary import Notary
from pacs_secure.archive.scrub import LOOK_EVERY, Scrub
from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import institution
from pacs_secure.house import House
from pacs_secure.messengers import forwarders, notifiers
from pacs_secure.settings import Settings
from pacs_secure.vault import Vault
from pacs_secure.web import metrics

log = logging.getLogger(__name__)

LOOK_AT_THE_CALENDAR = 1800.0
"""Seconds between two looks whether what expires once a day has expired today."""
LOOK_AT_COPIES = 5.0
"""Seconds after which the officer hears of a damaged object."""
EVERY_SECOND = 1.0


def start_witnessing(settings: Settings, house: House, stack: ExitStack) -> None:
    """Begin before the notary, so that the last checkpoint finds its witnesses too."""
    engines = house.engines
    asked = watchers.witnessing(
        settings, engines.ledger, engines.publisher, engines.public_key, alarm_of(settings, house)
    )
    if asked is None:
        log.warning("nobody outside this house vouches for the ledger: [[ledger.witnesses]] names none")
        return
    asked.start()
    stack.callback(asked.stop)


def start_watches(settings: Settings, house: House, stack: ExitStack) -> None:
    """Watch clock and ledger, lock checkpoints away and have them time-stamped, as far as configured."""
    alarm = alarm_of(settings, house)
    clock = watchers.clock_watch(settings, alarm)
    keep("clock", clock_watch.EVERY_SECONDS, clock.look, stack)
    verify = house.archive.verify
    ledger = LedgerWatch(verify.walk, partial(verify.new_check, from_the_start=False), alarm, verify.now)
    keep("ledger-watch", EVERY_SECONDS, ledger.look, stack)
    lock = watchers.checkpoint_lock(settings, house.engines.publisher, alarm)
    if lock is not None:
        keep(
            "checkpoint-lock",
            locking.EVERY_SECONDS,
            lambda: lock.look() if house.engines.leader.leads() else None,
            stack,
        )
    stamping = watchers.time_stamping(settings, house.engines.publisher, alarm)
    if stamping is not None:
        leads = house.engines.leader.leads
        keep("time-stamping", time_stamping.EVERY_SECONDS, lambda: stamping.look() if leads() else None, stack)


def alarm_of(settings: Settings, house: House) -> watchers.Alarm:
    """Return what records an alarm of this archive and tells the officer."""
    return partial(house.archive.guard.alarm, institution(settings.institution))


def start_notary(settings: Settings, house: House, vault: Vault, stack: ExitStack) -> None:
    """Sign what the ledger says, every second, where this process leads."""
    signer = VaultSigner(vault.session("signer"), institution(settings.institution))
    engines = house.engines
    notary = Notary(engines.ledger, engines.publisher, signer, settings.ledger.origin, engines.leader)
    notary.start()
    stack.callback(notary.stop)


def start_notifiers(settings: Settings, house: House, stack: ExitStack) -> None:
    """Carry notices to the officer, by each way that is configured."""
    started = notifiers(settings, house.engines.notices, lambda: datetime.now(UTC), house.engines.leader)
    for notifier in started:
        notifier.start()
        stack.callback(notifier.stop)
    if not started:
        log.warning("nobody is told at once of a broken glass: [notices] names no way out; they are listed only")


def start_forwarders(settings: Settings, house: House, stack: ExitStack) -> None:
    """Pass the ledger on to each repository of audit messages."""
    feed, engines = house.archive.feed, house.engines
    for forwarder in forwarders(settings, feed, engines.bookmarks, lambda: datetime.now(UTC), engines.leader):
        forwarder.start()
        stack.callback(forwarder.stop)


def start_expiring(settings: Settings, house: House, stack: ExitStack) -> None:
    """Remove from the ledger what is too old, once a day, where this process leads and was given the right."""
    verb = house.archive.ledger_retention
    if not verb.able:
        log.warning("nothing expires by itself: this process was not given the vault roles eraser and signer")
        return
    archive = Subject("archive", Role.OPERATOR, institution(settings.institution), "", Door.JOB, "")
    done: list[date] = []

    def once_a_day() -> None:
        today = datetime.now(UTC).date()
        if today in done or not house.engines.leader.leads():
            return
        try:
            verb.expire(archive, None, details={"job": "retention"})
        except Tampered as error:
            # Somebody has forged a horizon, edited what is to go, or taken a legal hold away.
            alarm_of(settings, house)("retention", {"found": str(error)})
        done[:] = [today]

    keep("retention", LOOK_AT_THE_CALENDAR, once_a_day, stack)


def start_rewrapping(settings: Settings, house: House, ending: threading.Event, stack: ExitStack) -> None:
    """Go on with a rewrapping that is not at its end, where this process was given the right."""
    rekey = house.archive.rekey
    if rekey.able:
        work = keeping.Rewrapping(rekey, institution(settings.institution), house.engines.leader.leads, ending.is_set)
        keep("rewrap", keeping.EVERY_SECONDS, work.look, stack)


def start_scrub(settings: Settings, house: House, stack: ExitStack) -> None:
    """Read every object within the period that is set, little by little, where this process leads."""
    engines, leads = house.engines, house.engines.leader.leads
    scrub = Scrub(
        house.archive.guard,
        engines.records,
        house.archive.verify.store.objects,
        engines.scrubs,
        engines.home,
        timedelta(days=settings.verify.scrub_days),
        alarm_of(settings, house),
        lambda: datetime.now(UTC),
        house.archive.verify.store.second,
    )
    keep("scrub", LOOK_EVERY, lambda: scrub.look() if leads() else None, stack)
    stack.callback(scrub.stop)


def start_replicating(settings: Settings, house: House, stack: ExitStack) -> None:
    """Keep the second store of objects in step, and tell the officer of damaged copies."""
    alarm, replication = alarm_of(settings, house), house.archive.replication
    if replication is None:
        keep("objects", LOOK_AT_COPIES, partial(house.archive.copies.tell, alarm), stack)
        return
    archive = Subject("archive", Role.OPERATOR, institution(settings.institution), "", Door.JOB, "")
    leads = house.engines.leader.leads
    keep("replication", EVERY_SECOND, lambda: replication.look(archive, alarm, leads=leads()), stack)
    stack.callback(replication.stop)


def start_filling(settings: Settings, house: House, stack: ExitStack) -> None:
    """Keep keys ready, where the settings say so."""
    pool = house.engines.pool
    if pool is not None:
        filling = keeping.Filling(pool, alarm_of(settings, house), lambda: datetime.now(UTC))
        stack.callback(pool.drop)
        keep("key-pool", key_pool.EVERY_SECONDS, filling.look, stack)


def start_backups(
    settings: Settings, house: House, vault: Vault, gauges: metrics.PrometheusGauges, stack: ExitStack
) -> None:
    """Take and prove a backup whenever one is due, where the settings name a place."""
    taking = safekeeping.schedule(settings, house, vault, alarm_of(settings, house), gauges)
    if taking is None:
        log.warning("nothing is backed up by itself: [backup] names no directory")
        return
    keep("backup", backup_schedule.EVERY_SECONDS, taking.look, stack)


def keep(name: str, seconds: float, act: Callable[[], object], stack: ExitStack) -> None:
    """Do something now and then in a thread of its own, until the archive closes."""
    periodic = Periodic(name, seconds, act)
    periodic.start()
    stack.callback(periodic.stop)
