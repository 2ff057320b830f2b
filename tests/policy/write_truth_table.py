"""Writes ``policies/truth-table.csv`` from a second, independent statement of who may do what.

Run it after the statement below was changed on purpose, and read the difference it makes:
``.venv/bin/python tests/policy/write_truth_table.py``.
"""

from itertools import product
from pathlib import Path

from pacs_secure.core.access import Action, Purpose, Relation, Role

TABLE = Path(__file__).parents[2] / "policies" / "truth-table.csv"

RUNNING = {Purpose.OPERATIONS, Purpose.SYSTEM_ADMINISTRATION}
TREAT, EMERGENCY = {Purpose.TREATMENT}, {Purpose.TREATMENT, Purpose.BREAK_GLASS}

PEOPLE = set(Role) - {Role.MODALITY, Role.WORKSTATION, Role.OPERATOR, Role.STRANGER}
DEVICES = {Role.MODALITY, Role.WORKSTATION}
SENDERS = DEVICES | {Role.RADIOLOGIST, Role.TECHNOLOGIST}
CAREGIVERS = {Role.CLINICIAN, Role.RADIOLOGIST}
INVITABLE = CAREGIVERS | {Role.REFERRER, Role.GUEST}
OVERSIGHT = {Role.ADMIN, Role.DPO, Role.OFFICER, Role.OPERATOR}

ORDINARY, OLD, EXPLICIT, ON_REQUEST, ALL = "-", "ended", "ended protected", "ended restricted", "*"
"""Which studies: ordinary ones; after the end of treatment; labelled ones; restricted ones; every one."""

SEES: dict[Role, dict[tuple[Relation, Purpose], str]] = {
    Role.CLINICIAN: {
        (Relation.DEPARTMENT, Purpose.TREATMENT): ORDINARY,
        (Relation.TREATING, Purpose.TREATMENT): EXPLICIT,
        (Relation.INVITED, Purpose.TREATMENT): EXPLICIT,
        (Relation.EMERGENCY, Purpose.TREATMENT): ALL,
        (Relation.EMERGENCY, Purpose.BREAK_GLASS): ALL,
    },
    Role.RADIOLOGIST: {
        (Relation.NONE, Purpose.TREATMENT): OLD,
        (Relation.NONE, Purpose.PATIENT_REQUEST): ON_REQUEST,
        (Relation.TREATING, Purpose.TREATMENT): EXPLICIT,
        (Relation.INVITED, Purpose.TREATMENT): EXPLICIT,
        (Relation.EMERGENCY, Purpose.TREATMENT): ALL,
        (Relation.EMERGENCY, Purpose.BREAK_GLASS): ALL,
    },
    Role.REFERRER: {
        (Relation.REFERRING, Purpose.TREATMENT): ORDINARY,
        (Relation.INVITED, Purpose.TREATMENT): EXPLICIT,
    },
    Role.GUEST: {(Relation.INVITED, Purpose.TREATMENT): EXPLICIT},
    Role.TECHNOLOGIST: {(Relation.DEPARTMENT, Purpose.TREATMENT): ORDINARY},
    Role.WORKSTATION: {(Relation.DEPARTMENT, Purpose.TREATMENT): OLD},
}
"""How far each relation lets a role see, and for which purpose."""

PASSES_ON: dict[Role, dict[Relation, str]] = {
    Role.CLINICIAN: {Relation.DEPARTMENT: ORDINARY, Relation.TREATING: EXPLICIT},
    Role.RADIOLOGIST: {Relation.NONE: OLD, Relation.TREATING: EXPLICIT},
}
"""Which studies a role may invite others to."""


def of(roles: set[Role], purposes: set[Purpose]) -> set[tuple[Role, Purpose]]:
    """Return every role with every purpose."""
    return set(product(roles, purposes))


OPERATORS, ADMINS = of({Role.OPERATOR}, RUNNING), of({Role.ADMIN}, {Purpose.SYSTEM_ADMINISTRATION})
DPO, OFFICER = of({Role.DPO}, {Purpose.OPERATIONS}), of({Role.OFFICER}, {Purpose.OPERATIONS})
IN_CARE = of(CAREGIVERS, TREAT)
WHEREVER_INVITED = of(INVITABLE, TREAT)
FACTS = OFFICER | OPERATORS
SESSIONS = of(PEOPLE, set(Purpose))

ACTS = {
    Action.ARCHIVE_REBUILD: OPERATORS,
    Action.ARCHIVE_VERIFY: OPERATORS,
    Action.ASSOCIATION_OPEN: of(DEVICES, TREAT),
    Action.BACKUP_CREATE: OPERATORS,
    Action.BACKUP_RESTORE: OPERATORS,
    Action.BACKUP_VERIFY: OPERATORS,
    Action.BOARD_CHANGE: IN_CARE,
    Action.BOARD_CONVENE: IN_CARE,
    Action.BOARD_LIST: WHEREVER_INVITED | DPO,
    Action.BREAK_GLASS_END: of(CAREGIVERS, EMERGENCY),
    Action.BREAK_GLASS_LIST: of(CAREGIVERS, EMERGENCY) | DPO,
    Action.BREAK_GLASS_OPEN: of(CAREGIVERS, {Purpose.BREAK_GLASS}),
    Action.BREAK_GLASS_REVIEW: DPO,
    Action.CARE_END: FACTS,
    Action.CARE_GRANT: FACTS,
    Action.DEVICE_ENROL: OPERATORS | ADMINS,
    Action.DEVICE_LIST: OPERATORS | ADMINS | DPO,
    Action.DEVICE_REVOKE: OPERATORS | ADMINS,
    Action.INCIDENT_REPORT: OPERATORS | DPO,
    Action.KEYS_REWRAP: OPERATORS | ADMINS,
    Action.KEYS_ROTATE: OPERATORS | ADMINS,
    Action.KEYS_STATUS: OPERATORS | ADMINS | DPO,
    Action.LEDGER_APPROVE: OFFICER | DPO,
    Action.LEDGER_ASK: DPO,
    Action.LEDGER_DISCLOSE: OPERATORS | of({Role.DPO}, {Purpose.OPERATIONS, Purpose.PATIENT_REQUEST}),
    Action.LEDGER_EXPIRE: OPERATORS,
    Action.LEDGER_FEED: OPERATORS,
    Action.LEDGER_READ: DPO,
    Action.LEDGER_REPORT: OPERATORS | OFFICER | DPO,
    Action.LEDGER_VERIFY: OPERATORS | DPO,
    Action.NOTICE_ACKNOWLEDGE: DPO,
    Action.NOTICE_LIST: DPO,
    Action.POLICY_APPROVE: OFFICER | DPO,
    Action.POLICY_EXPLAIN: of(OVERSIGHT, RUNNING),
    Action.POLICY_PROPOSE: OPERATORS | ADMINS,
    Action.SESSION_AUTHENTICATE: SESSIONS,
    Action.SESSION_END: SESSIONS,
    Action.SESSION_OPEN: SESSIONS,
    Action.SESSION_REVOKE: OPERATORS | ADMINS | DPO,
    Action.SHARE_LIST: WHEREVER_INVITED | DPO,
    Action.SHARE_REDEEM: WHEREVER_INVITED,
    Action.SHARE_REVOKE: IN_CARE | DPO,
    Action.STUDY_CLASSIFY: FACTS,
    Action.STUDY_ERASE: OFFICER,
    Action.STUDY_FORGET: OPERATORS,
    Action.SYSTEM_ALARM: set(),
    Action.SYSTEM_START: set(),
    Action.SYSTEM_STOP: set(),
}
"""What does not depend on a relation, and every study or none at all may be concerned."""

HIDDEN = {
    Action.BOARD_ADMIT,
    Action.CARE_GRANT,
    Action.SHARE_CREATE,
    Action.STUDY_CLASSIFY,
    Action.STUDY_ERASE,
    Action.STUDY_FORGET,
    Action.STUDY_READ,
}
"""Whose refusal would betray a study."""


def ways(role: Role, action: Action, purpose: Purpose, relation: Relation) -> set[str]:
    """Return every way on which a subject with this one relation to a study of their house may do this."""
    held = {relation, Relation.NONE}
    if action in {Action.STUDY_SEARCH, Action.STUDY_READ}:
        return {far for (near, why), far in SEES.get(role, {}).items() if near in held and why is purpose}
    if action in {Action.SHARE_CREATE, Action.BOARD_ADMIT}:
        passed = PASSES_ON.get(role, {}) if purpose is Purpose.TREATMENT else {}
        return {far for near, far in passed.items() if near in held}
    if action is Action.STUDY_CREATE:
        sends = role in SENDERS and purpose is Purpose.TREATMENT
        return {ALL} if sends and (role is Role.RADIOLOGIST or relation is Relation.DEPARTMENT) else set()
    return {ALL} if (role, purpose) in ACTS[action] else set()


WITHIN = {
    ORDINARY: {OLD, EXPLICIT, ON_REQUEST, ALL},
    OLD: {EXPLICIT, ON_REQUEST, ALL},
    EXPLICIT: {ALL},
    ON_REQUEST: {ALL},
}


def expected(role: Role, action: Action, purpose: Purpose, relation: Relation) -> tuple[str, str]:
    """Say what must come out: only acts on studies that one could never find are hidden."""
    found = ways(role, action, purpose, relation)
    if found:
        return "allow", "/".join(sorted(way for way in found if not WITHIN.get(way, set()) & found))
    findable = any(ways(role, Action.STUDY_SEARCH, other, relation) for other in Purpose)
    return "hide" if action in HIDDEN and not findable else "refuse", ""


def table() -> str:
    """Expand the statement to every role, action, purpose and relation."""
    lines = ["role,action,purpose,relation,expected,despite"]
    combinations = product(sorted(Role), sorted(Action), sorted(Purpose), sorted(Relation))
    lines += [",".join((*combination, *expected(*combination))) for combination in combinations]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
