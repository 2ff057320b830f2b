"""The house: the verbs with the engines they were given, before any door is opened."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from pacs_secure import fittings
from pacs_secure.adapters.policy_check import check_policy
from pacs_secure.archive import Archive
from pacs_secure.archive.audit_events import AuditEvents
from pacs_secure.archive.boards import Convening
from pacs_secure.archive.break_glass import BreakGlass
from pacs_secure.archive.care import CareTies
from pacs_secure.archive.classification import Classify
from pacs_secure.archive.details import Details
from pacs_secure.archive.employee_questions import Questioning
from pacs_secure.archive.enrolment import Enrolment
from pacs_secure.archive.explain import Explain
from pacs_secure.archive.feed import LedgerFeed
from pacs_secure.archive.guard import Terms
from pacs_secure.archive.incident import IncidentReport
from pacs_secure.archive.invitations import Invitations
from pacs_secure.archive.ledger_proofs import LedgerProofs
from pacs_secure.archive.ledger_reading import LedgerReading
from pacs_secure.archive.notices import NoticeBook
from pacs_secure.archive.opened_boards import BoardPages
from pacs_secure.archive.patient_trail import PatientTrail
from pacs_secure.archive.policies import Policies
from pacs_secure.archive.recovery import Recovery
from pacs_secure.archive.rekey import Rekey
from pacs_secure.archive.report.reading import WholeReading
from pacs_secure.archive.resurrection import Resurrection
from pacs_secure.archive.retrieve import Retrieve
from pacs_secure.archive.seals import Sealer
from pacs_secure.archive.search import Search
from pacs_secure.archive.sessions import Sessions, SessionTerms
from pacs_secure.archive.shares import Sharing
from pacs_secure.archive.unburied import Unburied
from pacs_secure.archive.vouching import Vouching
from pacs_secure.engines import Engines


@dataclass(frozen=True, slots=True)
class House:
    """The archive with its engines, before any door is opened."""

    archive: Archive
    engines: Engines
    drop_keys: Callable[[], None]
    """Forget every key that opens something."""
    resurrection: Resurrection
    unburied: Unburied


def furnish(engines: Engines, terms: Terms | None = None, session_terms: SessionTerms | None = None) -> House:
    """Give the engines to the verbs."""
    common = fittings.fit(engines, terms)
    engines, guard, facts, seals = common.engines, common.guard, common.facts, common.seals
    now = fittings.now
    invitations = Invitations(guard, facts, engines.records, seals, now)
    told = Details(engines.unwrapper)
    proofs = LedgerProofs(guard, engines.ledger, engines.publisher, engines.origin, engines.public_key)
    reading = LedgerReading(guard, engines.ledger, engines.patients, facts, seals, told)
    sealer = Sealer(common.keys, common.blobs, fittings.new_object_id, packs=engines.packs)
    verify = fittings.verify(common)
    vouching = Vouching(engines.publisher, engines.origin, engines.public_key, engines.witnesses)
    whole = WholeReading(engines.ledger, verify.informed_check, vouching)
    archive = Archive(
        guard=guard,
        facts=facts,
        ingest=fittings.ingest(common, sealer),
        forget=fittings.forget(common, verify),
        retrieve=Retrieve(guard, facts, engines.records, common.opener),
        search=Search(guard, engines.records, seals),
        verify=verify,
        rebuild=fittings.rebuild(common),
        report=fittings.report(common, whole),
        incident=IncidentReport(guard, facts, whole, engines.installation, engines.printer, engines.signer, now),
        enrolment=Enrolment(guard, engines.devices, engines.authority, now),
        recovery=Recovery(guard, engines.records, engines.ledger),
        break_glass=BreakGlass(guard, engines.emergencies, engines.patients, engines.ledger, seals, now, uuid4),
        notices=NoticeBook(guard, engines.notices, seals, now),
        classify=Classify(guard, facts, engines.records, seals, now),
        care=CareTies(guard, facts, engines.ties, seals, now),
        sessions=Sessions(guard, engines.sessions, seals, now, time.monotonic, session_terms),
        convening=Convening(invitations, BoardPages(invitations), engines.boards, engines.ledger),
        sharing=Sharing(invitations, engines.shares, engines.ledger),
        explain=Explain(guard, facts, engines.policy, now),
        feed=LedgerFeed(guard, engines.ledger, engines.origin),
        ledger_keys=common.ledger_keys,
        ledger_retention=fittings.ledger_retention(common, verify, vouching),
        policies=Policies(guard, engines.policy, engines.policies, seals, check_policy, now),
        ledger_reading=reading,
        audit_events=AuditEvents(guard, reading, engines.origin),
        questioning=Questioning(guard, engines.questions, reading, seals, now),
        ledger_proofs=proofs,
        patient_trail=PatientTrail(guard, engines.ledger, engines.patients, seals, told, proofs, now),
        rekey=Rekey(guard, engines.rewrapper, engines.rewraps, engines.tombstones, engines.eraser, now),
        copies=common.copies,
        replication=common.replication,
    )
    resurrection = Resurrection(engines.tombstones, engines.shelf, engines.eraser, guard, engines.home, now)
    missed = fittings.missed_forgettings(common, verify)
    unburied = Unburied(guard, engines.forgettings, engines.tombstones, engines.eraser, seals, missed, engines.home)
    return House(archive, engines, common.drop_keys, resurrection, unburied)
