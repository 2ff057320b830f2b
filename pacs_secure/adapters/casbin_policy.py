"""The policy decision point: role, purpose, relations and safeguards in, a decision and the rule behind it out.

Rules speak of roles, never of persons or patients: the facts of a study travel in the request as
relations and safeguards, so the rules stay few and their answers can be kept for as long as a
version lives.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Protocol, cast

import casbin

from pacs_secure.adapters.policy_files import PolicyFiles, Rule, Safeguards, joined, read_folder, read_policy, split
from pacs_secure.adapters.policy_laws import breaches
from pacs_secure.core.access import (
    OF_A_STUDY,
    Action,
    Decision,
    Purpose,
    Reach,
    Relation,
    Role,
    Safeguard,
    Subject,
)
from pacs_secure.core.errors import Malformed

DEFAULT_DENY = "default deny"

_BREAKS_GLASS = Action.BREAK_GLASS_OPEN
_NO_SAFEGUARD: Safeguards = frozenset()

for _name in ("casbin", "casbin.enforcer", "casbin.policy", "casbin.role"):
    logging.getLogger(_name).disabled = True


class _Enforcer(Protocol):
    """The part of casbin's untyped enforcer that is used here."""

    def add_function(self, name: str, function: Callable[[str, str], bool], /) -> None: ...

    def add_named_policies(self, ptype: str, rules: list[list[str]], /) -> bool: ...

    def add_named_grouping_policies(self, ptype: str, rules: list[list[str]], /) -> bool: ...

    def enforce_ex(self, *request: str) -> tuple[bool, list[str]]: ...


@dataclass(frozen=True, slots=True)
class _Ruling:
    """What the rules say of one role, action and purpose."""

    allowed: Mapping[Reach, str]
    """Each way on which the act is allowed, with its rule; none of them lies within another."""
    refusal: str
    """The rule that denies, or `DEFAULT_DENY`."""

    def rule(self, relations: frozenset[Relation], safeguards: Safeguards) -> str | None:
        """Return the rule that allows a study of these relations and safeguards, or None."""
        for reach, rule in self.allowed.items():
            if reach.relation in relations and safeguards <= reach.despite:
                return rule
        return None


class _Rules:
    """One version of the policy, never changed after it was read."""

    def __init__(self, files: PolicyFiles, texts: Mapping[str, str]) -> None:
        self.version = files.version
        self.texts = dict(texts)
        self.roles = files.roles
        self._files = files
        self._enforcers: dict[Action, _Enforcer] = {}
        self._texts: dict[tuple[str, ...], str] = {}
        self._rulings: dict[tuple[Role, Action, Purpose], _Ruling] = {}
        self._lock = Lock()
        self._enforcer(Action.STUDY_READ)  # a model that casbin cannot read is found at once

    @cached_property
    def _despites(self) -> tuple[Safeguards, ...]:
        """Every set of safeguards that some rule passes, the largest first."""
        return tuple(sorted({rule.despite for rule in self._files.rules}, key=len, reverse=True))

    @cached_property
    def _by_action(self) -> Mapping[Action, Sequence[Rule]]:
        return {action: [rule for rule in self._files.rules if action in rule.actions] for action in Action}

    def ruling(self, role: Role, action: Action, purpose: Purpose) -> _Ruling:
        """Ask casbin once a version; its enforcers are not safe for concurrent use."""
        key = (role, action, purpose)
        found = self._rulings.get(key)
        if found is None:
            with self._lock:
                found = self._rulings[key] = self._ask(role, action, purpose)
        return found

    def allows(self, role: Role, action: Action) -> bool:
        """Say whether a role may do something at all, for any purpose and on any way."""
        names = {role.value, *self.roles[role].groups}
        named = any(rule.role in names and action in rule.actions for rule in self._files.rules)
        return named and any(self.ruling(role, action, purpose).allowed for purpose in Purpose)

    def _ask(self, role: Role, action: Action, purpose: Purpose) -> _Ruling:
        allowed: dict[Reach, str] = {}
        refusal = DEFAULT_DENY
        for relation in self._spoken_of(role, action, purpose):
            permitted, rule = self._say(role, action, purpose, relation, _NO_SAFEGUARD)
            if permitted:
                allowed |= self._widest(role, action, purpose, relation)
            elif rule:
                refusal = rule
        return _Ruling(allowed, refusal)

    def _spoken_of(self, role: Role, action: Action, purpose: Purpose) -> Sequence[Relation]:
        """Return the relations that a rule speaks of to the role; on any other there is nothing to ask casbin for."""
        names, any_or_this = {role.value, *self.roles[role].groups}, {"*", purpose.value}
        rules = [rule for rule in self._by_action[action] if rule.role in names]
        spoken = {one for rule in rules if not any_or_this.isdisjoint(rule.purposes) for one in rule.relations}
        return [relation for relation in sorted(Relation) if not spoken.isdisjoint({"*", relation.value})]

    def _widest(self, role: Role, action: Action, purpose: Purpose, relation: Relation) -> dict[Reach, str]:
        """Return how far each rule for a relation reaches; a rule that passes safeguards passes fewer of them too."""
        found: dict[Reach, str] = {}
        for despite in self._despites:
            if any(despite <= reach.despite for reach in found):
                continue
            permitted, rule = self._say(role, action, purpose, relation, despite)
            if permitted:
                found[Reach(relation, despite)] = rule
        return found

    def _say(
        self, role: Role, action: Action, purpose: Purpose, relation: Relation, safeguards: Safeguards
    ) -> tuple[bool, str]:
        enforcer = self._enforcer(action)
        permitted, line = enforcer.enforce_ex(
            role.value, action.value, purpose.value, relation.value, joined(safeguards)
        )
        return permitted, self._texts[tuple(line)] if line else ""

    def _enforcer(self, action: Action) -> _Enforcer:
        """Return the enforcer of one action: rules about others cannot match and would only be scanned."""
        found = self._enforcers.get(action)
        if found is None:
            found = self._enforcers[action] = _new_enforcer(self._files.model)
            lines = [(line, rule) for rule in self._files.rules for line in rule.lines(action)]
            self._texts |= {tuple(line): rule.text for line, rule in reversed(lines)}
            unique = list({tuple(line): line for line, _ in lines}.values())
            groups = [[role.value, group] for role, line in self.roles.items() for group in line.groups]
            found.add_named_policies("p", unique)
            found.add_named_grouping_policies("g", groups)
        return found


class CasbinPolicy:
    """Decides by the rules of ``model.conf``, ``policy.csv`` and ``roles.csv``: a folder, or the texts themselves.

    Raises:
        Malformed: the files do not form a policy, or one that breaks the separation of duties.
        Unavailable: the files cannot be read.
    """

    def __init__(self, source: Path | Mapping[str, str]) -> None:
        self._rules = _load(_texts(source))

    @property
    def version(self) -> str:
        """Return the first 16 hex digits of a SHA-256 over the three files."""
        return self._rules.version

    def replace(self, source: Path | Mapping[str, str]) -> str:
        """Replace the rules whole and return their version; on any error the old ones stay in force."""
        self._rules = _load(_texts(source))
        return self._rules.version

    @property
    def texts(self) -> Mapping[str, str]:
        """Return the texts that the rules in force were read from."""
        return self._rules.texts

    @staticmethod
    def version_of(texts: Mapping[str, str]) -> str:
        """Return the version that these texts would be; raise `Malformed` when they are no policy."""
        return read_policy(texts).version

    def decide(
        self,
        subject: Subject,
        action: Action,
        purpose: Purpose,
        relations: frozenset[Relation],
        safeguards: frozenset[Safeguard] = _NO_SAFEGUARD,
    ) -> Decision:
        """Decide one act: allowed when a rule reaches it by a relation despite every safeguard, and none denies."""
        rules = self._rules
        ruling = rules.ruling(subject.role, action, purpose)
        rule = ruling.rule(relations, safeguards)
        if rule is not None:
            return Decision(allowed=True, may_know=True, rule=rule, policy_version=rules.version)
        may_know = action not in OF_A_STUDY or any(
            rules.ruling(subject.role, Action.STUDY_SEARCH, other).rule(relations, safeguards) for other in Purpose
        )
        return Decision(allowed=False, may_know=may_know, rule=ruling.refusal, policy_version=rules.version)

    def reaches(self, subject: Subject, action: Action, purpose: Purpose) -> frozenset[Reach]:
        """Return every way on which the act is allowed: what a search may see."""
        return frozenset(self._rules.ruling(subject.role, action, purpose).allowed)

    def default_purpose(self, subject: Subject) -> Purpose | None:
        """Return the purpose that the subject's role acts for when it names none."""
        return self._rules.roles[subject.role].default_purpose

    def needs_second_factor(self, subject: Subject, action: Action, purpose: Purpose) -> bool:
        """Say whether the act needs a second factor: by the role, or because the glass is broken (ACC-09)."""
        return (
            self._rules.roles[subject.role].second_factor or action is _BREAKS_GLASS or purpose is Purpose.BREAK_GLASS
        )


def _texts(source: Path | Mapping[str, str]) -> Mapping[str, str]:
    return read_folder(source) if isinstance(source, Path) else source


def _load(texts: Mapping[str, str]) -> _Rules:
    """Read a policy and hold it to the laws that no rule may bend."""
    rules = _Rules(read_policy(texts), texts)
    for breach in breaches(rules.allows, rules.roles):
        raise Malformed(breach)
    return rules


def _new_enforcer(model: str) -> _Enforcer:
    try:
        new_model = cast("Callable[..., object]", casbin.Enforcer.new_model)
        enforcer = cast("_Enforcer", casbin.Enforcer(new_model(text=model)))
    except (KeyError, RuntimeError, ValueError) as error:
        raise Malformed("model.conf is no casbin model") from error
    enforcer.add_function("covers", _covers)
    return enforcer


def _covers(despite: str, safeguards: str) -> bool:
    return split(safeguards) <= split(despite)
