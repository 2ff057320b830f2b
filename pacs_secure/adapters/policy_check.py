"""Holds the files of a policy against its truth table before anybody relies on it."""

from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

from pacs_secure.adapters.casbin_policy import CasbinPolicy
from pacs_secure.adapters.policy_files import read_folder, table_of, written
from pacs_secure.core.access import Action, Door, Purpose, Reach, Relation, Role, Subject
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.core.identifiers import Institution

COLUMNS = ["role", "action", "purpose", "relation", "expected", "despite"]
TABLE = "truth-table.csv"


class Truth(NamedTuple):
    """One row of ``truth-table.csv``: what must come out when the subject has this one relation to a study."""

    role: Role
    action: Action
    purpose: Purpose
    relation: Relation
    expected: str
    """``allow``, ``refuse`` (the caller may know of the study) or ``hide`` (they may not): for an ordinary study."""
    despite: str
    """The safeguards that are passed too, as a rule writes them; ways that do not lie within another apart by ``/``."""


def check_policy(source: Path | Mapping[str, str]) -> list[str]:
    """Say everything that is wrong with the files of a policy; an empty list means that it may be used."""
    try:
        texts = read_folder(source) if isinstance(source, Path) else source
        policy = CasbinPolicy(texts)
        table = truth_table(texts)
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
        if said != row[4:]:
            must, does = (" ".join(filter(None, words)) for words in (row[4:], said))
            problems.append(f"truth table: {', '.join(row[:4])} must be {must}, the rules say {does}")
    return problems


def truth_table(texts: Mapping[str, str]) -> list[Truth]:
    """Read the truth table of a policy's files.

    Raises:
        Malformed: there is none, or a column or word in it is unknown.
    """
    if TABLE not in texts:
        raise Malformed(f"the policy lacks its {TABLE}")
    header, *rows = table_of(TABLE, texts[TABLE])
    if header != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise Malformed(f"{TABLE} must have the columns {', '.join(COLUMNS)}")
    try:
        return [Truth(Role(row[0]), Action(row[1]), Purpose(row[2]), Relation(row[3]), *row[4:]) for row in rows]
    except ValueError:
        raise Malformed(f"{TABLE} holds an unknown word") from None


def verdict(policy: CasbinPolicy, role: Role, action: Action, purpose: Purpose, relation: Relation) -> tuple[str, str]:
    """Return what the rules say of a subject with one relation to a study of their house, in the words of `Truth`."""
    subject, held = _anyone(role), frozenset({relation, Relation.NONE})
    decision = policy.decide(subject, action, purpose, held)
    if decision.allowed:
        return "allow", _passed(policy.reaches(subject, action, purpose), held)
    return "refuse" if decision.may_know else "hide", ""


def _passed(reaches: Iterable[Reach], held: frozenset[Relation]) -> str:
    ways = {reach.despite for reach in reaches if reach.relation in held}
    widest = [way for way in ways if not any(way < other for other in ways)]
    return "/".join(sorted(written(way) for way in widest))


def _anyone(role: Role) -> Subject:
    return Subject("policy check", role, Institution("policy-check"), "", Door.JOB, "")
