"""Forgettings as the ledger tells of them: one whose row was removed, or was made to say that it is done, is missed."""

from collections.abc import Callable, Iterable
from functools import cache
from uuid import UUID

from pacs_secure.archive.named_keys import unbroken
from pacs_secure.core.access import Action
from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.core.forgetting import Stage
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.crypto.tlog import AuthorCheck, parse_entry, read_draft

_ANEW = frozenset({Action.ARCHIVE_REBUILD, Action.BACKUP_RESTORE})
"""Acts after which an index stands that was not there before."""
_TOLD = tuple(f'"{action}"'.encode() for action in (Action.STUDY_FORGET, *_ANEW))
_DONE = frozenset({Stage.FORGOTTEN, Stage.SWEPT})


class SpokenForgettings:
    """Follows the ledger from its first entry on.

    Whoever says that a study is being forgotten is believed; that it is done, only by the signature of a writer. A
    rebuild knows of no forgetting that was under way, and a restore has ended those whose keys were gone: whatever
    else came back by either must be asked for again.
    """

    def __init__(self, key_of: Callable[[KeyId], bytes | None], start: int) -> None:
        """Take what returns a writer's first key, and the index of the first entry."""
        self._key_of = cache(key_of)  # a few processes have said everything
        self._under_way: dict[UUID, Institution] = {}
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
            if any(told in entry.content for told in _TOLD):
                self._take(entry)

    def under_way(self, of: Institution) -> list[UUID]:
        """Return the random names of the studies whose keys are still to go, after all that was read."""
        return [alias for alias, institution in self._under_way.items() if institution == of]

    def houses(self) -> frozenset[Institution]:
        """Return whose studies those are."""
        return frozenset(self._under_way.values())

    def _take(self, entry: LedgerEntry) -> None:
        draft = read_draft(entry.content)
        if draft.outcome is not Outcome.COMPLETED:
            return
        if draft.action in _ANEW and draft.study_alias is None:
            if self._under_way and self._is_signed(entry):
                self._under_way.clear()
        elif draft.action is Action.STUDY_FORGET and draft.study_alias is not None:
            if draft.facts.get("stage") not in _DONE:
                self._under_way[draft.study_alias] = draft.institution
            elif draft.study_alias in self._under_way and self._is_signed(entry):
                del self._under_way[draft.study_alias]

    def _is_signed(self, entry: LedgerEntry) -> bool:
        statement = parse_entry(entry.content).statement
        by = statement.authorship
        key = self._key_of(by.writer) if by else None
        return key is not None and AuthorCheck(key).holds(statement, entry.index)
