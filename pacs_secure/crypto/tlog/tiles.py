"""Where the tree lies for everyone to read: C2SP tlog-tiles paths and entry bundles."""

from collections.abc import Iterable

from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.errors import OverLimit
from pacs_secure.crypto.box import tampered
from pacs_secure.crypto.tlog.entry import LONGEST_ENTRY

WIDTH = 256
"""Hashes a tile, entries a bundle."""

_GROUP = 1000
_PREFIX = 2


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Return the path of a tile; a width below 256 names a partial one."""
    return f"tile/{level}/{_place(index, width)}"


def entries_path(index: int, width: int = WIDTH) -> str:
    """Return the path of an entry bundle; a width below 256 names a partial one."""
    return f"tile/entries/{_place(index, width)}"


def encode_bundle(entries: Iterable[LedgerEntry]) -> bytes:
    """Join the entries' contents, each behind its length, 2 bytes big endian.

    Raises:
        OverLimit: an entry is longer than 65,535 bytes.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry.content) > LONGEST_ENTRY:
            raise OverLimit("a ledger entry is too long")
        parts += (len(entry.content).to_bytes(_PREFIX, "big"), entry.content)
    return b"".join(parts)


def decode_bundle(bundle: bytes) -> list[bytes]:
    """Take a bundle apart into the entries' contents; raise `Tampered` when it ends within an entry."""
    entries: list[bytes] = []
    place = 0
    while place < len(bundle):
        start = place + _PREFIX
        place = start + int.from_bytes(bundle[place:start], "big")
        entries.append(bundle[start:place])
    if place != len(bundle):
        raise tampered()
    return entries


def _place(index: int, width: int) -> str:
    groups = [f"{index % _GROUP:03}"]
    while index := index // _GROUP:
        groups.append(f"x{index % _GROUP:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return "/".join(reversed(groups)) + partial
