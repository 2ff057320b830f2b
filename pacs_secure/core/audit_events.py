"""Which audit event every act is: one table, from which the DICOM message and the FHIR resource are both written.

A row says of an action what stands in ``EventIdentification`` (PS3.15 A.5.2, A.5.3) and which pattern of
IHE BALP it follows. Reading a record of who may do what is the use of a restricted function; granting
and taking away is a change of security attributes. What has no event of its own in DICOM is a security
alert with the nearest type, and always carries the action's own word beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from pacs_secure.core import audit_codes as code
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.audit_codes import Code
from pacs_secure.core.vocabulary import Action


class Deed(StrEnum):
    """EventActionCode (PS3.15 A.5.2)."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Pattern(StrEnum):
    """Which pattern of IHE BALP an event follows; ``Patient`` stands before its name when a patient is known."""

    CREATE = "Create"
    READ = "Read"
    UPDATE = "Update"
    DELETE = "Delete"
    QUERY = "Query"
    NONE = ""
    """Nothing that BALP describes: its patterns are for successful acts on resources only."""


class Flow(StrEnum):
    """Which way the data goes, as the roles of PS3.16 CID 402 say it."""

    IN = "in"
    OUT = "out"
    LAUNCH = "launch"
    """None: one starts or stops the other."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What kind of event something was."""

    event_id: Code
    deed: Deed
    """What was done; FHIR says it as it is, DICOM as its message allows (`event_action`)."""
    types: tuple[Code, ...] = ()
    pattern: Pattern = Pattern.NONE
    flow: Flow = Flow.NONE

    @property
    def event_action(self) -> Deed:
        """Return the EventActionCode of its message: an alert is executed, whatever was done (PS3.15 A.5.3.11)."""
        return Deed.EXECUTE if self.event_id is code.SECURITY_ALERT else self.deed


@dataclass(frozen=True, slots=True)
class Row:
    """What an action is when it is done, and what else it can be."""

    done: AuditEvent
    begun: AuditEvent | None = None
    shown_by: tuple[str, str] | None = None
    """The fact that says that the act only looked at what it could have changed."""


def _alert(deed: Deed, *types: Code, pattern: Pattern = Pattern.NONE, flow: Flow = Flow.NONE) -> AuditEvent:
    return AuditEvent(code.SECURITY_ALERT, deed, types, pattern, flow)


def _login(kind: Code) -> AuditEvent:
    return AuditEvent(code.USER_AUTHENTICATION, Deed.EXECUTE, (kind,))


def _activity(kind: Code) -> AuditEvent:
    return AuditEvent(code.APPLICATION_ACTIVITY, Deed.EXECUTE, (kind,), flow=Flow.LAUNCH)


def _begins(flow: Flow) -> AuditEvent:
    return AuditEvent(code.BEGIN_TRANSFERRING, Deed.EXECUTE, flow=flow)


def _transferred(deed: Deed, pattern: Pattern, flow: Flow) -> AuditEvent:
    return AuditEvent(code.INSTANCES_TRANSFERRED, deed, (), pattern, flow)


_LOOKED = _alert(Deed.READ, code.RESTRICTED_FUNCTION, pattern=Pattern.READ, flow=Flow.OUT)
_NOTED = _alert(Deed.UPDATE, code.RESTRICTED_FUNCTION, pattern=Pattern.UPDATE, flow=Flow.IN)
_REFUSED = _alert(Deed.EXECUTE, code.RESTRICTED_FUNCTION)
_USED = AuditEvent(code.AUDIT_LOG_USED, Deed.READ, (), Pattern.READ, Flow.OUT)
_USERS_MADE = _alert(Deed.CREATE, code.USER_SECURITY_CHANGED, pattern=Pattern.CREATE, flow=Flow.IN)
_USERS_CHANGED = _alert(Deed.UPDATE, code.USER_SECURITY_CHANGED, pattern=Pattern.UPDATE, flow=Flow.IN)
_OBJECT_CHANGED = _alert(Deed.UPDATE, code.OBJECT_SECURITY_CHANGED, pattern=Pattern.UPDATE, flow=Flow.IN)
_KEYS_CHANGED = _alert(Deed.UPDATE, code.OBJECT_SECURITY_CHANGED, pattern=Pattern.UPDATE, flow=Flow.IN)
_NODE_MADE = _alert(Deed.CREATE, code.SECURITY_CONFIGURATION, pattern=Pattern.CREATE, flow=Flow.IN)
_NODE_CHANGED = _alert(Deed.UPDATE, code.SECURITY_CONFIGURATION, pattern=Pattern.UPDATE, flow=Flow.IN)
_RULES_MADE = _alert(Deed.CREATE, code.SECURITY_CONFIGURATION, pattern=Pattern.CREATE, flow=Flow.IN)
_RULES_CHANGED = _alert(
    Deed.UPDATE, code.SECURITY_CONFIGURATION, code.SECURITY_ROLES_CHANGED, pattern=Pattern.UPDATE, flow=Flow.IN
)

EVENTS: Mapping[Action, Row] = MappingProxyType(
    {
        Action.ARCHIVE_REBUILD: Row(_OBJECT_CHANGED),
        Action.ARCHIVE_VERIFY: Row(_LOOKED),
        Action.ASSOCIATION_OPEN: Row(_alert(Deed.EXECUTE, code.NODE_AUTHENTICATION)),
        Action.BACKUP_CREATE: Row(_LOOKED),
        Action.BACKUP_RESTORE: Row(
            _alert(Deed.UPDATE, code.SECURITY_CONFIGURATION, pattern=Pattern.UPDATE, flow=Flow.IN)
        ),
        Action.BACKUP_VERIFY: Row(_LOOKED),
        Action.BOARD_ADMIT: Row(_OBJECT_CHANGED),
        Action.BOARD_CHANGE: Row(_USERS_CHANGED),
        Action.BOARD_CONVENE: Row(_USERS_MADE),
        Action.BOARD_LIST: Row(_LOOKED),
        Action.BREAK_GLASS_END: Row(_alert(Deed.EXECUTE, code.EMERGENCY_STOPPED)),
        Action.BREAK_GLASS_LIST: Row(_LOOKED),
        Action.BREAK_GLASS_OPEN: Row(_alert(Deed.EXECUTE, code.EMERGENCY_STARTED)),
        Action.BREAK_GLASS_REVIEW: Row(_NOTED),
        Action.CARE_END: Row(_USERS_CHANGED),
        Action.CARE_GRANT: Row(_USERS_CHANGED, shown_by=("care", "listed")),
        Action.DEVICE_ENROL: Row(_NODE_MADE),
        Action.DEVICE_LIST: Row(_LOOKED),
        Action.DEVICE_REVOKE: Row(_NODE_CHANGED),
        Action.INCIDENT_REPORT: Row(_USED),
        Action.KEYS_REWRAP: Row(_KEYS_CHANGED),
        Action.KEYS_ROTATE: Row(_KEYS_CHANGED),
        Action.KEYS_STATUS: Row(_LOOKED),
        Action.LEDGER_APPROVE: Row(_alert(Deed.EXECUTE, code.AUTHORIZATION_DECISION)),
        Action.LEDGER_ASK: Row(_USED),
        Action.LEDGER_DISCLOSE: Row(_USED),
        Action.LEDGER_EXPIRE: Row(_alert(Deed.DELETE, code.OBJECT_SECURITY_CHANGED, pattern=Pattern.DELETE)),
        Action.LEDGER_FEED: Row(_USED),
        Action.LEDGER_READ: Row(_USED),
        Action.LEDGER_REPORT: Row(_USED),
        Action.LEDGER_VERIFY: Row(_USED),
        Action.NOTICE_ACKNOWLEDGE: Row(_NOTED),
        Action.NOTICE_LIST: Row(_LOOKED),
        Action.POLICY_APPROVE: Row(_RULES_CHANGED),
        Action.POLICY_EXPLAIN: Row(_LOOKED),
        Action.POLICY_PROPOSE: Row(_RULES_MADE),
        Action.SESSION_AUTHENTICATE: Row(_login(code.LOGIN)),
        Action.SESSION_END: Row(_login(code.LOGOUT)),
        Action.SESSION_OPEN: Row(_login(code.LOGIN)),
        Action.SESSION_REVOKE: Row(_USERS_CHANGED),
        Action.SHARE_CREATE: Row(_USERS_MADE),
        Action.SHARE_LIST: Row(_LOOKED),
        Action.SHARE_REDEEM: Row(_USERS_CHANGED),
        Action.SHARE_REVOKE: Row(_USERS_CHANGED),
        Action.STUDY_CLASSIFY: Row(_OBJECT_CHANGED, shown_by=("facts", "shown")),
        Action.STUDY_CREATE: Row(_transferred(Deed.CREATE, Pattern.CREATE, Flow.IN), begun=_begins(Flow.IN)),
        Action.STUDY_ERASE: Row(AuditEvent(code.STUDY_DELETED, Deed.DELETE, (), Pattern.DELETE)),
        Action.STUDY_FORGET: Row(AuditEvent(code.STUDY_DELETED, Deed.DELETE, (), Pattern.DELETE)),
        Action.STUDY_READ: Row(_transferred(Deed.READ, Pattern.READ, Flow.OUT), begun=_begins(Flow.OUT)),
        Action.STUDY_SEARCH: Row(AuditEvent(code.QUERY, Deed.EXECUTE, (), Pattern.QUERY, Flow.IN)),
        Action.SYSTEM_ALARM: Row(_alert(Deed.EXECUTE, code.SECURITY_CONFIGURATION)),
        Action.SYSTEM_START: Row(_activity(code.APPLICATION_START)),
        Action.SYSTEM_STOP: Row(_activity(code.APPLICATION_STOP)),
    }
)
"""A row for every action; a test fails as long as a new one has none."""

INDICATORS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.BEGUN: "0",
        Outcome.COMPLETED: "0",
        Outcome.ABORTED: "4",
        Outcome.FAILED: "8",
        Outcome.REFUSED: "8",
    }
)
"""EventOutcomeIndicator (PS3.15 A.5.2): an act that was broken off failed a little, one that was refused altogether."""


def event_of(draft: Draft) -> AuditEvent:
    """Say which audit event an entry is; only what was completed follows a pattern of BALP.

    What was refused is a security alert (PS3.15 A.5.3.10, note 1; BALP says a denied authorization so too), but
    for a login, which failed as what it is.
    """
    row = EVENTS[draft.action]
    done = row.done
    if row.shown_by is not None and draft.facts.get(row.shown_by[0]) == row.shown_by[1]:
        done = _LOOKED
    if draft.outcome is Outcome.COMPLETED:
        return done
    if draft.outcome is Outcome.REFUSED and done.event_id not in {code.SECURITY_ALERT, code.USER_AUTHENTICATION}:
        return _REFUSED
    if draft.outcome is Outcome.BEGUN and row.begun is not None:
        return row.begun
    return replace(done, pattern=Pattern.NONE)
