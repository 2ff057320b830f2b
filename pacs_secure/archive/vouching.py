"""What the configured witnesses vouch for: how far the ledger had come, and when; nobody else's signature counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pacs_secure.core.errors import Tampered
from pacs_secure.crypto.tlog import WitnessKey, parse_checkpoint, verify_cosignature, verify_note
from pacs_secure.ports import Publisher


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who signed one checkpoint, for how many entries, and when the first of them did."""

    names: tuple[str, ...]
    size: int
    at: datetime
    """UTC, by the witness's own clock."""


@dataclass(frozen=True, slots=True)
class Vouching:
    """Reads witnessed checkpoints as published; whoever can write the published files can write names there."""

    publisher: Publisher
    origin: str
    public_key: Callable[[], bytes]
    keys: Sequence[WitnessKey] = ()
    """Of the witnesses that the house has configured."""

    def newest(self) -> Vouched | None:
        """Return what the newest witnessed checkpoint proves; None when no signature on it is true."""
        return self._verified(self.publisher.witnessed())

    def of(self, size: int) -> Vouched | None:
        """Return what proves so many entries or more; None when nothing does yet."""
        found = self._verified(self.publisher.witnessed_from(size))
        return found if found is not None and found.size >= size else None

    def _verified(self, note: bytes | None) -> Vouched | None:
        if note is None:
            return None
        try:
            text = verify_note(note, self.origin, self.public_key())
            size = parse_checkpoint(note).size
        except Tampered:
            return None
        lines = note.decode().splitlines()
        signed = {key.name: at for key in self.keys for line in lines if (at := _signed(line, key, text)) is not None}
        return Vouched(tuple(sorted(signed)), size, min(signed.values())) if signed else None


def _signed(line: str, key: WitnessKey, text: bytes) -> datetime | None:
    try:
        return verify_cosignature(line, key, text)
    except Tampered:
        return None
