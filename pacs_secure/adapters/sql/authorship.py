"""Whose hand writes: the author that a database's one writing thread signs entries as (`crypto.tlog.Author`)."""

import time
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.engine import Connection

from pacs_secure.core.audit import Draft, Statement, may_be_unsigned
from pacs_secure.core.errors import ArchiveError, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import Author, state
from pacs_secure.ports import ForgettableKey

RETRY_SECONDS = 5.0
"""How long an absent vault is not asked again for a writer's first key."""

_LENT = "author"

Mint = Callable[[], ForgettableKey]


class Authorship:
    """Becomes an author when it is first needed; used by the writing thread only, but for what says otherwise."""

    def __init__(self) -> None:
        self.names: list[KeyId] = []
        """Every writer that this database has been."""
        self._mint: Mint | None = None
        self._author: Author | None = None
        self._asked_at = -RETRY_SECONDS
        self._kept: tuple[KeyId, int] | None = None
        self._left: tuple[KeyId, int] | None = None
        """What the author before had said that was kept, until its successor has told."""
        self._trusted = True

    @property
    def kept(self) -> tuple[KeyId, int] | None:
        """Return as whom, and how many words, the database said that it keeps; any thread may ask."""
        return self._kept

    def by(self, mint: Mint) -> None:
        """Sign from now on, under first keys that are made so; any thread may say so."""
        self._mint = mint

    def trust(self, *, held: bool) -> None:
        """Sign only while the database holds what it said it keeps; any thread may say so."""
        self._trusted = held

    def lend(self, connection: Connection) -> None:
        """Let `sign` write through this connection; the vault is asked at most once for each author."""
        connection.info[_LENT] = self
        if self._mint is not None and self._author is None and time.monotonic() - self._asked_at >= RETRY_SECONDS:
            self._asked_at = time.monotonic()
            try:
                first = self._mint()
            except ArchiveError:
                return  # what may be recorded all the same is told from the rest in `sign`
            self._author = Author(first.key_id, first.key)
            self.names.append(first.key_id)

    def sign(self, draft: Draft) -> Statement:
        """Write down what a draft says, signed when the database has an author; raises as `sign` does."""
        if not self._trusted:
            raise Unavailable("the database loses what it says it keeps")
        if self._author is None:
            if self._mint is not None and not may_be_unsigned(draft):
                raise Unavailable("the vault gives the ledger's writer no key")
            return state(draft)
        if self._left is not None and self._author.number == 0:
            # Whoever wrote before under another name must not lose its last words unnoticed.
            writer, number = self._left
            draft = replace(draft, facts={**draft.facts, "continues": f"{writer} {number}"})
        return self._author.sign(state(draft))

    def mark(self) -> tuple[int, bytes] | None:
        """Remember where the author stands."""
        return self._author.mark if self._author else None

    def rewind(self, mark: tuple[int, bytes] | None) -> None:
        """Go back: what was signed since was taken back."""
        if self._author is not None and mark is not None:
            self._author.rewind(mark)

    def keep(self) -> None:
        """Take note that everything signed so far was kept."""
        if self._author is not None and self._author.number:
            self._kept, self._left = (self._author.writer, self._author.number), None

    def abandon(self) -> None:
        """Be somebody else from now on: nobody knows whether what was signed last was kept."""
        self._left = self._kept or self._left
        self._author, self._kept, self._asked_at = None, None, -RETRY_SECONDS


def sign(connection: Connection, draft: Draft) -> Statement:
    """Write down what a draft says, signed when the database has an author.

    Raises:
        Unavailable: there should be one, and the vault gave no key; only what opens nothing and names no
            actor is recorded without, so that forging it accuses nobody. Or the database is not to be trusted.
    """
    authorship: Authorship | None = connection.info.get(_LENT)
    return state(draft) if authorship is None else authorship.sign(draft)
