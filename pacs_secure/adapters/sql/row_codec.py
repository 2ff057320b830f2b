"""One row as bytes, the same on every engine: what a backup writes, and what the roots of its tables are made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from pacs_secure.core.errors import Tampered

_LENGTH = 4
LONGEST_ROW = 1 << 30
"""Bytes: no engine here holds a longer one."""

_KINDS: Mapping[type, tuple[bytes, Callable[[Any], bytes]]] = {
    type(None): (b"n", lambda _: b""),
    bool: (b"t", lambda value: b"1" if value else b"0"),
    int: (b"i", lambda value: str(value).encode()),
    str: (b"s", str.encode),
    bytes: (b"b", bytes),
    UUID: (b"u", lambda value: value.bytes),
    datetime: (b"d", lambda value: value.isoformat().encode()),
}
_READ: Mapping[bytes, Callable[[bytes], object]] = {
    b"n": lambda _: None,
    b"t": lambda said: said == b"1",
    b"i": int,
    b"s": bytes.decode,
    b"b": bytes,
    b"u": lambda said: UUID(bytes=said),
    b"d": lambda said: datetime.fromisoformat(said.decode()),
}


def encode_row(values: Sequence[object]) -> bytes:
    """Write a row down: a letter for each value's kind, its length in 4 bytes, then the value.

    Raises:
        Tampered: a value is of no kind that a column of ours holds.
    """
    return b"".join(map(_encoded, values))


def decode_row(row: bytes) -> tuple[object, ...]:
    """Read what `encode_row` wrote; raise `Tampered` when it is not that."""
    values: list[object] = []
    at = 0
    while at < len(row):
        kind, start = row[at : at + 1], at + 1 + _LENGTH
        at = start + int.from_bytes(row[at + 1 : start], "big")
        if start > len(row) or at > len(row):
            raise Tampered("a row of the backup is cut off")
        values.append(_decoded(kind, row[start:at]))
    return tuple(values)


def write_row(stream: BinaryIO, row: bytes) -> None:
    """Add an encoded row to a file."""
    stream.write(len(row).to_bytes(_LENGTH, "big") + row)


def read_rows(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the encoded rows of a file; raise `Tampered` when it ends within one."""
    while head := stream.read(_LENGTH):
        length = int.from_bytes(head, "big")
        row = stream.read(length) if length <= LONGEST_ROW else b""
        if len(head) != _LENGTH or len(row) != length:
            raise Tampered("a table of the backup is cut off")
        yield row


def _encoded(value: object) -> bytes:
    try:
        kind, say = _KINDS[type(value)]
    except KeyError:
        raise Tampered("a column holds what no column of the archive holds") from None
    said = say(value)
    return kind + len(said).to_bytes(_LENGTH, "big") + said


def _decoded(kind: bytes, said: bytes) -> object:
    try:
        return _READ[kind](said)
    except (KeyError, ValueError):
        raise Tampered("a row of the backup cannot be read") from None
