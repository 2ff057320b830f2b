"""Which snapshots of the vault somebody has restored and looked into: what they hold can be brought back."""

from datetime import datetime
from typing import Protocol


class Snapshots(Protocol):
    """What is known of the vault's snapshots; written by whoever verifies them, read by the pool of keys."""

    def add(self, taken_at: datetime, verified_at: datetime, name_digest: bytes) -> None:
        """Note a snapshot that was restored and found whole; durable on return, the same one twice is nothing.

        ``taken_at`` is when its taking *began*: every key minted before lies in it. ``name_digest`` is
        the SHA-256 of its name.
        """

    def newest_verified(self) -> datetime | None:
        """Return when the newest snapshot that was verified was taken; None when there is none."""
