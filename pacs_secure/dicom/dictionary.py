"""The data dictionary: what the standard (PS3.6) and known vendors call an element, and its VR."""

from typing import NamedTuple

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries

UNKNOWN = "UN"
US_OR_SS = "US or SS"
"""Settled by Pixel Representation (0028,0103)."""

BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", UNKNOWN})

_AMBIGUOUS = {"OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW", "NONE": UNKNOWN}
"""What Implicit VR Little Endian makes of VRs that depend on it (PS3.5 A.1)."""


PRIVATE = 0x10000
"""The bit of a tag that says a vendor owns it: the group is odd (PS3.5 7.8)."""


class Attribute(NamedTuple):
    """One attribute of the standard's dictionary."""

    tag: str
    """Eight upper-case hexadecimal digits."""
    keyword: str
    vr: str


ATTRIBUTES = {
    tag: Attribute(f"{tag:08X}", keyword, _AMBIGUOUS.get(vr, vr))
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
}
"""Every attribute of PS3.6, by its tag as a number."""

SINGLE_VALUED = frozenset(f"{tag:08X}" for tag, (_, multiplicity, *_) in DicomDictionary.items() if multiplicity == "1")
"""Tags, in hexadecimal, of the attributes that hold one value at most."""

_VRS = {tag: attribute.vr for tag, attribute in ATTRIBUTES.items()}
_REPEATED_VRS = {
    int(mask.replace("x", "0"), 16): _AMBIGUOUS.get(entry[0], entry[0])
    for mask, entry in RepeatersDictionary.items()
    if mask[2:4] == "xx"
}
"""Repeating groups (PS3.5 7.6), curves and overlays: the even groups 50xx and 60xx share one entry each."""


def vr_of(tag: int) -> str:
    """Return the VR of a tag in the standard's dictionary; UN when it is not there or is private."""
    vr = _VRS.get(tag)
    if vr is None and not tag & PRIVATE:
        vr = _REPEATED_VRS.get(tag & 0xFF00FFFF)
    return vr or UNKNOWN


def private_vr_of(tag: int, creator: str) -> str:
    """Return the VR that a known vendor gives a private element (PS3.5 7.8), UN when that is not known."""
    known = private_dictionaries.get(creator)
    if known is None:
        return UNKNOWN
    name = f"{tag:08X}"
    masks = (name, f"{name[:4]}xx{name[6:]}", f"{name[:2]}xxxx{name[6:]}")
    return next((known[mask][0] for mask in masks if mask in known), UNKNOWN)
