"""Holds what each writer said against its numbers and, with the vault at hand, against its signatures."""

from collections.abc import Callable, Mapping
from uuid import UUID

from pacs_secure.core.audit import Draft, Statement, may_be_unsigned
from pacs_secure.core.errors import ArchiveError, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import AuthorCheck, draft_of

WriterKey = Callable[[KeyId], bytes | None]
"""Returns a writer's first key, None when it has none on the shelf; raises `Unavailable`."""


class WriterCheck:
    """Takes the statements of a ledger in order, from any number of writers."""

    def __init__(self, key_of: WriterKey | None, *, from_the_start: bool = True) -> None:
        self.signatures = key_of is not None
        """Whether signatures are looked at, and not only numbers: the vault can be asked."""
        self._key_of = key_of
        self._from_the_start = from_the_start
        self._expected: dict[KeyId, int] = {}
        self._checks: dict[KeyId, AuthorCheck | None] = {}

    def ask_again(self) -> None:
        """Ask the vault for the next writer's key, even if it was away for an earlier one."""
        self.signatures = self._key_of is not None

    def said(self, writer: KeyId) -> int:
        """Return how many words of a writer were met, as it numbered them."""
        return self._expected.get(writer, 0)

    def problem(self, statement: Statement, index: int, *, resume: bool = False) -> str:
        """Return what is wrong with the entry at ``index``, or ""; ``resume`` takes its number as it is."""
        by = statement.authorship
        if by is None:
            draft = _draft(statement)
            if draft is None:
                return "nobody signed the entry, and it cannot be read"
            return "" if may_be_unsigned(draft) else "nobody signed the entry, and it may not stand unsigned"
        numbered = self._number_problem(by.writer, by.number, statement, resume=resume)
        return numbered or self._signature_problem(by.writer, statement, index)

    def take_up(self, numbers: Mapping[KeyId, int]) -> None:
        """Go on behind entries that expired, at the number that each writer's next entry has."""
        self._expected.update(numbers)

    def _number_problem(self, writer: KeyId, number: int, statement: Statement, *, resume: bool) -> str:
        known = writer in self._expected
        expected = self._expected.get(writer, 0)
        self._expected[writer] = number + 1
        if resume or not (known or self._from_the_start):
            return ""
        if number > expected:
            return f"{number - expected} entries that its writer made before it are missing"
        if number < expected:
            return "its writer has used its number before"
        return self._succession_problem(statement) if number == 0 else ""

    def _succession_problem(self, statement: Statement) -> str:
        """Look whether everything is there that the writer's process had said under another name."""
        draft = _draft(statement)
        continues = "" if draft is None else str(draft.facts.get("continues", ""))
        if not continues:
            return ""
        try:
            name, _, number = continues.partition(" ")
            missing = int(number) - self.said(KeyId(UUID(name)))
        except ValueError:
            return "it continues nothing that could be"
        return f"{missing} entries that its writer made before, under another name, are missing" if missing > 0 else ""

    def _signature_problem(self, writer: KeyId, statement: Statement, index: int) -> str:
        if not self.signatures:
            return "" if _draft(statement) else "the entry cannot be read"
        try:
            check = self._check(writer)
        except Unavailable:
            self.signatures = False
            return ""
        except ArchiveError:
            return "the key of its writer was changed on the shelf"
        if check is None:
            return "its writer has no key on the shelf"
        return "" if check.holds(statement, index) else "the entry is not what its writer signed"

    def _check(self, writer: KeyId) -> AuthorCheck | None:
        if writer not in self._checks:
            key = self._key_of(writer) if self._key_of else None
            self._checks[writer] = None if key is None else AuthorCheck(key)
        return self._checks[writer]


def _draft(statement: Statement) -> Draft | None:
    try:
        return draft_of(statement)
    except ArchiveError:
        return None
