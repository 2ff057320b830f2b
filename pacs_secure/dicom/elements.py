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
_LENGTH = struct.Struct("<L")

_SHORT_VRS = {code: code.decode() for code in b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()}
"""Explicit VRs whose length has 16 bits (PS3.5 7.1.2)."""
_LONG_VRS = {code: code.decode() for code in b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split()}
"""Explicit VRs with two reserved bytes and a length of 32 bits."""
_VRS = _SHORT_VRS.keys() | _LONG_VRS.keys()

_ENCAPSULATING = {"OB", "OW"}
"""VRs whose values may lie in fragments (PS3.5 A.4)."""

_EXPLICIT_START = re.compile(rb".{4}[A-Z]{2}|\xfe\xff", re.DOTALL)
"""A tag and a VR, or an item's tag."""
_SHORTEST = 8
"""Bytes of any element."""
_MOST_PADDING = 1 << 16
"""Zero bytes that may follow the last element; some writers fill up their last block."""


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


_Header = tuple[int, str, int, int]
"""What stands in front of a value: tag, VR, length as written, and where the value begins."""

_Reader = Callable[[memoryview, int], _Header]


class _Form(NamedTuple):
    """How headers and numbers are written."""

    read: _Reader
    order: str


@dataclass(slots=True)
class _Open:
    """A data set, item or sequence that has begun and not yet ended."""

    end: int
    """Where it ends or, while its length is undefined, before where it has to."""
    undefined: bool
    form: _Form
    items: int | None = None
    """How many items a sequence has had so far; None for what is no sequence."""


def walk(data: memoryview, coding: Coding, limits: Limits = STANDARD) -> Iterator[Element]:
    """Yield every element and item in the order they are written, each before what it holds.

    Raises:
        Malformed: a length lies, something is cut short, or a delimiter closes what is not open.
        OverLimit: the Data Set is deeper or has more in it than the limits allow.
    """
    way = _Way(data, limits, [_Open(len(data), undefined=False, form=_form_at(data, 0, len(data), _FORMS[coding]))])
    opened = way.opened
    position = seen = 0
    while opened:
        inside = opened[-1]
        if position >= inside.end and not inside.undefined:
            opened.pop()
            continue
        try:
            header = inside.form.read(data, position)
        except (struct.error, Malformed):
            if len(opened) == 1 and _is_padding(data[position:]):
                return
            raise Malformed("the Data Set is cut short or an element has no value representation") from None
        tag, vr, length, offset = header
        if offset > inside.end:
            raise Malformed("an element is longer than what holds it")
        if tag in _DELIMITERS:
            way.close(tag)
            position = offset
            continue
        seen += 1
        if seen > limits.elements:
            raise OverLimit("the Data Set has too many elements")
        if inside.items is None and length != _UNDEFINED and vr != SEQUENCE and tag != ITEM:
            position = offset + length
            if position > inside.end:
                raise Malformed("an element is longer than what holds it")
            yield Element(tag, vr, offset, length, len(opened) >> 1, inside.form.order, undefined=False)
            continue
        element = way.enter(header)
        yield element
        position = offset if opened[-1] is not inside else offset + element.length


@dataclass(slots=True)
class _Way:
    """How deep a walk has come, and how many fragments it has met on its way."""

    data: memoryview
    limits: Limits
    opened: list[_Open]
    fragments: int = 0

    def enter(self, header: _Header) -> Element:
        """Make the element or item of a header that may hold others, and open it if so."""
        tag, vr, length, offset = header
        inside, depth = self.opened[-1], len(self.opened) >> 1
        undefined = length == _UNDEFINED
        if undefined:
            length = 0
        end = inside.end if undefined else offset + length
        if end > inside.end:
            raise Malformed("an element is longer than what holds it")
        if inside.items is not None:
            inside.items += 1
            self._check_item(tag, inside.items, depth)
            if length or undefined:
                self.opened.append(_Open(end, undefined, _form_at(self.data, offset, end, inside.form)))
        elif tag == ITEM:
            raise Malformed("an item stands outside a sequence")
        elif vr == SEQUENCE:
            self.opened.append(_Open(end, undefined, inside.form, items=0))
        elif tag == PIXEL_DATA or vr in _ENCAPSULATING:
            length = self._pass_fragments(offset, end)
        elif vr == UNKNOWN:
            vr = SEQUENCE
            self.opened.append(_Open(end, undefined, _IMPLICIT_LITTLE, items=0))
        else:
            raise Malformed("an element that cannot hold items has no length")
        return Element(tag, vr, offset, length, depth, inside.form.order, undefined)

    def close(self, tag: int) -> None:
        """Close what a delimiter closes; only what was opened without a length waits for one."""
        closing = self.opened.pop()
        if not closing.undefined or (closing.items is None) != (tag == _ITEM_END):
            raise Malformed("a delimiter closes what is not open")

    def _check_item(self, tag: int, number: int, depth: int) -> None:
        if tag != ITEM:
            raise Malformed("a sequence holds something that is no item")
        if number > self.limits.items:
            raise OverLimit("a sequence has too many items")
        if depth > self.limits.depth:
            raise OverLimit("the Data Set is nested too deep")

    def _pass_fragments(self, offset: int, end: int) -> int:
        found = find_fragments(self.data, offset, end, self.limits.fragments - self.fragments)
        self.fragments += len(found.starts)
        return found.end - offset


def _is_padding(rest: memoryview) -> bool:
    return len(rest) <= _MOST_PADDING and not rest.tobytes().strip(b"\0")


def _form_at(data: memoryview, position: int, end: int, form: _Form) -> _Form:
    """Return how the data set that begins here, and ends by ``end``, is really written.

    Writers exist that announce explicit VRs and leave them out, in items above all, and others that
    write them unannounced. Their pictures are kept: what stands where the first VR should be cannot be
    one, or what stands where the first length should be cannot be one and begins with a VR.
    """
    if end - position < _SHORTEST:
        return form
    start = data[position : position + _SHORTEST].tobytes()
    if form is _EXPLICIT_LITTLE and not _EXPLICIT_START.match(start):
        return _IMPLICIT_LITTLE
    if form is _IMPLICIT_LITTLE and start[4:6] in _VRS:
        (length,) = _LENGTH.unpack_from(start, 4)
        if length > end - position - _SHORTEST:
            return _EXPLICIT_LITTLE
    return form


def _implicit(order: str) -> _Reader:
    unpack = struct.Struct(order + "HHL").unpack_from

    def read(data: memoryview, position: int) -> _Header:
        group, element, length = unpack(data, position)
        tag = group << 16 | element
        return tag, "" if group == _DELIMITATION else vr_of(tag), length, position + 8

    return read


def _explicit(order: str) -> _Reader:
    unpack = struct.Struct(order + "HH2sH").unpack_from
    unpack_long = struct.Struct(order + "L").unpack_from
    unpack_item = struct.Struct(order + "4xL").unpack_from
    short = _SHORT_VRS

    def read(data: memoryview, position: int) -> _Header:
        group, element, code, length = unpack(data, position)
        tag = group << 16 | element
        vr = short.get(code)
        if vr is not None and group != _DELIMITATION:
            return tag, vr, length, position + 8
        if group == _DELIMITATION:
            (length,) = unpack_item(data, position)
            return tag, "", length, position + 8
        vr = _LONG_VRS.get(code) or _unheard_of(code)
        (length,) = unpack_long(data, position + 8)
        return tag, vr, length, position + 12

    return read


def _unheard_of(code: bytes) -> str:
    """Take two capitals that are no VR of today for one of tomorrow: its length has 32 bits (PS3.5 6.2)."""
    if code.isalpha() and code.isupper():
        return UNKNOWN
    raise Malformed("an element has no value representation")


read_explicit_little = _explicit("<")
"""Read the header of one element of explicit VR, little endian; raise `Malformed` when it has no VR."""

_IMPLICIT_LITTLE, _EXPLICIT_LITTLE = _Form(_implicit("<"), "<"), _Form(read_explicit_little, "<")
_FORMS = {
    Coding.IMPLICIT_LITTLE: _IMPLICIT_LITTLE,
    Coding.EXPLICIT_LITTLE: _EXPLICIT_LITTLE,
    Coding.EXPLICIT_BIG: _Form(_explicit(">"), ">"),
}
