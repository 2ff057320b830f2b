"""Writes a Data Set as DICOM JSON (PS3.18 Annex F): every attribute that can be read, and no bulk data.

Nothing here fails for a bad value: an attribute that breaks the standard keeps its place and loses its
value, and the picture it came with is kept.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from struct import error as StructError  # noqa: N812 - an exception, whatever its case

from pacs_secure.core.errors import ArchiveError
from pacs_secure.dicom.character_sets import CharacterSet, character_set
from pacs_secure.dicom.dictionary import BULK_VRS, PRIVATE, UNKNOWN, US_OR_SS, private_vr_of, vr_of
from pacs_secure.dicom.elements import ITEM, PIXEL_DATA, SEQUENCE, Element, walk
from pacs_secure.dicom.limits import STANDARD, Limits
from pacs_secure.dicom.syntaxes import Coding
from pacs_secure.dicom.values import DECODERS, little_endian

Attribute = dict[str, object]
"""{"vr": …} with "Value", "InlineBinary", "BulkDataURI" or, when it is empty, none of them."""
Attributes = dict[str, Attribute]
"""One DICOM JSON object: attributes by tag, eight upper-case hexadecimal digits."""

LONGEST_INLINE = 1024
"""Bytes of a bulk value that still stand in the JSON itself."""
_LONGEST = dict.fromkeys(BULK_VRS, LONGEST_INLINE)
LONGEST_VALUE = 1 << 20
"""Bytes of any other value; a longer one is bulk data too (PS3.18 F.2.6)."""
MOST_INLINE = 4 << 20
"""Bytes of all values in the JSON together; once they are spent, what is longer than a code is bulk data."""
SHORT = 64
"""Bytes that a value of any VR may take in the JSON even then."""
BULK_DATA = "bulkdata/"
"""What a BulkDataURI begins with, relative to the instance: tags and item numbers of the way there follow."""

UTF_8 = "ISO_IR 192"
"""Specific Character Set of all JSON."""

_ESCAPE_COST = 32
"""Bytes that one escape between character sets counts for: each is decoded by itself."""
_DEFAULT_CHARACTERS = CharacterSet()

_CHARACTER_SET, _PIXEL_REPRESENTATION = 0x00080005, 0x00280103
_PIXELS = {PIXEL_DATA, 0x7FE00008, 0x7FE00009}
_FIRST, _PADDING = 0x00080000, 0xFFFC0000
"""What lies before the first is of commands, files and directories; what begins with the second is filler."""
_FIRST_BLOCK, _LAST_BLOCK = 0x10, 0xFF


@dataclass(slots=True)
class _Purse:
    """How many bytes of values the JSON may still take in."""

    left: int = MOST_INLINE

    def pays_for(self, value: bytes) -> bool:
        """Say whether a value may stand in the JSON, and take what it costs off if so."""
        cost = len(value) + _ESCAPE_COST * value.count(b"\x1b")
        if SHORT < cost > self.left:
            return False
        self.left -= cost
        return True


@dataclass(slots=True)
class _Item:
    """A data set or item while it is written, with what its values need to be understood."""

    data: memoryview
    purse: _Purse
    path: str = BULK_DATA
    character_set: CharacterSet = _DEFAULT_CHARACTERS
    signed: bool = False
    """Whether pixels are (0028,0103): settles US or SS."""
    attributes: Attributes = field(default_factory=dict)
    creators: dict[int, str] | None = None
    """Private creators by their own tags (PS3.5 7.8.1)."""

    def take(self, element: Element) -> "_Sequence | None":
        """Take one element in and return the sequence that it begins, if it does.

        Group lengths, padding and what is no attribute of an instance are left out, items and all.
        """
        tag, vr, offset, length, _, order, _ = element
        if not _FIRST <= tag < _PADDING or not tag & 0xFFFF:
            return _Sequence({}, "") if vr == SEQUENCE else None
        if vr == UNKNOWN:
            vr, order = self._recall(tag), "<"
        if vr == US_OR_SS:
            vr = "SS" if self.signed else "US"
        name = f"{tag:08X}"
        attribute: Attribute = {"vr": vr}
        self.attributes[name] = attribute
        if vr == SEQUENCE:
            return _Sequence(attribute, self.path + name)
        if length:
            longest = _LONGEST.get(vr, LONGEST_VALUE)
            value = b"" if tag in _PIXELS or length > longest else self.data[offset : offset + length].tobytes()
            if value and self.purse.pays_for(value):
                self._write(tag, vr, attribute, value, order)
            else:
                attribute["BulkDataURI"] = self.path + name
        return None

    def _write(self, tag: int, vr: str, attribute: Attribute, value: bytes, order: str) -> None:
        decode = DECODERS.get(vr)
        if decode is None:
            attribute["InlineBinary"] = b64encode(little_endian(value, vr, order)).decode()
            return
        try:
            values = decode(value, self.character_set, order)
        except (ValueError, StructError):
            return
        if values.count(None) == len(values):
            return
        attribute["Value"] = values
        if tag == _CHARACTER_SET:
            self.character_set = character_set([str(term or "") for term in values])
            attribute["Value"] = [UTF_8]
        elif tag == _PIXEL_REPRESENTATION:
            self.signed = values[0] == 1
        elif tag & PRIVATE and _FIRST_BLOCK <= tag & 0xFFFF <= _LAST_BLOCK:
            self.creators = (self.creators or {}) | {tag: str(values[0])}

    def _recall(self, tag: int) -> str:
        """Return the VR that a dictionary gives to what was written without one."""
        vr = vr_of(tag)
        if tag & PRIVATE:
            if _FIRST_BLOCK <= tag & 0xFFFF <= _LAST_BLOCK:
                return "LO"
            creator = self.creators and self.creators.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
            vr = private_vr_of(tag, creator) if creator else UNKNOWN
        # Within UN of defined length items are not looked for: the walk has passed over it.
        return vr if vr in DECODERS or vr in BULK_VRS or vr == US_OR_SS else UNKNOWN


@dataclass(slots=True)
class _Sequence:
    """A sequence while its items are written."""

    attribute: Attribute
    path: str
    items: list[Attributes] = field(default_factory=list)

    def next_item(self, parent: _Item) -> _Item:
        """Begin the next item; it inherits what its parent's values are understood by."""
        path = f"{self.path}/{len(self.items) + 1}/"
        item = _Item(parent.data, parent.purse, path, parent.character_set, parent.signed)
        self.items.append(item.attributes)
        self.attribute["Value"] = self.items
        return item


def to_json(data: memoryview, coding: Coding, limits: Limits = STANDARD) -> Attributes:
    """Write a Data Set as one DICOM JSON object of plain Python values, in UTF-8's character set.

    Bulk data is left where it is: values of bulk VRs longer than 1 KiB, pixel data of any length, any
    value longer than 1 MiB and, behind the first 4 MiB, whatever is longer than 64 bytes become a relative
    BulkDataURI. A Data Set that breaks off is written as far as it goes.
    """
    items = [_Item(data, _Purse())]
    sequences: list[_Sequence] = []
    try:
        for element in walk(data, coding, limits):
            depth = element.depth
            if element.tag == ITEM:
                items[depth:] = [sequences[depth - 1].next_item(items[depth - 1])]
            elif sequence := items[depth].take(element):
                sequences[depth:] = [sequence]
    except ArchiveError:
        pass  # the scanner decides what is refused; here every attribute before the flaw counts
    return items[0].attributes
