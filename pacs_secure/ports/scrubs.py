"""Where the scrub remembers how far it has come."""

from typing import Protocol

from pacs_secure.core.scrubs import ScrubRound


class Scrubs(Protocol):
    """Rounds of the scrub: where the newest stands, and how the last that was finished came out."""

    def newest(self) -> ScrubRound | None:
        """Return the newest round, None before the first."""

    def finished(self) -> ScrubRound | None:
        """Return the newest round that came to its end, None before that."""

    def keep(self, round_: ScrubRound) -> None:
        """Remember how far a round has come; durable on return, and never back."""
