"""What the ledger tells of one person's reads of one study."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from pacs_secure.core.access import Action, Door
from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.crypto.tlog import read_draft


@dataclass(frozen=True, slots=True)
class Reading:
    """One read, from its first entry to its last."""

    at: datetime
    act: UUID
    door: Door
    outcome: Outcome
    """`Outcome.BEGUN` as long as it is under way."""
    objects: int
    """SOP Instances that it touched."""
    octets: int
    """Bytes that were delivered."""


def readings(entries: Iterable[LedgerEntry], within: Callable[[datetime], bool]) -> list[Reading]:
    """Return the reads of a study that began within a time, oldest first.

    Raises:
        Tampered: an entry is none of this build's.
    """
    found: dict[UUID, Reading] = {}
    for entry in entries:
        draft = read_draft(entry.content)
        if draft.action is not Action.STUDY_READ or not (draft.act in found or within(draft.at)):
            continue
        first = found.get(draft.act) or Reading(draft.at, draft.act, draft.door, draft.outcome, 0, 0)
        objects, octets = (_count(draft.facts.get(name)) for name in ("objects", "bytes"))
        found[draft.act] = replace(
            first,
            outcome=draft.outcome,
            objects=max(first.objects, objects),
            octets=max(first.octets, octets),
        )
    return list(found.values())


def _count(fact: str | int | None) -> int:
    return fact if isinstance(fact, int) else 0
