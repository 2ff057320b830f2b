"""Encapsulated values: the fragments that compressed pixel data lies in (PS3.5 A.4)."""

from dataclasses import dataclass
from struct import Struct

from pacs_secure.core.errors import Malformed, OverLimit

HEADER = 8
"""Bytes of an item header: its tag and its length."""

_ITEM, _END = 0xE000FFFE, 0xE0DDFFFE
"""Tags (FFFE,E000) and (FFFE,E0DD), read as one little-endian number: encapsulation knows no other order."""

_TAG_AND_LENGTH = Struct("<LL")


@dataclass(frozen=True, slots=True)
class Fragments:
    """Where the items of one encapsulated value lie; the first is its Basic Offset Table."""

    starts: list[int]
    """Of each item's header."""
    end: int
    """Behind the delimiter that closes the value."""

    @property
    def stop(self) -> int:
        """Where the last item ends."""
        return self.end - HEADER


def find_fragments(data: memoryview, start: int, end: int, most: int) -> Fragments:
    """Find the items of the encapsulated value that begins at ``start`` and must close before ``end``.

    Raises:
        Malformed: an item reaches past the end, or something stands where an item should.
        OverLimit: there are more than ``most``.
    """
    starts: list[int] = []
    position = start
    while position + HEADER <= end:
        tag, length = _TAG_AND_LENGTH.unpack_from(data, position)
        if tag == _END:
            return Fragments(starts, position + HEADER)
        if tag != _ITEM:
            raise Malformed("encapsulated data holds something that is no fragment")
        if len(starts) == most:
            raise OverLimit("encapsulated data has too many fragments")
        starts.append(position)
        position += HEADER + length
    raise Malformed("encapsulated data is cut short")


def strip_item_headers(span: bytes | bytearray | memoryview) -> bytes:
    """Return what the fragments of one frame hold, joined: the compressed bit stream of the frame.

    A span of a `FrameIndex` begins at its first fragment's item header whenever the transfer syntax is
    encapsulated, so it is always taken through here before it is delivered; native frames never are.

    Raises:
        Malformed: the span is not made of whole fragments.
    """
    view = memoryview(span)
    pieces: list[memoryview] = []
    position = 0
    while position < len(view):
        if position + HEADER > len(view):
            raise Malformed("a frame ends within an item header")
        tag, length = _TAG_AND_LENGTH.unpack_from(view, position)
        position += HEADER
        if tag != _ITEM or length > len(view) - position:
            raise Malformed("a frame is not made of whole fragments")
        pieces.append(view[position : position + length])
        position += length
    return b"".join(pieces)
