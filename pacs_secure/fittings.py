"""What nearly every verb stands on, and the verbs that stand on much of it."""

import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from pacs_secure.archive.adoption import Adoption
from pacs_secure.archive.burying import Burying
from pacs_secure.archive.copied_blobs import CopiedBlobs
from pacs_secure.archive.copies import Copies
from pacs_secure.archive.facts import Facts
from pacs_secure.archive.forgetting import Forget
from pacs_secure.archive.guard import Guard, Terms
from pacs_secure.archive.ingest import Ingest
from pacs_secure.archive.institution_recovery import InstitutionRecovery
from pacs_secure.archive.institutions import InstitutionSeals, OutlastingSeals
from pacs_secure.archive.ledger_keys import LedgerKeys
from pacs_secure.archive.ledger_recovery import LedgerRecovery
from pacs_secure.archive.ledger_report import LedgerReport
from pacs_secure.archive.ledger_retention import LedgerRetention
from pacs_secure.archive.living_keys import LivingKeys
from pacs_secure.archive.missed_forgettings import MissedForgettings
from pacs_secure.archive.object_check import ObjectCheck
from pacs_secure.archive.own_objects import OwnObjects
from pacs_secure.archive.proven_devices import ProvenDevices
from pacs_secure.archive.rebuild import Rebuild
from pacs_secure.archive.replication import Replication
from pacs_secure.archive.report.appendix import Appendix
from pacs_secure.archive.report.reading import WholeReading
from pacs_secure.archive.seals import Opener, Recoverer, Sealer
from pacs_secure.archive.store_check import StoreCheck
from pacs_secure.archive.study_keys import StudyKeys
from pacs_secure.archive.verify import Verify
from pacs_secure.archive.vouching import Vouching
from pacs_secure.core.identifiers import ObjectId, object_id
from pacs_secure.dicom.header import Limits
from pacs_secure.engines import Engines
from pacs_secure.ports import (
    Blobs,
    KeyEraser,
    Shelf,
)


@dataclass(frozen=True, slots=True)
class Fittings:
    """What nearly every verb stands on."""

    engines: Engines
    seals: InstitutionSeals
    keys: StudyKeys
    ledger_keys: LedgerKeys
    guard: Guard
    facts: Facts
    copies: Copies
    replication: Replication | None

    @property
    def opener(self) -> Opener:
        """Return what opens an object, from whichever copy gives it."""
        return Opener(self.keys, self.copies)

    @property
    def blobs(self) -> Blobs:
        """Return where objects are put, and removed from everywhere."""
        first = self.engines.blobs
        return first if self.replication is None else CopiedBlobs(first, self.replication)

    def check_in(self, blobs: Blobs) -> ObjectCheck:
        """Return what says of one object whether it still is what was received, in one store."""
        engines = self.engines
        opener = Opener(self.keys, Copies([blobs], time.monotonic))  # another copy would hide what is wanting
        return ObjectCheck(opener, self.seals, blobs, engines.records, Limits())

    def drop_keys(self) -> None:
        """Forget every key that opens something."""
        self.keys.flush()
        self.seals.flush()


def ingest(fittings: Fittings, sealer: Sealer) -> Ingest:
    """Return what takes pictures in, also while the vault is away when keys are made beforehand."""
    engines, guard, seals = fittings.engines, fittings.guard, fittings.seals
    patients, blobs = engines.patients, fittings.blobs
    if engines.pool is None:
        return Ingest(guard, fittings.facts, engines.records, patients, blobs, sealer, seals, now, Limits())
    lasting = OutlastingSeals(seals)
    facts = Facts(guard, engines.records, lasting)
    return Ingest(guard, facts, engines.records, patients, blobs, sealer, lasting, now, Limits())


def fit(engines: Engines, terms: Terms | None) -> Fittings:
    """Put together what nearly every verb stands on."""
    engines = replace(engines, unwrapper=LivingKeys(engines.unwrapper, engines.tombstones), eraser=_burying(engines))
    seals = InstitutionSeals(engines.records, engines.wrapper, engines.unwrapper, time.monotonic)
    engines = replace(engines, devices=ProvenDevices(engines.devices, seals))
    engines.ledger.author(lambda: engines.wrapper.mint(engines.home, Shelf.WRITER))
    wrapper = engines.pool or engines.wrapper
    keys = StudyKeys(wrapper, engines.unwrapper, time.monotonic, outlasting=engines.pool is not None)
    ledger_keys = LedgerKeys(
        engines.ledger_keys,
        engines.ledger,
        wrapper,
        engines.unwrapper,
        engines.eraser,
        engines.shelf,
        seals.details,
        time.monotonic,
    )
    guard = Guard(engines.policy, engines.ledger, engines.ties, seals, ledger_keys, now, uuid4, terms)
    facts = Facts(guard, engines.records, seals)
    stores = [engines.blobs] if engines.second is None else [engines.blobs, engines.second]
    copies = Copies(stores, time.monotonic)
    replication = None
    if engines.second is not None:
        replication = Replication(guard, engines.records, engines.blobs, engines.second, copies, engines.rebuilds, now)
    return Fittings(engines, seals, keys, ledger_keys, guard, facts, copies, replication)


def verify(fittings: Fittings) -> Verify:
    """Return what compares everything with everything."""
    engines = fittings.engines
    store = StoreCheck(
        engines.records,
        engines.ties,
        fittings.blobs,
        fittings.check_in(engines.blobs),
        fittings.seals,
        engines.unwrapper,
        engines.rebuilds,
        engines.forgettings,
        engines.tombstones,
        engines.shelf,
        engines.key_list,
        engines.home,
        now,
        time.monotonic,
        None if engines.second is None else fittings.check_in(engines.second),
    )
    return Verify(
        fittings.guard,
        store,
        engines.ledger,
        engines.publisher,
        engines.retention,
        engines.home,
        engines.unwrapper,
        engines.origin,
        engines.public_key,
        now,
    )


def rebuild(fittings: Fittings) -> Rebuild:
    """Return what makes a lost index anew."""
    engines, list_ = fittings.engines, fittings.engines.key_list
    stores = [engines.blobs] if engines.second is None else [engines.blobs, engines.second]
    return Rebuild(
        fittings.guard,
        engines.records,
        engines.patients,
        stores,
        engines.rebuilds,
        Adoption(Recoverer(fittings.keys, stores), fittings.seals, Limits()),
        LedgerRecovery(engines.rebuilds, engines.ledger, engines.publisher, engines.origin, engines.public_key),
        InstitutionRecovery(engines.records, engines.ledger, list_, engines.wrapper, engines.unwrapper),
        list_,
        engines.unwrapper,
        engines.home,
        now,
        time.monotonic,
    )


def report(fittings: Fittings, whole: WholeReading) -> LedgerReport:
    """Return what reports on the ledger."""
    engines = fittings.engines
    appendix = Appendix(engines.policy, engines.devices, engines.installation)
    return LedgerReport(fittings.guard, whole, appendix, engines.printer, engines.signer, now)


def _burying(engines: Engines) -> KeyEraser | None:
    return None if engines.eraser is None else Burying(engines.eraser, engines.tombstones, now)


def missed_forgettings(fittings: Fittings, verify: Verify) -> MissedForgettings:
    """Return what holds the forgettings of the index against the ledger."""
    engines = fittings.engines
    return MissedForgettings(engines.forgettings, engines.ledger, engines.retention, fittings.seals, verify.writer_key)


def forget(fittings: Fittings, verify: Verify) -> Forget:
    """Return what forgets the keys of studies."""
    engines = fittings.engines
    return Forget(
        fittings.guard,
        fittings.facts,
        engines.records,
        engines.forgettings,
        fittings.blobs,
        engines.ledger,
        engines.retention,
        OwnObjects(engines.unwrapper, fittings.opener),
        missed_forgettings(fittings, verify),
        engines.eraser,
        fittings.keys,
        fittings.seals,
        verify.writer_key,
        now,
    )


def ledger_retention(fittings: Fittings, verify: Verify, vouching: Vouching) -> LedgerRetention:
    """Return what ends the ledger where it need not be kept."""
    engines = fittings.engines
    return LedgerRetention(
        fittings.guard,
        engines.records,
        engines.ledger,
        engines.publisher,
        engines.retention,
        engines.ledger_keys,
        fittings.ledger_keys,
        fittings.seals,
        engines.signer,
        engines.origin,
        engines.public_key,
        now,
        engines.keep_months,
        verify.writer_key,
        vouching,
    )


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def new_object_id() -> ObjectId:
    """Return a name for a new object."""
    return object_id(int(now().timestamp() * 1000), os.urandom(10))
