"""Reads a Data Set back as its readers will: by our own scanner first, then by pydicom, within what that let pass."""

import warnings
from collections.abc import Iterator
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from pacs_secure.core.errors import Malformed
from pacs_secure.dicom.header import Header, scan
from pacs_secure.dicom.inflation import inflate
from pacs_secure.dicom.limits import STANDARD, Limits
from pacs_secure.dicom.syntaxes import Coding, syntax_of

_FIRST_PIXELS = 0x7FE00000
_SEQUENCE = "SQ"


def read_back(data_set: bytes | memoryview, transfer_syntax_uid: str, limits: Limits = STANDARD) -> Header:
    """Parse a whole Data Set twice, structure and nesting; return what our own scanner finds in it.

    Pixels are found by the scanner alone, which holds their length against what the Data Set declares; no
    codec is asked. A single value that a reader cannot make sense of was stored so, and is no damage.

    Raises:
        Malformed: it is no well-formed Data Set, for the scanner or for pydicom.
        OverLimit: it is deeper, longer or more than ``limits`` allow.
    """
    header = scan(data_set, transfer_syntax_uid, limits)
    syntax = syntax_of(transfer_syntax_uid)
    content = inflate(data_set, limits) if syntax.deflated else bytes(data_set)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is merely odd was odd when it came
            found = read_dataset(
                BytesIO(content),
                is_implicit_VR=syntax.coding is Coding.IMPLICIT_LITTLE,
                is_little_endian=syntax.coding is not Coding.EXPLICIT_BIG,
                stop_when=_at_pixels,
            )
            elements = sum(1 for _ in _within(found))
    except Exception:  # noqa: BLE001 - whatever a library makes of it, its readers would not get it
        raise Malformed("the Data Set cannot be parsed") from None
    if not elements:
        raise Malformed("the Data Set cannot be parsed")
    return header


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) >= _FIRST_PIXELS


def _within(found: Dataset) -> Iterator[BaseTag]:
    """Yield every tag, nested ones too: sequences are parsed on the way, as deep as the scanner let pass."""
    for tag in found.keys():  # noqa: SIM118 - iterating a Dataset would convert every value
        yield tag
        if found.get_item(tag).VR == _SEQUENCE:
            for item in found[tag].value:
                yield from _within(item)
