"""How far the ledger may go: bundle by bundle from its oldest entry, up to the first one that must stay."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pacs_secure.core.audit import Draft, LedgerEntry
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Stopped
from pacs_secure.crypto.tlog import WIDTH, leaf_hash, parse_entry, read_draft

Progress = Callable[[int], None]

MOST_WRITERS = 500
"""Writers that one certificate names: a note has its limits. More of them make more certificates."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What must stay."""

    cutoff: datetime
    studies: Collection[UUID]
    """Random names of the studies on legal hold (GDPR 17(3)(e))."""
    patients: Collection[UUID]
    """Of whom they are: what concerns such a patient and no single study stays too."""
    stop: int
    """The first index that cannot go, and why."""
    stopped: Stopped

    def keeps(self, index: int, draft: Draft) -> Stopped | None:
        """Return why an entry must stay, or None."""
        if draft.at >= self.cutoff:
            return Stopped.YOUNG
        if index >= self.stop:
            return self.stopped
        of_patient = draft.study_alias is None and draft.patient_alias in self.patients
        return Stopped.HELD if of_patient or draft.study_alias in self.studies else None


@dataclass(frozen=True, slots=True)
class Step:
    """One range that may go under one certificate."""

    start: int
    horizon: int
    until: datetime
    writers: Mapping[KeyId, int]
    """The number that the next entry of each writer has that wrote in the range."""


def survey(
    entries: Iterable[LedgerEntry], start: int, bounds: Bounds, progress: Progress = lambda _: None
) -> tuple[list[Step], Stopped]:
    """Look at entries from ``start`` on, as they are recorded, and say which may go and what keeps the next one.

    Raises:
        Tampered: an entry is missing, or is not what was recorded: nobody certifies that.
    """
    steps: list[Step] = []
    whole: Step | None = None
    begun = place = start
    writers: dict[KeyId, int] = {}
    for entry in entries:
        progress(1)
        if entry.index != place or leaf_hash(entry.content) != entry.leaf_hash:
            raise Tampered("an entry that may go is not what was recorded")
        draft, by = read_draft(entry.content), parse_entry(entry.content).statement.authorship
        kept = bounds.keeps(place, draft)
        if kept is not None:
            return [*steps, whole] if whole else steps, kept
        place += 1
        if by is not None:
            writers[by.writer] = by.number + 1
        if place % WIDTH == 0:
            whole = Step(begun, place, draft.at, dict(writers))
            if len(writers) + WIDTH > MOST_WRITERS:
                steps.append(whole)
                begun, writers, whole = place, {}, None
    return [*steps, whole] if whole else steps, bounds.stopped
