"""Walks a Data Set element by element: no recursion, no value copied, no length believed (PS3.5 chapter 7).

Everything that reads a Data Set here, the header scanner and the DICOM JSON writer, reads it through
this one walk, so that both see the same elements and the same refusals.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.dicom.dictionary import UNKNOWN, vr_of
from pacs_secure.dicom.fragments import find_fragments
from pacs_secure.dicom.limits import STANDARD, Limits
from pacs_secure.dicom.syntaxes import Coding

SEQUENCE = "SQ"
ITEM = 0xFFFEE000
PIXEL_DATA = 0x7FE00010

_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
_DELIMITERS = {_ITEM_END, _SEQUENCE_END}
_DELIMITATION = 0xFFFE
_UNDEFINED = 0xFFFFFFFF

_SHORT_VRS = {code: code.decode() for code in b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()}
"""Explicit VRs whose length has 16 bits (PS3.5 7.1.2)."""
_LONG_VRS = {code: code.decode() for code in b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split()}
"""Explicit VRs with two reserved bytes and a length of 32 bits."""


_ENCAPSULATING = {"OB", "OW"}
"""VRs whose values may lie in fragments (PS3.5 A.4)."""

_EXPLICIT_START = re.compile(rb".{4}[A-Z]{2}|\xfe\xff", re.DOTALL)
"""A tag and a VR, or an item's tag."""
_SHORTEST = 8
"""Bytes of any element."""


class Element(NamedTuple):
    """One data element or item, and where its value lies."""

    tag: int
    vr: str
    """As written, or the dictionary's where none is; SQ for UN of undefined length (PS3.5 6.2.2); "" for an item."""
    offset: int
    length: int
    """Of the value, in bytes, an encapsulated one with its delimiter; 0 where items of undefined extent follow."""
    depth: int
    """How many items enclose it; an item counts itself."""
    order: str
    """Byte order of its value as `struct` writes it, "<" or ">"."""
    undefined: bool
    """Whether it was written with undefined length."""


class _Header(NamedTuple):
    """What stands in front of a value."""

    tag: int
    vr: str
    length: int
    offset: int
    """Where the value begins."""


_Reader = Callable[[memoryview, int], _Header]


@dataclass(slots=True)
class _Open:
    """A data set, item or sequence that has begun and not yet ended."""

    end: int
    """Where it ends or, while its length is undefined, before where it has to."""
    undefined: bool
    coding: Coding
    items: int | None = None
    """How many items a sequence has had so far; None for what is no sequence."""


def walk(data: memoryview, coding: Coding, limits: Limits = STANDARD) -> Iterator[Element]:
    """Yield every element and item in the order they are written, each before what it holds.

    Raises:
        Malformed: a length lies, something is cut short, or a delimiter closes what is not open.
        OverLimit: the Data Set is deeper or has more in it than the limits allow.
    """
    opened = [_Open(len(data), undefined=False, coding=_coding_at(data, 0, coding))]
    position = seen = 0
    while opened:
        inside = opened[-1]
        if position >= inside.end and not inside.undefined:
            opened.pop()
            continue
        try:
            header = _READERS[inside.coding](data, position)
        except struct.error:
            if len(opened) == 1 and not any(data[position:]):
                return  # padded to an even length
            raise Malformed("the Data Set is cut short") from None
        if header.tag in _DELIMITERS:
            _close(opened, header.tag)
            position = header.offset
            continue
        seen += 1
        if seen > limits.elements:
            raise OverLimit("the Data Set has too many elements")
        element = _enter(data, header, opened, limits)
        yield element
        position = element.offset if opened[-1] is not inside else element.offset + element.length


def _enter(data: memoryview, header: _Header, opened: list[_Open], limits: Limits) -> Element:
    """Make the element or item of a header; what holds others is opened, all else can be passed over."""
    inside = opened[-1]
    tag, vr, length, offset = header
    undefined = length == _UNDEFINED
    if undefined:
        length = 0
    end = inside.end if undefined else offset + length
    if end > inside.end or offset > end:
        raise Malformed("an element is longer than what holds it")
    depth = len(opened) >> 1
    if inside.items is not None:
        _check_item(inside, tag, depth, limits)
        opened.append(_Open(end, undefined, _coding_at(data, offset, inside.coding)))
    elif tag == ITEM:
        raise Malformed("an item stands outside a sequence")
    elif vr == SEQUENCE:
        opened.append(_Open(end, undefined, inside.coding, items=0))
    elif undefined and (tag == PIXEL_DATA or vr in _ENCAPSULATING):
        length = find_fragments(data, offset, inside.end, limits.fragments).end - offset
    elif undefined and vr == UNKNOWN:
        vr = SEQUENCE
        opened.append(_Open(end, undefined, Coding.IMPLICIT_LITTLE, items=0))
    elif undefined:
        raise Malformed("an element that cannot hold items has no length")
    return Element(tag, vr, offset, length, depth, inside.coding.order, undefined)


def _check_item(sequence: _Open, tag: int, depth: int, limits: Limits) -> None:
    sequence.items = (sequence.items or 0) + 1
    if tag != ITEM:
        raise Malformed("a sequence holds something that is no item")
    if sequence.items > limits.items:
        raise OverLimit("a sequence has too many items")
    if depth > limits.depth:
        raise OverLimit("the Data Set is nested too deep")


def _close(opened: list[_Open], tag: int) -> None:
    """Close what a delimiter closes; only what was opened without a length waits for one."""
    closing = opened.pop()
    if not closing.undefined or (closing.items is None) != (tag == _ITEM_END):
        raise Malformed("a delimiter closes what is not open")


def _coding_at(data: memoryview, position: int, coding: Coding) -> Coding:
    """Return how the data set that begins here is really written.

    Writers exist that announce explicit VRs and leave them out, in items above all. Their pictures are
    kept: what stands where the first VR should be then cannot be one.
    """
    start = data[position : position + _SHORTEST].tobytes()
    if coding is not Coding.EXPLICIT_LITTLE or len(start) < _SHORTEST or _EXPLICIT_START.match(start):
        return coding
    return Coding.IMPLICIT_LITTLE


def _implicit(order: str) -> _Reader:
    unpack = struct.Struct(order + "HHL").unpack_from

    def read(data: memoryview, position: int) -> _Header:
        group, element, length = unpack(data, position)
        tag = group << 16 | element
        return _Header(tag, "" if group == _DELIMITATION else vr_of(tag), length, position + 8)

    return read


def _explicit(order: str) -> _Reader:
    unpack = struct.Struct(order + "HH2sH").unpack_from
    unpack_long = struct.Struct(order + "L").unpack_from
    unpack_item = struct.Struct(order + "4xL").unpack_from

    def read(data: memoryview, position: int) -> _Header:
        group, element, code, length = unpack(data, position)
        tag = group << 16 | element
        if group == _DELIMITATION:
            (length,) = unpack_item(data, position)
            return _Header(tag, "", length, position + 8)
        if code in _SHORT_VRS:
            return _Header(tag, _SHORT_VRS[code], length, position + 8)
        if code in _LONG_VRS:
            (length,) = unpack_long(data, position + 8)
            return _Header(tag, _LONG_VRS[code], length, position + 12)
        raise Malformed("an element has no value representation")

    return read


read_explicit_little = _explicit("<")
"""Read the header of one element of explicit VR, little endian; raise `Malformed` when it has no VR."""

_READERS = {
    Coding.IMPLICIT_LITTLE: _implicit("<"),
    Coding.EXPLICIT_LITTLE: read_explicit_little,
    Coding.EXPLICIT_BIG: _explicit(">"),
}
