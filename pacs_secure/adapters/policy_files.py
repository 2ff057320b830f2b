"""The files of a policy, read strictly: an unknown word, a missing role or another model is no policy at all."""

import configparser
import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from pacs_secure.core.access import LABELS, Action, Purpose, Relation, Role, Safeguard
from pacs_secure.core.errors import Malformed, Unavailable

MOST_RULES = 50
"""A reviewer has to hold all of them in mind."""

FILES = ("model.conf", "policy.csv", "roles.csv")

EVERY = "*"
NOTHING = "-"
PROTECTED = "protected"
"""In a rule: every label at once."""

Safeguards = frozenset[Safeguard]

_CELLS = 7
_MATCHER = (
    'r.action == p.action && (p.purpose == "*" || r.purpose == p.purpose) && (p.relation == "*" || '
    "r.relation == p.relation) && covers(p.despite, r.safeguards) && g(r.role, p.role)"
)
_SETTLED = {
    ("request_definition", "r", "role, action, purpose, relation, safeguards"),
    ("policy_definition", "p", "role, action, purpose, relation, despite, eft"),
    ("role_definition", "g", "_, _"),
    ("policy_effect", "e", "some(where (p.eft == allow)) && !some(where (p.eft == deny))"),
    ("matchers", "m", _MATCHER),
}
"""The one model of this archive: laws about what rules allow hold only while all know how a rule is read."""
_ROLE_COLUMNS = ["role", "groups", "default_purpose", "second_factor"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of ``policy.csv``."""

    text: str
    """As written, for ledger and explanations."""
    role: str
    actions: tuple[str, ...]
    purposes: tuple[str, ...]
    relations: tuple[str, ...]
    despite: Safeguards
    effect: str

    def lines(self, action: Action) -> Iterator[list[str]]:
        """Yield what the rule says of one action, one combination a line, as the model reads it."""
        if action in self.actions:
            for purpose, relation in product(self.purposes, self.relations):
                yield [self.role, action, purpose, relation, joined(self.despite), self.effect]


@dataclass(frozen=True, slots=True)
class RoleLine:
    """One line of ``roles.csv``."""

    groups: tuple[str, ...]
    default_purpose: Purpose | None
    second_factor: bool


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """A policy as its three files state it."""

    version: str
    """The first 16 hex digits of a SHA-256 over the files."""
    model: str
    rules: tuple[Rule, ...]
    roles: Mapping[Role, RoleLine]


def read_policy(texts: Mapping[str, str]) -> PolicyFiles:
    """Read a policy from the texts of its files.

    Raises:
        Malformed: they do not form a policy.
    """
    for name in FILES:
        if name not in texts:
            raise Malformed(f"the policy lacks its {name}")
    roles = _roles(texts["roles.csv"])
    known = frozenset({*Role, *(group for line in roles.values() for group in line.groups)})
    _demand_settled(texts["model.conf"])
    rules = _rules(texts["policy.csv"], known)
    return PolicyFiles(_digest({name: texts[name] for name in FILES}), texts["model.conf"], rules, roles)


def read_folder(directory: Path) -> dict[str, str]:
    """Return the texts of a folder's policy files; the truth table too, when it is there.

    Raises:
        Malformed: one is missing.
        Unavailable: one cannot be read.
    """
    texts = {name: _read(directory / name) for name in FILES}
    table = directory / "truth-table.csv"
    return texts | ({table.name: _read(table)} if table.exists() else {})


def table_of(name: str, text: str) -> list[list[str]]:
    """Return the cells of each line of a policy table that is neither empty nor a comment; at least one line.

    Raises:
        Malformed: the table is empty, or none.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise Malformed(f"{name} is empty")
    try:
        return [[cell.strip() for cell in cells] for cells in csv.reader(lines, skipinitialspace=True)]
    except csv.Error:
        raise Malformed(f"{name} is no table") from None


def joined(safeguards: Safeguards) -> str:
    """Write a set of safeguards as one word list, the same for the same set."""
    return " ".join(sorted(safeguards)) or NOTHING


def split(text: str) -> Safeguards:
    """Read what `joined` wrote."""
    return frozenset() if text == NOTHING else frozenset(map(Safeguard, text.split()))


def despite_of(cell: str) -> Safeguards:
    """Read the despite column of a rule; raise `ValueError` for an unknown word."""
    if cell == EVERY:
        return frozenset(Safeguard)
    words = [] if cell == NOTHING else cell.split()
    named = frozenset(Safeguard(word) for word in words if word != PROTECTED)
    return named | (LABELS if PROTECTED in words else frozenset())


def written(despite: Safeguards) -> str:
    """Write safeguards as a rule would: the labels as one word when all of them are there."""
    if despite == frozenset(Safeguard):
        return EVERY
    if despite >= LABELS:
        return " ".join(sorted({*(despite - LABELS), PROTECTED}))
    return joined(despite)


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


def _demand_settled(model: str) -> None:
    """Accept only the one model of this archive, so that a deny always wins."""
    stated = configparser.ConfigParser(interpolation=None)
    try:
        stated.read_string(model)
    except configparser.Error as error:
        raise Malformed("model.conf is no casbin model") from error
    found = {(name, key, value) for name in stated.sections() for key, value in stated[name].items()}
    if found != _SETTLED:
        raise Malformed("model.conf must ask role, action, purpose, relation, safeguards, and a deny must win")


def _roles(text: str) -> dict[Role, RoleLine]:
    header, *rows = table_of("roles.csv", text)
    if header != _ROLE_COLUMNS or any(len(row) != len(header) for row in rows):
        raise Malformed(f"roles.csv must have the columns {', '.join(_ROLE_COLUMNS)}")
    try:
        roles = {
            Role(role): RoleLine(tuple(groups.split()), Purpose(purpose) if purpose else None, _flag(second))
            for role, groups, purpose, second in rows
        }
    except ValueError:
        raise Malformed("roles.csv names an unknown role, purpose or yes and no") from None
    if len(rows) != len(Role) or len(roles) != len(Role):
        raise Malformed("roles.csv must name each role once")
    return roles


def _flag(word: str) -> bool:
    if word not in {"yes", "no"}:
        raise ValueError(word)
    return word == "yes"


def _rules(text: str, known_roles: frozenset[str]) -> tuple[Rule, ...]:
    rules = []
    for line, cells in enumerate(table_of("policy.csv", text), start=1):
        if len(cells) != _CELLS or cells[0] != "p":
            raise Malformed(f"policy.csv, rule {line}: must be p, role, actions, purposes, relations, despite, effect")
        _, role, actions, purposes, relations, despite, effect = cells
        try:
            passed = despite_of(despite)
        except ValueError:
            raise Malformed(f"policy.csv, rule {line}: holds an unknown word") from None
        known = (
            role in known_roles
            and _all_of(actions, set(Action))
            and _all_of(purposes, {EVERY, *Purpose})
            and _all_of(relations, {EVERY, *Relation})
            and effect in {"allow", "deny"}
        )
        if not known:
            raise Malformed(f"policy.csv, rule {line}: holds an unknown word")
        if effect == "deny" and (relations != EVERY or despite != EVERY):
            raise Malformed(f"policy.csv, rule {line}: a deny must speak of every relation and safeguard")
        which = tuple(actions.split()), tuple(purposes.split()), tuple(relations.split())
        rules.append(Rule(", ".join(cells), role, which[0], which[1], which[2], passed, effect))
    if len(rules) > MOST_RULES:
        raise Malformed(f"policy.csv holds {len(rules)} rules, at most {MOST_RULES} are allowed")
    return tuple(rules)


def _all_of(cell: str, known: set[str]) -> bool:
    return bool(cell) and set(cell.split()) <= known
