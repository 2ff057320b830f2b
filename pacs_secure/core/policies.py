"""A change of the policy: proposed by one person, approved by another, and then in force."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from pacs_secure.core.identifiers import Institution

MODEL, RULES, ROLES, TRUTHS = "model.conf", "policy.csv", "roles.csv", "truth-table.csv"
FILES = frozenset({MODEL, RULES, ROLES, TRUTHS})
"""What a policy consists of."""

LONGEST_TEXTS = 4 * 1024 * 1024
"""Bytes that the files of a policy may have together."""

_KEY = 4
"""Cells of a truth: role, action, purpose and relation say which it is, the others what must come out."""


@dataclass(frozen=True, slots=True)
class Approval:
    """The second person's word."""

    sequence: int
    """1 for the first policy ever approved, and so on: the highest is in force."""
    actor: str
    """Keyed pseudonym of the person."""
    at: datetime
    """UTC."""
    box: bytes = field(repr=False)
    """The person's name, sealed."""
    proof: bytes = b""
    """Shows that the archive wrote it (`pacs_secure.archive.policy_proofs`)."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A policy that somebody proposed; its texts are kept beside it."""

    proposal_id: UUID
    version: str
    """Digest of the rules, as every ledger entry names it."""
    replaces: str
    """The version that was in force: approved is only what was proposed against it."""
    texts_sha256: bytes
    """`digest` of its texts."""
    institution: Institution
    """Whose person proposed it; its proofs and boxes are made with the keys of this house."""
    actor: str
    """Keyed pseudonym of the person."""
    at: datetime
    """UTC."""
    box: bytes = field(repr=False)
    """The person's name and reason, sealed."""
    proof: bytes = b""
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal as those who decide on it see it."""

    proposal: Proposal
    person: str
    reason: str
    approved_by: str
    """"" while nobody did."""
    outdated: bool
    """Whether the policy has changed since it was proposed, so that it can no longer be approved."""
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    """Lines of the rules and roles that would go and come, each with the name of its file; while it is pending."""
    truths_changed: int = 0
    """Rows of the truth table that would come out otherwise; while it is pending."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that decides now."""

    version: str
    since: datetime | None
    """When it was approved; None for the policy that ships."""
    texts: Mapping[str, str]


def digest(texts: Mapping[str, str]) -> bytes:
    """Return the SHA-256 digest of a policy's texts with their names and lengths."""
    whole = sha256()
    for name, text in sorted(texts.items()):
        content = text.encode()
        whole.update(f"{name} {len(content)}\n".encode())
        whole.update(content)
    return whole.digest()


def with_truths(table: str, rows: Iterable[str]) -> str:
    """Return a truth table in which these rows stand for those about the same role, action, purpose and relation."""
    changed = {_key(row): row.strip() for row in rows}
    kept = [changed.pop(_key(line), line) for line in table.splitlines()]
    return "\n".join([*kept, *changed.values()]) + "\n"


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[list[str], list[str], int]:
    """Return the lines that go, those that come, each after the name of its file, and how many truths change."""
    removed, added, truths = [], [], 0
    for name in sorted(FILES):
        was, is_now = (texts.get(name, "").splitlines() for texts in (before, after))
        gone, come = _without(was, is_now), _without(is_now, was)
        if name == TRUTHS:
            truths = len({_key(line) for line in (*gone, *come)})
        else:
            removed += [f"{name}: {line}" for line in gone]
            added += [f"{name}: {line}" for line in come]
    return removed, added, truths


def _without(lines: list[str], others: list[str]) -> list[str]:
    known = set(others)
    return [line for line in lines if line.strip() and line not in known]


def _key(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.split(",")[:_KEY])
