"""Whose hand writes: the author that a database's one writing thread signs entries as (`crypto.tlog.Author`)."""

import time
from collections.abc import Callable

from sqlalchemy.engine import Connection

from pacs_secure.core.audit import Draft, Statement
from pacs_secure.core.errors import ArchiveError, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import Author, state
from pacs_secure.ports import ForgettableKey

RETRY_SECONDS = 5.0
"""How long an absent vault is not asked again for a writer's first key."""

_LENT = "author"

Mint = Callable[[], ForgettableKey]


class Authorship:
    """Becomes an author when it is first needed; used by the writing thread only, but for `by`."""

    def __init__(self) -> None:
        self.names: list[KeyId] = []
        """Every writer that this database has been."""
        self._mint: Mint | None = None
        self._author: Author | None = None
        self._asked_at = -RETRY_SECONDS

    def by(self, mint: Mint) -> None:
        """Sign from now on, under first keys that are made so."""
        self._mint = mint

    def lend(self, connection: Connection) -> None:
        """Let `sign` write through this connection; the vault is asked at most once for each author."""
        connection.info.pop(_LENT, None)
        if self._mint is None:
            return
        if self._author is None and time.monotonic() - self._asked_at >= RETRY_SECONDS:
            self._asked_at = time.monotonic()
            try:
                first = self._mint()
            except ArchiveError:
                pass  # what may be recorded all the same is told from the rest in `sign`
            else:
                self._author = Author(first.key_id, first.key)
                self.names.append(first.key_id)
        connection.info[_LENT] = self._author

    def mark(self) -> tuple[int, bytes] | None:
        """Remember where the author stands."""
        return self._author.mark if self._author else None

    def rewind(self, mark: tuple[int, bytes] | None) -> None:
        """Go back: what was signed since was taken back."""
        if self._author is not None and mark is not None:
            self._author.rewind(mark)

    def abandon(self) -> None:
        """Be somebody else from now on: nobody knows whether what was signed last was kept."""
        self._author, self._asked_at = None, -RETRY_SECONDS


def sign(connection: Connection, draft: Draft) -> Statement:
    """Write down what a draft says, signed when the database has an author.

    Raises:
        Unavailable: there should be one, and the vault gave no key; only what names no actor is
            recorded without (`archive.drafts`), so that forging it accuses nobody.
    """
    statement = state(draft)
    if _LENT not in connection.info:
        return statement
    author: Author | None = connection.info[_LENT]
    if author is not None:
        return author.sign(statement)
    if draft.actor:
        raise Unavailable("the vault gives the ledger's writer no key")
    return statement
