"""Those outside the house who remember how far the ledger had come, and who say when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness saw this checkpoint continue what it had seen before."""

    line: str
    """Its signature line, verified, without the newline (C2SP tlog-cosignature)."""
    at: datetime
    """When it says it did, UTC."""


@dataclass(frozen=True, slots=True)
class SeenElsewhere:
    """A witness last saw the ledger at another size than was said; nothing was signed."""

    size: int


class Witness(Protocol):
    """One witness under another administration (C2SP tlog-witness)."""

    @property
    def name(self) -> str:
        """Return what it is called here."""

    def submit(self, old_size: int, proof: Sequence[bytes], note: bytes) -> Cosigned | SeenElsewhere:
        """Show it a checkpoint and the proof that it continues that of ``old_size``.

        Raises:
            Tampered: it saw another history, or its answer does not verify.
            Unavailable: it is out of reach, or does not watch this ledger.
        """

    def signed(self, note: bytes) -> bool:
        """Say whether a note bears its cosignature, without asking it.

        Raises:
            Tampered: this is no checkpoint.
        """


class TimeStamps(Protocol):
    """A time-stamping authority (RFC 3161)."""

    def stamp(self, content: bytes) -> bytes:
        """Return a token over the SHA-256 of the content, verified.

        Raises:
            Tampered: the token is not of this, or not by the authority that is trusted.
            Unavailable: the authority is out of reach or refuses.
        """


class Clocks(Protocol):
    """Other clocks than our own."""

    def drift(self) -> float:
        """Return how many seconds our clock is ahead of theirs; negative when it is behind.

        Raises:
            Unavailable: not one of them answers.
        """
