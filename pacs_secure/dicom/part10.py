"""Takes a Part 10 stream apart and puts one together: preamble, File Meta Information, Data Set (PS3.10 chapter 7)."""

from dataclasses import dataclass, field
from struct import Struct

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.core.identifiers import uid
from pacs_secure.core.instance import Identity
from pacs_secure.dicom.elements import read_explicit_little
from pacs_secure.dicom.syntaxes import EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN

PREFIX = bytes(128) + b"DICM"
"""Preamble and mark. The preamble is always zeroed: a received one can be a program (CVE-2019-11687)."""

IMPLEMENTATION_CLASS_UID = "2.25.87405325978219018779993115759887302841"
IMPLEMENTATION_VERSION_NAME = "PACS_SECURE"

_MOST_FILE_META = 1 << 20
"""Bytes; what is longer hides something."""

_GROUP = b"\x02\x00"
_GROUP_LENGTH, _VERSION, _SOP_CLASS, _SOP_INSTANCE = 0x00020000, 0x00020001, 0x00020002, 0x00020003
_TRANSFER_SYNTAX, _IMPLEMENTATION_CLASS, _IMPLEMENTATION_VERSION = 0x00020010, 0x00020012, 0x00020013
_REQUIRED = {_GROUP_LENGTH, _VERSION, _SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX, _IMPLEMENTATION_CLASS}
"""Type 1 elements of PS3.10 Table 7.1-1."""

_SHORT = Struct("<HH2sH")
_LONG = Struct("<HH2s2xL")
_NUMBER = Struct("<L")


@dataclass(frozen=True, slots=True)
class Part10:
    """A Part 10 stream, taken apart."""

    file_meta: bytes = field(repr=False)
    """Everything between the mark and the Data Set, as received."""
    data_set: memoryview = field(repr=False)
    """The rest of the stream, not copied."""
    transfer_syntax_uid: str
    media_storage_sop_class_uid: str | None
    media_storage_sop_instance_uid: str | None


def split(stream: bytes | bytearray | memoryview) -> Part10:
    """Take a Part 10 stream apart; its preamble is not looked at.

    Raises:
        Malformed: there is no mark, no well-formed File Meta Information, or no Transfer Syntax UID in it
            and the Data Set does not look like any.
        OverLimit: the File Meta Information is longer than any honest one.
    """
    view = memoryview(stream)
    start = len(PREFIX)
    if view[start - 4 : start].tobytes() != b"DICM":
        raise Malformed("the stream is no Part 10 stream: it bears no mark")
    file_meta, end = _read_file_meta(view[start:])
    data_set = view[start + end :]
    return Part10(
        view[start : start + end].tobytes(),
        data_set,
        uid(_text(file_meta, _TRANSFER_SYNTAX) or guess_transfer_syntax(data_set) or ""),
        _text(file_meta, _SOP_CLASS),
        _text(file_meta, _SOP_INSTANCE),
    )


def compose_prefix(identity: Identity, transfer_syntax_uid: str, received_file_meta: bytes | None) -> bytes:
    """Return what stands before the Data Set: zeroed preamble, mark and File Meta Information.

    The File Meta Information is the received one where that is complete and speaks of this very
    instance; otherwise a new one with no more than the standard demands.
    """
    if received_file_meta is not None and _is_consistent(received_file_meta, identity, transfer_syntax_uid):
        return PREFIX + received_file_meta
    return PREFIX + _new_file_meta(identity, transfer_syntax_uid)


def guess_transfer_syntax(data: bytes | bytearray | memoryview) -> str | None:
    """Guess how a Data Set without File Meta Information is written; None when it looks like none at all.

    Only its first element is looked at, whose group is small: an archive of raw Data Sets from before
    PS3.10 holds no others than the three native transfer syntaxes.
    """
    start = memoryview(data)[:8].tobytes()
    if len(start) < 8:  # noqa: PLR2004 - no element is shorter
        return None
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    little, big = start[0] and not start[1], start[1] and not start[0]
    if explicit and (little or big):
        return EXPLICIT_LITTLE_ENDIAN if little else EXPLICIT_BIG_ENDIAN
    return IMPLICIT_LITTLE_ENDIAN if little else None


def _read_file_meta(view: memoryview) -> tuple[dict[int, bytes], int]:
    """Return the elements of group 0002 in the order they stand, and where they end."""
    view = view[:_MOST_FILE_META]
    elements: dict[int, bytes] = {}
    position = 0
    while view[position : position + 2] == _GROUP:
        if len(view) - position < _LONG.size:
            raise Malformed("the File Meta Information is cut short")
        tag, _, length, offset = read_explicit_little(view, position)
        position = offset + length
        if tag in elements:
            raise Malformed("the File Meta Information says something twice")
        if position > len(view):
            raise _too_long(view)
        elements[tag] = view[offset:position].tobytes()
    return elements, position


def _too_long(view: memoryview) -> Malformed | OverLimit:
    if len(view) == _MOST_FILE_META:
        return OverLimit("the File Meta Information is too long")
    return Malformed("the File Meta Information is cut short")


def _is_consistent(file_meta: bytes, identity: Identity, transfer_syntax_uid: str) -> bool:
    try:
        elements, end = _read_file_meta(memoryview(file_meta))
    except (Malformed, OverLimit):
        return False
    group_length = elements.get(_GROUP_LENGTH, b"")
    return (
        end == len(file_meta)
        and elements.keys() >= _REQUIRED
        and list(elements) == sorted(elements)
        and group_length == _NUMBER.pack(end - _SHORT.size - _NUMBER.size)
        and elements[_VERSION] == b"\0\1"
        and _text(elements, _SOP_CLASS) == identity.sop_class_uid
        and _text(elements, _SOP_INSTANCE) == identity.sop_instance_uid
        and _text(elements, _TRANSFER_SYNTAX) == uid(transfer_syntax_uid)
    )


def _new_file_meta(identity: Identity, transfer_syntax_uid: str) -> bytes:
    body = b"".join(
        (
            _LONG.pack(2, _VERSION & 0xFFFF, b"OB", 2) + b"\0\1",
            _element(_SOP_CLASS, b"UI", identity.sop_class_uid),
            _element(_SOP_INSTANCE, b"UI", identity.sop_instance_uid),
            _element(_TRANSFER_SYNTAX, b"UI", uid(transfer_syntax_uid)),
            _element(_IMPLEMENTATION_CLASS, b"UI", IMPLEMENTATION_CLASS_UID),
            _element(_IMPLEMENTATION_VERSION, b"SH", IMPLEMENTATION_VERSION_NAME),
        )
    )
    return _SHORT.pack(2, _GROUP_LENGTH & 0xFFFF, b"UL", _NUMBER.size) + _NUMBER.pack(len(body)) + body


def _element(tag: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) & 1)
    return _SHORT.pack(2, tag & 0xFFFF, vr, len(value)) + value


def _text(elements: dict[int, bytes], tag: int) -> str | None:
    value = elements.get(tag)
    return None if value is None else value.decode("latin-1").rstrip("\0 ")
