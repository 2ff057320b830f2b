"""Who wrote an entry: every writer numbers what it says and signs it under a key that it forgets at once.

The first key of a writer lies wrapped on the shelf, under the writer's own name; each number has the key that
follows from the one before, and the one before is gone. Whoever takes over a writer can speak in its name from
then on, but change nothing that it said; and what is left out before it got its place leaves a gap.
"""

import hmac
from dataclasses import replace

from pacs_secure.core.audit import Authorship, Statement
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.box import derive

MAC = 16
"""Bytes of HMAC-SHA-256 that are kept (RFC 2104, 5)."""

_NUMBER = 8
_MOST_REMOVED = 1_000_000


class Author:
    """Signs the statements of one writer, in order."""

    __slots__ = ("_key", "_number", "_writer")

    def __init__(self, writer: KeyId, key: bytes) -> None:
        self._writer = writer
        self._key = derive(key, b"ledger/writer")
        self._number = 0

    @property
    def writer(self) -> KeyId:
        """In whose name it signs."""
        return self._writer

    @property
    def number(self) -> int:
        """The number of its next word: how many it has said."""
        return self._number

    @property
    def mark(self) -> tuple[int, bytes]:
        """Where the writer stands, for `rewind` when what it signed was not kept."""
        return self._number, self._key

    def rewind(self, mark: tuple[int, bytes]) -> None:
        """Go back to a mark: what was signed since then was taken back."""
        self._number, self._key = mark

    def sign(self, statement: Statement) -> Statement:
        """Number and sign a statement, and forget the key it was signed with."""
        mac = _mac(self._key, self._number, statement)
        signed = replace(statement, authorship=Authorship(self._writer, self._number, mac))
        self._number, self._key = self._number + 1, _next(self._key)
        return signed


class AuthorCheck:
    """Holds the signed statements of one writer against its first key."""

    __slots__ = ("_key", "_number")

    def __init__(self, key: bytes) -> None:
        self._key = derive(key, b"ledger/writer")
        self._number = 0

    def holds(self, statement: Statement, index: int) -> bool:
        """Say whether the writer said this under this number; numbers may be left out but never go back.

        Nobody can have said much more than ``index`` words before the entry of that index, even where some were
        removed, so that a forged number costs little.
        """
        by = statement.authorship
        if by is None or not self._number <= by.number <= index + _MOST_REMOVED:
            return False
        while self._number < by.number:
            self._number, self._key = self._number + 1, _next(self._key)
        if not hmac.compare_digest(by.mac, _mac(self._key, by.number, statement)):
            return False
        self._number, self._key = self._number + 1, _next(self._key)
        return True


def _mac(key: bytes, number: int, statement: Statement) -> bytes:
    said = number.to_bytes(_NUMBER, "big") + statement.at.encode() + b"\0" + statement.said
    return hmac.digest(key, said, "sha256")[:MAC]


def _next(key: bytes) -> bytes:
    return hmac.digest(key, b"next", "sha256")
