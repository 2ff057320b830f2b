"""What an entry is found by: the few words of a statement that derived rows repeat."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from pacs_secure.core.audit import Draft, Statement
from pacs_secure.core.errors import Tampered


@dataclass(frozen=True, slots=True)
class Traits:
    """Who, what, when and about whom, as the columns of derived rows have it."""

    at: datetime
    act: UUID
    action: str
    outcome: str
    institution: str
    actor: str
    role: str
    department: str
    study_alias: UUID | None
    patient_alias: UUID | None


def traits_of(draft: Draft) -> Traits:
    """Return what finds the entry of a draft."""
    return Traits(
        draft.at,
        draft.act,
        draft.action.value,
        draft.outcome.value,
        draft.institution,
        draft.actor,
        draft.role.value,
        draft.department,
        draft.study_alias,
        draft.patient_alias,
    )


def read_traits(statement: Statement) -> Traits:
    """Read the same from what was written down.

    Raises:
        Tampered: the statement is none.
    """
    try:
        said = orjson.loads(statement.said)
        return Traits(
            datetime.fromisoformat(statement.at),
            UUID(said["act"]),
            _word(said["action"]),
            _word(said["outcome"]),
            _word(said["institution"]),
            _word(said["actor"]),
            _word(said["role"]),
            _word(said["department"]),
            UUID(said["study"]) if "study" in said else None,
            UUID(said["patient"]) if "patient" in said else None,
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Tampered("what waits for its place is no statement") from None


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
