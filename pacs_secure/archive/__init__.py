"""What the archive does, one verb a module; doors call these and nothing else."""

from dataclasses import dataclass

from pacs_secure.archive.audit_events import AuditEvents
from pacs_secure.archive.boards import Convening
from pacs_secure.archive.break_glass import BreakGlass
from pacs_secure.archive.care import CareTies
from pacs_secure.archive.classification import Classify
from pacs_secure.archive.copies import Copies
from pacs_secure.archive.employee_questions import Questioning
from pacs_secure.archive.enrolment import Enrolment
from pacs_secure.archive.explain import Explain
from pacs_secure.archive.facts import Facts
from pacs_secure.archive.feed import LedgerFeed
from pacs_secure.archive.forgetting import Forget
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.incident import IncidentReport
from pacs_secure.archive.ingest import Ingest
from pacs_secure.archive.ledger_keys import LedgerKeys
from pacs_secure.archive.ledger_proofs import LedgerProofs
from pacs_secure.archive.ledger_reading import LedgerReading
from pacs_secure.archive.ledger_report import LedgerReport
from pacs_secure.archive.ledger_retention import LedgerRetention
from pacs_secure.archive.notices import NoticeBook
from pacs_secure.archive.patient_trail import PatientTrail
from pacs_secure.archive.policies import Policies
from pacs_secure.archive.rebuild import Rebuild
from pacs_secure.archive.recovery import Recovery
from pacs_secure.archive.rekey import Rekey
from pacs_secure.archive.replication import Replication
from pacs_secure.archive.retrieve import Retrieve
from pacs_secure.archive.search import Search
from pacs_secure.archive.sessions import Sessions
from pacs_secure.archive.shares import Sharing
from pacs_secure.archive.verify import Verify


@dataclass(frozen=True, slots=True)
class Archive:
    """Every verb of the archive."""

    guard: Guard
    facts: Facts
    forget: Forget
    ingest: Ingest
    retrieve: Retrieve
    search: Search
    verify: Verify
    rebuild: Rebuild
    enrolment: Enrolment
    recovery: Recovery
    break_glass: BreakGlass
    notices: NoticeBook
    classify: Classify
    care: CareTies
    sessions: Sessions
    sharing: Sharing
    convening: Convening
    explain: Explain
    policies: Policies
    feed: LedgerFeed
    ledger_reading: LedgerReading
    ledger_proofs: LedgerProofs
    ledger_keys: LedgerKeys
    ledger_retention: LedgerRetention
    questioning: Questioning
    report: LedgerReport
    incident: IncidentReport
    audit_events: AuditEvents
    patient_trail: PatientTrail
    rekey: Rekey
    copies: Copies
    replication: Replication | None = None
    """None: there is no second store."""
