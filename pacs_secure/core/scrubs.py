"""The scrub: one round after the other in which every object is read (StrlSchV 127(1) no. 1, INT-02)."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ScrubRound:
    """One round through the archive, as far as it has come."""

    number: int
    """Dense, from 1."""
    begun_at: datetime
    looked_at: datetime
    """When it last read something."""
    place: int = 0
    """Of the last row that was read."""
    objects: int = 0
    octets: int = 0
    """Ciphertext that was read."""
    wanting: int = 0
    """Objects that did not open, were not what was received, or could not be parsed."""
    finished_at: datetime | None = None

    def told(self) -> dict[str, str | int]:
        """Return the round in words for machines; it names nobody."""
        return {
            "round": self.number,
            "begun": self.begun_at.isoformat(),
            "finished": "" if self.finished_at is None else self.finished_at.isoformat(),
            "objects": self.objects,
            "bytes": self.octets,
            "wanting": self.wanting,
        }
