"""Legal holds as the ledger tells of them: removing or putting back the row of a study lifts none."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pacs_secure.archive.named_keys import unbroken
from pacs_secure.core.access import Action
from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import AuthorCheck, parse_entry, read_draft

_TOLD = b'"held_after"'


class Hold(NamedTuple):
    """The random names of a study that is held and of its patient."""

    study: UUID
    patient: UUID


class SpokenHolds:
    """Follows the ledger from its first entry on.

    Whoever sets a hold is believed, whoever lifts one only by the signature of a writer, so that a forged entry keeps
    more than it need be and lets nothing go. Of several signed words the latest counts, wherever it stands.
    """

    def __init__(self, key_of: Callable[[KeyId], bytes | None], start: int) -> None:
        """Take what returns a writer's first key, and the index of the first entry."""
        self._key_of = key_of
        self._set: dict[Hold, datetime] = {}
        self._lifted: dict[Hold, datetime] = {}
        self.place = start
        """Index of the entry that is read next."""

    def follow(self, entries: Iterable[LedgerEntry]) -> None:
        """Read on, from `place`.

        Raises:
            Tampered: an entry is missing, or is not what was recorded.
            Unavailable: the key of a writer is out of reach.
        """
        for entry in unbroken(entries, self.place):
            self.place += 1
            if _TOLD in entry.content:
                self._take(entry)

    def held(self) -> frozenset[Hold]:
        """Return what is held after all that was read."""
        return frozenset(one for one, at in self._set.items() if one not in self._lifted or self._lifted[one] < at)

    def _take(self, entry: LedgerEntry) -> None:
        draft = read_draft(entry.content)
        if (draft.action, draft.outcome) != (Action.STUDY_CLASSIFY, Outcome.COMPLETED):
            return
        if draft.study_alias is None or draft.patient_alias is None:
            return
        hold = Hold(draft.study_alias, draft.patient_alias)
        if draft.facts.get("held_after") != "no":
            self._set[hold] = max(draft.at, self._set.get(hold, draft.at))
        elif self._is_signed(entry):
            self._lifted[hold] = max(draft.at, self._lifted.get(hold, draft.at))

    def _is_signed(self, entry: LedgerEntry) -> bool:
        statement = parse_entry(entry.content).statement
        by = statement.authorship
        key = self._key_of(by.writer) if by else None
        return key is not None and AuthorCheck(key).holds(statement, entry.index)
