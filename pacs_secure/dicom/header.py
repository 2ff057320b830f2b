"""Reads just enough of a Data Set to vouch for its identity and find its frames, before any library parses it.

The scanner is the archive's own: every byte of structure is walked once, within limits, and nothing is
believed that the bytes behind it do not bear out (DESIGN 11).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.core.identifiers import Uid, uid
from pacs_secure.core.instance import FrameIndex
from pacs_secure.dicom.dictionary import BULK_VRS
from pacs_secure.dicom.elements import PIXEL_DATA, Element, walk
from pacs_secure.dicom.fragments import find_fragments, strip_item_headers
from pacs_secure.dicom.frames import Geometry, encapsulated_frames, native_frames
from pacs_secure.dicom.inflation import inflate
from pacs_secure.dicom.limits import STANDARD, Limits
from pacs_secure.dicom.syntaxes import Syntax, syntax_of

__all__ = ["Header", "Limits", "PixelData", "scan", "strip_item_headers"]

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_SAMPLES, _PHOTOMETRIC, _FRAMES = 0x00280002, 0x00280004, 0x00280008
_ROWS, _COLUMNS, _BITS = 0x00280010, 0x00280011, 0x00280100
_EXTENDED_OFFSETS, _FLOAT_PIXEL_DATA, _DOUBLE_PIXEL_DATA = 0x7FE00001, 0x7FE00008, 0x7FE00009
_PIXELS = (PIXEL_DATA, _FLOAT_PIXEL_DATA, _DOUBLE_PIXEL_DATA)

_WANTED = frozenset(
    {_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES, _SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS, _BITS}
    | {_EXTENDED_OFFSETS, *_PIXELS}
)
"""What is read of the Data Set itself; the same tags within sequences are somebody else's."""

_HALVED = {"YBR_FULL_422", "YBR_PARTIAL_422"}
_COUNT = re.compile(r"(?:\+?[0-9]+)?")

_LONGEST = 66
"""Bytes of a UID and its padding, and more than any number in digits."""


@dataclass(frozen=True, slots=True)
class PixelData:
    """Where the value of the pixel data lies, relative to the start of the (inflated) Data Set."""

    offset: int
    length: int
    encapsulated: bool


@dataclass(frozen=True, slots=True)
class Header:
    """What the archive relies on in a Data Set."""

    study_instance_uid: Uid
    series_instance_uid: Uid
    sop_instance_uid: Uid
    sop_class_uid: Uid
    rows: int
    """Zero, as the next four, when the Data Set does not say."""
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    number_of_frames: int
    pixel_data: PixelData | None
    frames: FrameIndex
    """Relative to the start of the Data Set as it is stored; empty when that is deflated."""
    elements: int
    """Data elements and items, nested ones too."""


def scan(data_set: bytes | bytearray | memoryview, transfer_syntax_uid: str, limits: Limits = STANDARD) -> Header:
    """Scan a Data Set as it was received, without copying or decoding any value but the few it returns.

    Raises:
        Malformed: it is not a well-formed Data Set, or its four identifying UIDs are not each there once.
        OverLimit: it is deeper, longer or more than ``limits`` allow.
    """
    syntax = syntax_of(transfer_syntax_uid)
    data = memoryview(inflate(data_set, limits) if syntax.deflated else data_set)
    found, elements = _collect(data, syntax, limits)
    geometry = _geometry(data, found)
    geometry.check(limits)
    pixels = next((found[tag] for tag in _PIXELS if tag in found), None)
    return Header(
        study_instance_uid=_identifier(data, found, _STUDY),
        series_instance_uid=_identifier(data, found, _SERIES),
        sop_instance_uid=_identifier(data, found, _SOP_INSTANCE),
        sop_class_uid=_identifier(data, found, _SOP_CLASS),
        rows=geometry.rows,
        columns=geometry.columns,
        samples_per_pixel=geometry.samples_per_pixel,
        bits_allocated=geometry.bits_allocated,
        number_of_frames=geometry.number_of_frames,
        pixel_data=pixels and PixelData(pixels.offset, pixels.length, encapsulated=pixels.undefined),
        frames=_frames(data, syntax, pixels, found.get(_EXTENDED_OFFSETS), geometry, limits),
        elements=elements,
    )


def _collect(data: memoryview, syntax: Syntax, limits: Limits) -> tuple[Mapping[int, Element], int]:
    """Walk the whole Data Set; return the wanted elements of its top level and how many there are in all."""
    found: dict[int, Element] = {}
    elements = bulk = 0
    for element in walk(data, syntax.coding, limits):
        elements += 1
        if element.vr in BULK_VRS:
            bulk += element.length
        if element.tag in _WANTED and not element.depth:
            if element.tag in found:
                raise Malformed("an element that must be unique is repeated")
            found[element.tag] = element
    if len(data) - bulk > limits.non_bulk:
        raise OverLimit("the Data Set is too long for what it holds in bulk")
    return found, elements


def _geometry(data: memoryview, found: Mapping[int, Element]) -> Geometry:
    frames = _text(data, found, _FRAMES)
    present = int(any(tag in found for tag in _PIXELS))
    return Geometry(
        rows=_unsigned(data, found, _ROWS),
        columns=_unsigned(data, found, _COLUMNS),
        samples_per_pixel=_unsigned(data, found, _SAMPLES),
        bits_allocated=_unsigned(data, found, _BITS),
        # Where there are pixels, none and not saying how many mean one.
        number_of_frames=int(frames or 0) or present if _COUNT.fullmatch(frames) else 0,
        halved=_text(data, found, _PHOTOMETRIC) in _HALVED,
    )


def _frames(
    data: memoryview,
    syntax: Syntax,
    pixels: Element | None,
    extended: Element | None,
    geometry: Geometry,
    limits: Limits,
) -> FrameIndex:
    """Find the frames, where the form of the pixel data is the one that its transfer syntax promises."""
    if pixels is None or syntax.deflated or pixels.undefined != syntax.encapsulated:
        return FrameIndex()
    if not pixels.undefined:
        return native_frames(pixels.offset, pixels.length, geometry)
    fragments = find_fragments(data, pixels.offset, pixels.offset + pixels.length, limits.fragments)
    table = extended and data[extended.offset : extended.offset + extended.length]
    return encapsulated_frames(data, fragments, geometry.number_of_frames, table)


def _text(data: memoryview, found: Mapping[int, Element], tag: int) -> str:
    """Return a short value of the top level, without its padding; "" when it is absent."""
    element = found.get(tag)
    if element is None:
        return ""
    if element.length > _LONGEST:
        raise Malformed("a short value is too long")
    value = data[element.offset : element.offset + element.length].tobytes()
    return value.decode("latin-1").strip(" \0")


def _identifier(data: memoryview, found: Mapping[int, Element], tag: int) -> Uid:
    """Return a UID that has to be there; nothing is filed without its whole identity."""
    return uid(_text(data, found, tag))


def _unsigned(data: memoryview, found: Mapping[int, Element], tag: int) -> int:
    """Return the first 16-bit number of an element; zero when there is none."""
    element = found.get(tag)
    if element is None or element.length < 2:  # noqa: PLR2004 - two bytes are one US
        return 0
    order = "big" if element.order == ">" else "little"
    return int.from_bytes(data[element.offset : element.offset + 2], order)  # type: ignore[arg-type]
