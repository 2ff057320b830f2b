"""Writes ``policies/truth-table.csv`` from a second, independent statement of who may do what.

Run it after the statement below was changed on purpose, and read the difference it makes:
``.venv/bin/python tests/policy/write_truth_table.py``.
"""

from itertools import product
from pathlib import Path

from pacs_secure.core.access import Action, Purpose, Relation, Role

TABLE = Path(__file__).parents[2] / "policies" / "truth-table.csv"

RUNNING = {Purpose.OPERATIONS, Purpose.SYSTEM_ADMINISTRATION}
EVERYBODY = set(Relation)

PEOPLE = set(Role) - {Role.MODALITY, Role.WORKSTATION, Role.OPERATOR, Role.STRANGER}
DEVICES = {Role.MODALITY, Role.WORKSTATION}
SENDERS = DEVICES | {Role.RADIOLOGIST, Role.TECHNOLOGIST}

SEES = {
    Role.CLINICIAN: {Relation.DEPARTMENT, Relation.TREATING, Relation.INVITED},
    Role.RADIOLOGIST: EVERYBODY,
    Role.REFERRER: {Relation.REFERRING, Relation.INVITED},
    Role.TECHNOLOGIST: {Relation.DEPARTMENT},
    Role.WORKSTATION: {Relation.DEPARTMENT},
}


ACTS = {
    Action.ARCHIVE_VERIFY: {(Role.OPERATOR, purpose) for purpose in RUNNING},
    Action.ASSOCIATION_OPEN: {(role, Purpose.TREATMENT) for role in DEVICES},
    Action.DEVICE_ENROL: {(Role.OPERATOR, purpose) for purpose in RUNNING}
    | {(Role.ADMIN, Purpose.SYSTEM_ADMINISTRATION)},
    Action.LEDGER_VERIFY: {(Role.OPERATOR, purpose) for purpose in RUNNING} | {(Role.DPO, Purpose.OPERATIONS)},
    Action.SESSION_AUTHENTICATE: set(product(PEOPLE, Purpose)),
    Action.STUDY_CREATE: {(role, Purpose.TREATMENT) for role in SENDERS},
}


def may(role: Role, action: Action, purpose: Purpose, relation: Relation) -> bool:
    """Say whether a subject with this one relation to a study may do this for that purpose."""
    if action in {Action.STUDY_SEARCH, Action.STUDY_READ}:
        return purpose is Purpose.TREATMENT and relation in SEES.get(role, set())
    return (role, purpose) in ACTS[action]


def expected(role: Role, action: Action, purpose: Purpose, relation: Relation) -> str:
    """Say what must come out: only reads of studies that one could never find are hidden."""
    if may(role, action, purpose, relation):
        return "allow"
    if action is Action.STUDY_READ and relation not in SEES.get(role, set()):
        return "hide"
    return "refuse"


def table() -> str:
    """Expand the statement to every role, action, purpose and relation."""
    lines = ["role,action,purpose,relation,expected"]
    combinations = product(sorted(Role), sorted(Action), sorted(Purpose), sorted(Relation))
    lines += [",".join((*combination, expected(*combination))) for combination in combinations]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
