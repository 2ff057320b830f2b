"""What certificates say of expired entries, each held against the log's key and the one before it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Certificate
from pacs_secure.crypto.tlog import read_certificate


@dataclass(slots=True)
class Expired:
    """How far entries may be missing, and what is known of those that are."""

    horizon: int = 0
    """Below it a missing entry is no finding; a missing leaf hash is."""
    roots: dict[int, bytes] = field(default_factory=dict)
    """By horizon."""
    writers: dict[KeyId, int] = field(default_factory=dict)
    """The number that the next entry of each writer has, as far as it wrote below the horizon."""
    problems: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, notes: Iterable[bytes], origin: str, public_key: bytes) -> Self:
        """Read certificates, some of them perhaps twice; one that the log did not sign says nothing."""
        found, certificates = cls(), dict[bytes, Certificate]()
        for note in notes:
            try:
                certificates[note] = read_certificate(note, origin, public_key)
            except Tampered:
                found.problems.append("a certificate of expired entries is not signed by this log")
        for number, one in enumerate(sorted(certificates.values(), key=lambda one: one.horizon), 1):
            if (one.number, one.start) != (number, found.horizon):
                found.problems.append(f"certificate {one.number} does not continue the one before it")
            found.horizon = one.horizon
            found.roots[one.horizon] = one.root
            found.writers |= one.writers
        return found
