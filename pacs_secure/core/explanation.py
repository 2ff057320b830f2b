"""Why a decision comes out as it does, and what would turn it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pacs_secure.core.access import Action, Decision, Purpose, Relation, Role, Safeguard, Subject
from pacs_secure.core.identifiers import Institution


class ChangeKind(StrEnum):
    """What could be otherwise, in the order of how lightly it is changed."""

    SECOND_FACTOR = "second-factor"
    FRESH_LOGIN = "fresh-login"
    PURPOSE = "purpose"
    RELATION = "relation"
    SAFEGUARD = "safeguard"
    HOLD = "hold"
    ROLE = "role"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One thing that could be otherwise."""

    kind: ChangeKind
    value: str
    """The purpose, relation, safeguard or role; "" for what has no value."""
    given: bool = True
    """Whether it would be there (a relation more) or not (a safeguard less)."""

    @property
    def said(self) -> str:
        """Return it in words."""
        if self.kind is ChangeKind.ROLE:
            return f"as {self.value}"
        if self.kind is ChangeKind.PURPOSE:
            return f"for the purpose {self.value}"
        what = {ChangeKind.FRESH_LOGIN: "a fresh login", ChangeKind.SECOND_FACTOR: "a second factor"}.get(self.kind)
        what = what or ("a legal hold" if self.kind is ChangeKind.HOLD else f"the {self.kind} {self.value}")
        return f"{'with' if self.given else 'without'} {what}"


@dataclass(frozen=True, slots=True)
class Question:
    """Whose decision is to be explained; without a person it is that of anybody of the role without ties."""

    role: Role
    action: Action
    purpose: Purpose | None = None
    """None: the purpose of the role."""
    department: str = ""
    person: str = ""
    """The identifier that a person logs in with; "" for nobody in particular."""
    institution: Institution | None = None
    """Whose person it is; None: of the house of whoever asks."""
    study_instance_uid: str | None = None
    second_factor: bool = False
    """Whether they have proved themselves twice, and just now."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision, what it rests on, and what would turn it; it tells nothing of any patient."""

    subject: Subject
    action: Action
    purpose: Purpose | None
    decision: Decision
    relations: frozenset[Relation] | None
    """None when no study is concerned."""
    safeguards: frozenset[Safeguard]
    held: bool
    needs_second_factor: bool
    turned_by: tuple[tuple[Change, ...], ...]
    """Each of them alone turns the decision; pairs only when nothing does alone."""

    @property
    def outcome(self) -> Literal["allowed", "refused", "hidden"]:
        """Return how the decision comes out for whoever asks; ``hidden`` looks like no such study."""
        if self.decision.allowed:
            return "allowed"
        return "refused" if self.decision.may_know else "hidden"
