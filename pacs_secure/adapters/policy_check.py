"""Holds a folder of policy files against its truth table before anybody relies on it."""

from itertools import product
from pathlib import Path
from typing import NamedTuple

from pacs_secure.adapters.casbin_policy import CasbinPolicy, read_table
from pacs_secure.core.access import Action, Door, Purpose, Relation, Role, Subject
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.core.identifiers import Institution

COLUMNS = ["role", "action", "purpose", "relation", "expected"]


class Truth(NamedTuple):
    """One row of ``truth-table.csv``: what must come out when the subject has this one relation to a study."""

    role: Role
    action: Action
    purpose: Purpose
    relation: Relation
    expected: str
    """``allow``, ``refuse`` (the caller may know of the study) or ``hide`` (they may not)."""


def check_policy(directory: Path) -> list[str]:
    """Say everything that is wrong with a folder of policy files; an empty list means it may be used."""
    try:
        policy = CasbinPolicy(directory)
        table = truth_table(directory)
    except (Malformed, Unavailable) as error:
        return [str(error)]
    stated = {row[:4] for row in table}
    problems = [
        f"truth table: no row for {', '.join(combination)}"
        for combination in product(Role, Action, Purpose, Relation)
        if combination not in stated
    ]
    for row in table:
        said = verdict(policy, row.role, row.action, row.purpose, row.relation)
        if said != row.expected:
            problems.append(f"truth table: {', '.join(row[:4])} must be {row.expected}, the rules say {said}")
    return problems


def truth_table(directory: Path) -> list[Truth]:
    """Read ``truth-table.csv``.

    Raises:
        Malformed: a column or word in it is unknown.
        Unavailable: it cannot be read.
    """
    header, *rows = read_table(directory / "truth-table.csv")
    if header != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise Malformed(f"truth-table.csv must have the columns {', '.join(COLUMNS)}")
    try:
        return [Truth(Role(row[0]), Action(row[1]), Purpose(row[2]), Relation(row[3]), row[4]) for row in rows]
    except ValueError:
        raise Malformed("truth-table.csv holds an unknown word") from None


def verdict(policy: CasbinPolicy, role: Role, action: Action, purpose: Purpose, relation: Relation) -> str:
    """Return what the rules say of a subject with one relation to a study, in the words of `Truth`."""
    decision = policy.decide(_anyone(role), action, purpose, frozenset({relation}))
    if decision.allowed:
        return "allow"
    return "refuse" if decision.may_know else "hide"


def _anyone(role: Role) -> Subject:
    return Subject("policy check", role, Institution("policy-check"), "", Door.JOB, "")
