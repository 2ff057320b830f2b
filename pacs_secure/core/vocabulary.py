"""The closed words of access: who may be what, what can be done, why, and what a decision may rest on."""

from enum import StrEnum

DEFAULT_DEPARTMENT = "radiology"
"""Where a device or user enrolled by hand belongs when nobody says otherwise."""


class Action(StrEnum):
    """Everything that can be decided on, as ``object:verb``."""

    ARCHIVE_REBUILD = "archive:rebuild"
    """Make a lost index anew from what objects and vault say."""
    ARCHIVE_VERIFY = "archive:verify"
    ASSOCIATION_OPEN = "association:open"
    BACKUP_CREATE = "backup:create"
    BACKUP_RESTORE = "backup:restore"
    BACKUP_VERIFY = "backup:verify"
    BOARD_ADMIT = "board:admit"
    """Put a study on a board."""
    BOARD_CHANGE = "board:change"
    BOARD_CONVENE = "board:convene"
    BOARD_LIST = "board:list"
    BREAK_GLASS_END = "break-glass:end"
    BREAK_GLASS_LIST = "break-glass:list"
    BREAK_GLASS_OPEN = "break-glass:open"
    BREAK_GLASS_REVIEW = "break-glass:review"
    CARE_END = "care:end"
    CARE_GRANT = "care:grant"
    """Say that a person treats the patient of a study."""
    DEVICE_ENROL = "device:enrol"
    DEVICE_LIST = "device:list"
    DEVICE_REVOKE = "device:revoke"
    INCIDENT_REPORT = "incident:report"
    KEYS_REWRAP = "keys:rewrap"
    """Wrap everything on the shelf anew under the newest version of the institution's key (SEC-03)."""
    KEYS_ROTATE = "keys:rotate"
    KEYS_STATUS = "keys:status"
    LEDGER_APPROVE = "ledger:approve"
    """Let somebody else's question about a named employee be answered (LOG-07)."""
    LEDGER_ASK = "ledger:ask"
    """Ask what a named employee did; a second person approves before anything is answered (LOG-07)."""
    LEDGER_DISCLOSE = "ledger:disclose"
    """Tell a patient who looked at their pictures (GDPR 15, DSR-03)."""
    LEDGER_EXPIRE = "ledger:expire"
    """Remove what the ledger need not keep any longer (LOG-05)."""
    LEDGER_FEED = "ledger:feed"
    """Pass the entries on as audit messages (LOG-06)."""
    LEDGER_READ = "ledger:read"
    LEDGER_REPORT = "ledger:report"
    LEDGER_VERIFY = "ledger:verify"
    NOTICE_ACKNOWLEDGE = "notice:acknowledge"
    NOTICE_LIST = "notice:list"
    POLICY_APPROVE = "policy:approve"
    POLICY_EXPLAIN = "policy:explain"
    POLICY_PROPOSE = "policy:propose"
    SESSION_AUTHENTICATE = "session:authenticate"
    SESSION_END = "session:end"
    SESSION_OPEN = "session:open"
    SESSION_REVOKE = "session:revoke"
    SHARE_CREATE = "share:create"
    SHARE_LIST = "share:list"
    SHARE_REDEEM = "share:redeem"
    SHARE_REVOKE = "share:revoke"
    STUDY_CLASSIFY = "study:classify"
    """Change the facts that decisions about a study rest on."""
    STUDY_CREATE = "study:create"
    STUDY_ERASE = "study:erase"
    STUDY_FORGET = "study:forget"
    """Carry out what was decided: forget the keys of a study, so that nothing of it opens again."""
    STUDY_READ = "study:read"
    STUDY_SEARCH = "study:search"
    SYSTEM_ALARM = "system:alarm"
    """Something that watches the archive found it wanting: a clock, a witness, the ledger itself."""
    SYSTEM_START = "system:start"
    SYSTEM_STOP = "system:stop"


OF_A_STUDY = frozenset(
    {
        Action.BOARD_ADMIT,
        Action.CARE_GRANT,
        Action.SHARE_CREATE,
        Action.STUDY_CLASSIFY,
        Action.STUDY_ERASE,
        Action.STUDY_FORGET,
        Action.STUDY_READ,
    }
)
"""Acts on a study that is already there: a plain refusal would betray it. A search is narrowed
instead, and whoever creates brings the study along."""

FROZEN_BY_HOLD = frozenset({Action.STUDY_ERASE, Action.STUDY_FORGET})
"""What a legal hold forbids, whoever may do it otherwise (GDPR 17(3)(e))."""


class Purpose(StrEnum):
    """Why: HL7 v3 PurposeOfUse codes."""

    BREAK_GLASS = "BTG"
    HEALTH_RESEARCH = "HRESCH"
    OPERATIONS = "HOPERAT"
    PATIENT_REQUEST = "PATRQT"
    SYSTEM_ADMINISTRATION = "HSYSADMIN"
    TREATMENT = "TREAT"


class Relation(StrEnum):
    """How a subject stands to a patient; `NONE` is no relation at all and holds for every study."""

    DEPARTMENT = "department"
    EMERGENCY = "emergency"
    """The subject broke the glass for this patient, not long ago."""
    INVITED = "invited"
    """The subject was invited to this study: by a share, or as a member of a board."""
    NONE = "none"
    OWN = "own"
    REFERRING = "referring"
    TREATING = "treating"


TIES_A_PATIENT = frozenset({Relation.EMERGENCY, Relation.TREATING})
TIES_A_STUDY = frozenset({Relation.INVITED, Relation.REFERRING})
"""Relations that a `Tie` makes, to all studies of a patient or to one study; the others follow from the house."""


class Safeguard(StrEnum):
    """What stands before a study beyond its relations: a rule must name it to reach the study all the same."""

    ENDED = "ended"
    """The treatment it belongs to ended more than so many days ago (OH-KIS, ACC-07)."""
    RESTRICTED = "restricted"
    """Its processing is restricted (GDPR 18)."""

    ADDICTION = "addiction"
    GENETICS = "genetics"
    INFECTION = "infection"
    PSYCHIATRY = "psychiatry"
    STAFF = "staff"
    VIOLENCE = "violence"
    VIP = "vip"


LABELS = frozenset(Safeguard) - {Safeguard.ENDED, Safeguard.RESTRICTED}
"""Why a study is specially protected: each access to such a study is reported singly (ACC-08)."""


class Role(StrEnum):
    """What a subject is; policies speak of roles, never of persons."""

    ADMIN = "admin"
    CLINICIAN = "clinician"
    DPO = "dpo"
    GUEST = "guest"
    """Somebody from outside, who sees what they were invited to and nothing else."""
    MODALITY = "modality"
    OFFICER = "officer"
    OPERATOR = "operator"
    RADIOLOGIST = "radiologist"
    REFERRER = "referrer"
    RESEARCHER = "researcher"
    STRANGER = "stranger"
    TECHNOLOGIST = "technologist"
    WORKSTATION = "workstation"


DEVICES = frozenset({Role.MODALITY, Role.WORKSTATION})
"""Roles of things and not of persons: nothing ties them to anybody."""


class Door(StrEnum):
    """Which door a subject came through."""

    COMMAND_LINE = "cli"
    DIMSE = "dimse"
    JOB = "job"
    WEB = "web"
