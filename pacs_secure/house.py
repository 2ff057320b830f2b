"""The house: the verbs with the engines they were given, before any door is opened."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from pacs_secure import __version__
from pacs_secure.adapters.policy_check import check_policy
from pacs_secure.adapters.printing.printer import PagePrinter
from pacs_secure.adapters.vault_authority import VaultAuthority
from pacs_secure.archive import Archive
from pacs_secure.archive.adoption import Adoption
from pacs_secure.archive.audit_events import AuditEvents
from pacs_secure.archive.boards import Convening
from pacs_secure.archive.break_glass import BreakGlass
from pacs_secure.archive.burying import Burying
from pacs_secure.archive.care import CareTies
from pacs_secure.archive.classification import Classify
from pacs_secure.archive.copied_blobs import CopiedBlobs
from pacs_secure.archive.copies import Copies
from pacs_secure.archive.details import Details
from pacs_secure.archive.employee_questions import Questioning
from pacs_secure.archive.enrolment import Enrolment
from pacs_secure.archive.explain import Explain
from pacs_secure.archive.facts import Facts
from pacs_secure.archive.feed import LedgerFeed
from pacs_secure.archive.forgetting import Forget
from pacs_secure.archive.guard import Guard, Terms
from pacs_secure.archive.incident import IncidentReport
from pacs_secure.archive.ingest import Ingest
from pacs_secure.archive.institution_recovery import InstitutionRecovery
from pacs_secure.archive.institutions import InstitutionSeals, OutlastingSeals
from pacs_secure.archive.invitations import Invitations
from pacs_secure.archive.key_pool import KeyPool
from pacs_secure.archive.ledger_keys import LedgerKeys
from pacs_secure.archive.ledger_proofs import LedgerProofs
from pacs_secure.archive.ledger_reading import LedgerReading
from pacs_secure.archive.ledger_recovery import LedgerRecovery
from pacs_secure.archive.ledger_report import LedgerReport
from pacs_secure.archive.ledger_retention import LedgerRetention
from pacs_secure.archive.living_keys import LivingKeys
from pacs_secure.archive.notices import NoticeBook
from pacs_secure.archive.object_check import ObjectCheck
from pacs_secure.archive.opened_boards import BoardPages
from pacs_secure.archive.patient_trail import PatientTrail
from pacs_secure.archive.policies import Policies
from pacs_secure.archive.proven_devices import ProvenDevices
from pacs_secure.archive.rebuild import Rebuild
from pacs_secure.archive.recovery import Recovery
from pacs_secure.archive.rekey import Rekey
from pacs_secure.archive.replication import Replication
from pacs_secure.archive.report.appendix import Appendix
from pacs_secure.archive.report.reading import WholeReading
from pacs_secure.archive.resurrection import Resurrection
from pacs_secure.archive.retrieve import Retrieve
from pacs_secure.archive.seals import Opener, Recoverer, Sealer
from pacs_secure.archive.search import Search
from pacs_secure.archive.sessions import Sessions, SessionTerms
from pacs_secure.archive.shares import Sharing
from pacs_secure.archive.store_check import StoreCheck
from pacs_secure.archive.study_keys import StudyKeys
from pacs_secure.archive.verify import Verify
from pacs_secure.archive.vouching import Vouching
from pacs_secure.core.identifiers import Institution, ObjectId, object_id
from pacs_secure.core.reports import Installation
from pacs_secure.crypto.tlog import WitnessKey
from pacs_secure.dicom.header import Limits
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
    Shelf,
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


@dataclass(frozen=True, slots=True)
class House:
    """The archive with its engines, before any door is opened."""

    archive: Archive
    engines: Engines
    drop_keys: Callable[[], None]
    """Forget every key that opens something."""
    resurrection: Resurrection


@dataclass(frozen=True, slots=True)
class _Common:
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
        return ObjectCheck(opener, self.seals, blobs, engines.records, engines.tombstones, Limits())

    def drop_keys(self) -> None:
        """Forget every key that opens something."""
        self.keys.flush()
        self.seals.flush()


def furnish(engines: Engines, terms: Terms | None = None, session_terms: SessionTerms | None = None) -> House:
    """Give the engines to the verbs."""
    common = _common(engines, terms)
    engines, guard, facts, seals = common.engines, common.guard, common.facts, common.seals
    invitations = Invitations(guard, facts, engines.records, seals, _now)
    told = Details(engines.unwrapper)
    proofs = LedgerProofs(guard, engines.ledger, engines.publisher, engines.origin, engines.public_key)
    reading = LedgerReading(guard, engines.ledger, engines.patients, facts, seals, told)
    sealer = Sealer(common.keys, common.blobs, _new_object_id, packs=engines.packs)
    verify = _verify(common)
    vouching = Vouching(engines.publisher, engines.origin, engines.public_key, engines.witnesses)
    whole = WholeReading(engines.ledger, verify.informed_check, vouching)
    archive = Archive(
        guard=guard,
        facts=facts,
        ingest=_ingest(common, sealer),
        forget=_forget(common, verify),
        retrieve=Retrieve(guard, facts, engines.records, common.opener),
        search=Search(guard, engines.records, seals),
        verify=verify,
        rebuild=_rebuild(common),
        report=_report(common, whole),
        incident=IncidentReport(guard, facts, whole, engines.installation, engines.printer, engines.signer, _now),
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
        feed=LedgerFeed(guard, engines.ledger, engines.origin),
        ledger_keys=common.ledger_keys,
        ledger_retention=_ledger_retention(common, verify, vouching),
        policies=Policies(guard, engines.policy, engines.policies, seals, check_policy, _now),
        ledger_reading=reading,
        audit_events=AuditEvents(guard, reading, engines.origin),
        questioning=Questioning(guard, engines.questions, reading, seals, _now),
        ledger_proofs=proofs,
        patient_trail=PatientTrail(guard, engines.ledger, engines.patients, seals, told, proofs, _now),
        rekey=Rekey(guard, engines.rewrapper, engines.rewraps, engines.tombstones, engines.eraser, _now),
        copies=common.copies,
        replication=common.replication,
    )
    resurrection = Resurrection(engines.tombstones, engines.shelf, engines.eraser, guard, engines.home, _now)
    return House(archive, engines, common.drop_keys, resurrection)


def _ingest(common: _Common, sealer: Sealer) -> Ingest:
    """Return what takes pictures in, also while the vault is away when keys are made beforehand."""
    engines, guard, seals = common.engines, common.guard, common.seals
    patients, blobs = engines.patients, common.blobs
    if engines.pool is None:
        return Ingest(guard, common.facts, engines.records, patients, blobs, sealer, seals, _now, Limits())
    lasting = OutlastingSeals(seals)
    facts = Facts(guard, engines.records, lasting)
    return Ingest(guard, facts, engines.records, patients, blobs, sealer, lasting, _now, Limits())


def _common(engines: Engines, terms: Terms | None) -> _Common:
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
    guard = Guard(engines.policy, engines.ledger, engines.ties, seals, ledger_keys, _now, uuid4, terms)
    facts = Facts(guard, engines.records, seals)
    stores = [engines.blobs] if engines.second is None else [engines.blobs, engines.second]
    copies = Copies(stores, time.monotonic)
    replication = None
    if engines.second is not None:
        replication = Replication(guard, engines.records, engines.blobs, engines.second, copies, _now)
    return _Common(engines, seals, keys, ledger_keys, guard, facts, copies, replication)


def _verify(common: _Common) -> Verify:
    engines = common.engines
    store = StoreCheck(
        engines.records,
        engines.ties,
        common.blobs,
        common.check_in(engines.blobs),
        common.seals,
        engines.unwrapper,
        engines.rebuilds,
        engines.forgettings,
        engines.tombstones,
        engines.shelf,
        engines.key_list,
        engines.home,
        _now,
        time.monotonic,
        None if engines.second is None else common.check_in(engines.second),
    )
    return Verify(
        common.guard,
        store,
        engines.ledger,
        engines.publisher,
        engines.retention,
        engines.home,
        engines.unwrapper,
        engines.origin,
        engines.public_key,
        _now,
    )


def _rebuild(common: _Common) -> Rebuild:
    engines, list_ = common.engines, common.engines.key_list
    return Rebuild(
        common.guard,
        engines.records,
        engines.patients,
        engines.blobs,
        engines.rebuilds,
        Adoption(Recoverer(common.keys, engines.blobs), common.seals, Limits()),
        LedgerRecovery(engines.rebuilds, engines.ledger, engines.publisher, engines.origin, engines.public_key),
        InstitutionRecovery(engines.records, engines.ledger, list_, engines.wrapper, engines.unwrapper),
        list_,
        engines.unwrapper,
        engines.home,
        _now,
        time.monotonic,
    )


def _report(common: _Common, whole: WholeReading) -> LedgerReport:
    engines = common.engines
    appendix = Appendix(engines.policy, engines.devices, engines.installation)
    return LedgerReport(common.guard, whole, appendix, engines.printer, engines.signer, _now)


def _burying(engines: Engines) -> KeyEraser | None:
    return None if engines.eraser is None else Burying(engines.eraser, engines.tombstones, _now)


def _forget(common: _Common, verify: Verify) -> Forget:
    engines = common.engines
    return Forget(
        common.guard,
        common.facts,
        engines.records,
        engines.forgettings,
        common.blobs,
        engines.ledger,
        engines.retention,
        engines.unwrapper,
        engines.eraser,
        common.keys,
        common.opener,
        common.seals,
        verify.writer_key,
        _now,
    )


def _ledger_retention(common: _Common, verify: Verify, vouching: Vouching) -> LedgerRetention:
    engines = common.engines
    return LedgerRetention(
        common.guard,
        engines.records,
        engines.ledger,
        engines.publisher,
        engines.retention,
        engines.ledger_keys,
        common.ledger_keys,
        common.seals,
        engines.signer,
        engines.origin,
        engines.public_key,
        _now,
        engines.keep_months,
        verify.writer_key,
        vouching,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _new_object_id() -> ObjectId:
    return object_id(time.time_ns() // 1_000_000, os.urandom(10))
