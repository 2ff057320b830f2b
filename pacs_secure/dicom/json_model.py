"""Writes a Data Set as DICOM JSON (PS3.18 Annex F): every attribute that can be read, and no bulk data.

Nothing here fails for a bad value: an attribute that breaks the standard keeps its place and loses its
value, and the picture it came with is kept.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from struct import error as StructError  # noqa: N812 - an exception, whatever its case

from pacs_secure.core.errors import ArchiveError
from pacs_secure.dicom.character_sets import CharacterSet, character_set
from pacs_secure.dicom.dictionary import BULK_VRS, UNKNOWN, US_OR_SS, is_private, private_vr_of, vr_of
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
LONGEST_VALUE = 1 << 20
"""Bytes of any other value; a longer one is bulk data too (PS3.18 F.2.6)."""
BULK_DATA = "bulkdata/"
"""What a BulkDataURI begins with, relative to the instance: tags and item numbers of the way there follow."""

UTF_8 = "ISO_IR 192"
"""Specific Character Set of all JSON."""

_CHARACTER_SET, _PIXEL_REPRESENTATION = 0x00080005, 0x00280103
_PIXELS = {PIXEL_DATA, 0x7FE00008, 0x7FE00009}
_FIRST_GROUP, _PADDING_GROUP = 0x0008, 0xFFFC
_FIRST_BLOCK, _LAST_BLOCK = 0x10, 0xFF


@dataclass(slots=True)
class _Item:
    """A data set or item while it is written, with what its values need to be understood."""

    attributes: Attributes = field(default_factory=dict)
    path: str = BULK_DATA
    character_set: CharacterSet = field(default_factory=CharacterSet)
    signed: bool = False
    """Whether pixels are (0028,0103): settles US or SS."""
    creators: dict[int, str] = field(default_factory=dict)
    """Private creators by their own tags (PS3.5 7.8.1)."""
    sequence: Attribute = field(default_factory=dict)
    """The sequence last begun here: the items that follow one level deeper are its."""
    items: list[Attributes] = field(default_factory=list)
    items_path: str = ""

    def begin_item(self) -> "_Item":
        """Begin the next item of the sequence last begun here."""
        item = _Item({}, f"{self.items_path}/{len(self.items) + 1}/", self.character_set, self.signed)
        self.items.append(item.attributes)
        self.sequence["Value"] = self.items
        return item

    def take(self, data: memoryview, element: Element) -> None:
        """Take one element in; group lengths, padding and what is no attribute of an instance are left out."""
        tag = element.tag
        if not tag & 0xFFFF or not _FIRST_GROUP <= tag >> 16 < _PADDING_GROUP:
            return
        vr = self._settle(element)
        attribute = self.attributes[f"{tag:08X}"] = {"vr": vr}
        if vr == SEQUENCE:
            self.sequence, self.items, self.items_path = attribute, [], f"{self.path}{tag:08X}"
        elif element.length:
            self._fill(attribute, data, element)

    def _fill(self, attribute: Attribute, data: memoryview, element: Element) -> None:
        tag, vr = element.tag, str(attribute["vr"])
        bulk = vr in BULK_VRS
        if tag in _PIXELS or element.length > (LONGEST_INLINE if bulk else LONGEST_VALUE):
            attribute["BulkDataURI"] = f"{self.path}{tag:08X}"
            return
        value = data[element.offset : element.offset + element.length].tobytes()
        order = "<" if element.vr == UNKNOWN else element.order
        if bulk:
            attribute["InlineBinary"] = b64encode(little_endian(value, vr, order)).decode()
            return
        try:
            values = DECODERS[vr](value, self.character_set, order)
        except (ValueError, StructError):
            return
        if any(one is not None for one in values):
            attribute["Value"] = values
            self._learn(tag, attribute, values)

    def _learn(self, tag: int, attribute: Attribute, values: list[object]) -> None:
        """Remember what other values of this item depend on."""
        if tag == _CHARACTER_SET:
            self.character_set = character_set([str(term or "") for term in values])
            attribute["Value"] = [UTF_8]
        elif tag == _PIXEL_REPRESENTATION:
            self.signed = values[0] == 1
        elif is_private(tag) and _FIRST_BLOCK <= tag & 0xFFFF <= _LAST_BLOCK:
            self.creators[tag] = str(values[0])

    def _settle(self, element: Element) -> str:
        """Settle on one VR where what is written or looked up leaves a choice."""
        vr = element.vr
        if vr == UNKNOWN:
            vr = self._recall(element.tag)
        if vr == US_OR_SS:
            vr = "SS" if self.signed else "US"
        return vr

    def _recall(self, tag: int) -> str:
        """Return the VR that a dictionary gives to what was written without one."""
        vr = vr_of(tag)
        if is_private(tag):
            if _FIRST_BLOCK <= tag & 0xFFFF <= _LAST_BLOCK:
                return "LO"
            creator = self.creators.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
            vr = private_vr_of(tag, creator) if creator else UNKNOWN
        # Within UN of defined length items are not looked for: the walk has passed over it.
        return vr if vr in DECODERS or vr in BULK_VRS or vr == US_OR_SS else UNKNOWN


def to_json(data: memoryview, coding: Coding, limits: Limits = STANDARD) -> Attributes:
    """Write a Data Set as one DICOM JSON object of plain Python values, in UTF-8's character set.

    Bulk data is left where it is: values of bulk VRs longer than 1 KiB, pixel data of any length and any
    value longer than 1 MiB become a relative BulkDataURI. A Data Set that breaks off is written as far as
    it goes.
    """
    items = [_Item()]
    try:
        for element in walk(data, coding, limits):
            if element.tag == ITEM:
                items[element.depth :] = [items[element.depth - 1].begin_item()]
            else:
                items[element.depth].take(data, element)
    except ArchiveError:
        pass  # the scanner decides what is refused; here every attribute before the flaw counts
    return items[0].attributes
