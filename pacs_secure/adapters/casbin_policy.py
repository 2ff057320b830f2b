"""The policy decision point: roles, purposes and relations in, a decision and the rule behind it out.

Rules speak of roles, never of persons or patients: the facts of a study travel in the request as
relations, so the rules stay few and their answers can be kept for as long as a version lives.
"""

import configparser
import csv
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Protocol, cast

import casbin

from pacs_secure.core.access import Action, Decision, Purpose, Relation, Role, Subject
from pacs_secure.core.errors import Malformed, Unavailable

MOST_RULES = 50
"""A rule costs a linear scan, and a reviewer has to hold all of them in mind."""

DEFAULT_DENY = "default deny"

_NEVER_NEAR_PICTURES = (Role.ADMIN, Role.DPO, Role.OFFICER, Role.OPERATOR)
_PICTURES = (Action.STUDY_READ, Action.STUDY_SEARCH)
_HIDES = frozenset({Action.STUDY_READ})
"""Acts on a study that is already there: a plain refusal would betray it. A search is narrowed
instead, and whoever creates brings the study along."""
_ANY = "*"
_CELLS = 6
_SETTLED = (
    ("request_definition", "r", "role, action, purpose, relation"),
    ("policy_definition", "p", "role, action, purpose, relation, eft"),
    ("policy_effect", "e", "some(where (p.eft == allow)) && !some(where (p.eft == deny))"),
)

for _name in ("casbin", "casbin.enforcer", "casbin.policy", "casbin.role"):
    logging.getLogger(_name).disabled = True


class _Enforcer(Protocol):
    """The part of casbin's untyped enforcer that is used here."""

    def add_named_policies(self, ptype: str, rules: list[list[str]], /) -> bool: ...

    def add_named_grouping_policies(self, ptype: str, rules: list[list[str]], /) -> bool: ...

    def enforce_ex(self, *request: str) -> tuple[bool, list[str]]: ...


@dataclass(frozen=True, slots=True)
class _Ruling:
    """What the rules say of one role, action and purpose."""

    allowed: Mapping[Relation, str]
    """Each relation under which the act is allowed, with its rule."""
    refusal: str
    """The rule that denies, or `DEFAULT_DENY`."""


class _Rules:
    """One version of the policy, never changed after it was loaded."""

    def __init__(self, directory: Path) -> None:
        files = {name: _read(directory / name) for name in ("model.conf", "policy.csv", "roles.csv")}
        self.version = _digest(files)
        self.default_purposes, groups = _roles(files["roles.csv"])
        policy = _policy(files["policy.csv"], frozenset({*Role, *(group for _, group in groups)}))
        self._enforcer = _enforcer(files["model.conf"])
        self._enforcer.add_named_policies("p", policy)
        self._enforcer.add_named_grouping_policies("g", groups)
        self._rulings: dict[tuple[Role, Action, Purpose], _Ruling] = {}
        self._lock = Lock()

    def ruling(self, role: Role, action: Action, purpose: Purpose) -> _Ruling:
        """Ask casbin once per version; its enforcer is not safe for concurrent use."""
        key = (role, action, purpose)
        found = self._rulings.get(key)
        if found is None:
            with self._lock:
                found = self._rulings[key] = self._ask(role, action, purpose)
        return found

    def allows(self, role: Role, action: Action, purpose: Purpose, relations: frozenset[Relation]) -> bool:
        return not relations.isdisjoint(self.ruling(role, action, purpose).allowed)

    def _ask(self, role: Role, action: Action, purpose: Purpose) -> _Ruling:
        allowed: dict[Relation, str] = {}
        refusal = DEFAULT_DENY
        for relation in sorted(Relation):
            permitted, rule = self._enforcer.enforce_ex(role.value, action.value, purpose.value, relation.value)
            if permitted:
                allowed[relation] = ", ".join(("p", *rule))
            elif rule:
                refusal = ", ".join(("p", *rule))
        return _Ruling(allowed, refusal)


class CasbinPolicy:
    """Decides by the rules of one folder: ``model.conf``, ``policy.csv``, ``roles.csv``.

    Raises:
        Malformed: the folder's files do not form a policy, or one that lets oversight see pictures.
        Unavailable: the files cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rules = _load(directory)

    @property
    def version(self) -> str:
        """Return the first 16 hex digits of a SHA-256 over the three files."""
        return self._rules.version

    def reload(self) -> str:
        """Replace the rules whole and return their version; on any error the old ones stay in force."""
        self._rules = _load(self._directory)
        return self._rules.version

    def decide(self, subject: Subject, action: Action, purpose: Purpose, relations: frozenset[Relation]) -> Decision:
        """Decide one act: allowed when any relation allows it and no rule denies it."""
        rules = self._rules
        ruling = rules.ruling(subject.role, action, purpose)
        held = relations | {Relation.NONE}
        for relation, rule in ruling.allowed.items():
            if relation in held:
                return Decision(allowed=True, may_know=True, rule=rule, policy_version=rules.version)
        may_know = action not in _HIDES or any(
            rules.allows(subject.role, Action.STUDY_SEARCH, other, held) for other in Purpose
        )
        return Decision(allowed=False, may_know=may_know, rule=ruling.refusal, policy_version=rules.version)

    def relations(self, subject: Subject, action: Action, purpose: Purpose) -> tuple[frozenset[Relation], str]:
        """Return the relations under which the act is allowed, and the first rule that says so."""
        ruling = self._rules.ruling(subject.role, action, purpose)
        return frozenset(ruling.allowed), next(iter(ruling.allowed.values()), ruling.refusal)

    def default_purpose(self, subject: Subject) -> Purpose | None:
        """Return the purpose that the subject's role acts for when it names none."""
        return self._rules.default_purposes[subject.role]


def _load(directory: Path) -> _Rules:
    """Read a policy and hold it to the law that no rule may bend (ACC-05, separation of duties)."""
    rules = _Rules(directory)
    for role, action, purpose in product(_NEVER_NEAR_PICTURES, _PICTURES, Purpose):
        if rules.allows(role, action, purpose, frozenset(Relation)):
            raise Malformed(f"the policy lets {role} do {action} for {purpose}: oversight never sees pictures")
    return rules


def _enforcer(model: str) -> _Enforcer:
    """Build an enforcer; only the one model of this archive is accepted, so that a deny always wins."""
    stated = configparser.ConfigParser(interpolation=None)
    try:
        stated.read_string(model)
        settled = "m" in stated["matchers"] and all(stated[section][key] == value for section, key, value in _SETTLED)
        new_model = cast("Callable[..., object]", casbin.Enforcer.new_model)
        enforcer = cast("_Enforcer", casbin.Enforcer(new_model(text=model)))
    except (configparser.Error, KeyError, RuntimeError, ValueError) as error:
        raise Malformed("model.conf is no casbin model") from error
    if not settled:
        raise Malformed("model.conf must ask role, action, purpose, relation, and a deny must win")
    return enforcer


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Malformed(f"the policy lacks its {path.name}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"the policy's {path.name} cannot be read") from error


def _digest(files: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        content = text.encode()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def read_table(path: Path) -> list[list[str]]:
    """Return the cells of each line of a policy table that is neither empty nor a comment; at least one line.

    Raises:
        Malformed: the table is missing or empty.
        Unavailable: it cannot be read.
    """
    return _table(path.name, _read(path))


def _table(name: str, text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise Malformed(f"{name} is empty")
    return [[cell.strip() for cell in cells] for cells in csv.reader(lines, skipinitialspace=True)]


def _roles(text: str) -> tuple[dict[Role, Purpose | None], list[list[str]]]:
    header, *rows = _table("roles.csv", text)
    if header != ["role", "groups", "default_purpose"] or any(len(row) != len(header) for row in rows):
        raise Malformed("roles.csv must have the columns role, groups, default_purpose")
    try:
        purposes = {Role(role): Purpose(purpose) if purpose else None for role, _, purpose in rows}
    except ValueError:
        raise Malformed("roles.csv names an unknown role or purpose") from None
    if len(rows) != len(Role) or len(purposes) != len(Role):
        raise Malformed("roles.csv must name each role once")
    return purposes, [[role, group] for role, groups, _ in rows for group in groups.split()]


def _policy(text: str, known_roles: frozenset[str]) -> list[list[str]]:
    rules = []
    for line, cells in enumerate(_table("policy.csv", text), start=1):
        if len(cells) != _CELLS or cells[0] != "p":
            raise Malformed(f"policy.csv, rule {line}: must be p, role, action, purpose, relation, effect")
        _, role, action, purpose, relation, effect = cells
        known = (
            role in known_roles
            and action in set(Action)
            and purpose in {_ANY, *Purpose}
            and relation in {_ANY, *Relation}
            and effect in {"allow", "deny"}
        )
        if not known:
            raise Malformed(f"policy.csv, rule {line}: holds an unknown word")
        if effect == "deny" and relation != _ANY:
            raise Malformed(f"policy.csv, rule {line}: a deny must speak of every relation")
        rules.append(cells[1:])
    if len(rules) > MOST_RULES:
        raise Malformed(f"policy.csv holds {len(rules)} rules, at most {MOST_RULES} are allowed")
    return rules
