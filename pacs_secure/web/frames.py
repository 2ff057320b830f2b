"""Which media types pixel data may go out as, and which frames were asked for (PS3.18 8.7.3, 10.4.1.1.6)."""

import re

from pacs_secure.core.errors import Malformed, NotFound
from pacs_secure.core.identifiers import Uid
from pacs_secure.core.instance import InstanceRow
from pacs_secure.web.accept import MULTIPART, OCTETS, Offer

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
MOST_FRAMES = 10_000

_NUMBER = re.compile(r"0{0,3}[1-9][0-9]{0,8}", re.ASCII)

_NATIVE = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN})
"""Syntaxes whose native frames are the same bytes."""

_IMAGE_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.4.110": "image/jxl",
    "1.2.840.10008.1.2.4.111": "image/jxl",
    "1.2.840.10008.1.2.4.112": "image/jxl",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}


def frame_numbers(text: str) -> list[int]:
    """Read a comma list of frame numbers, 1 the first.

    Raises:
        Malformed: one is no number of 1 or more, or there are too many.
    """
    items = text.split(",")
    if len(items) > MOST_FRAMES or not all(_NUMBER.fullmatch(item) for item in items):
        raise Malformed("frames are a comma list of numbers from 1")
    return [int(item) for item in items]


def check_frames(numbers: list[int], row: InstanceRow) -> None:
    """Raise `NotFound` when the instance lacks one of the frames."""
    if max(numbers) > len(row.frames):
        raise NotFound("no such frame")


def named_syntax(stored: Uid) -> str:
    """Return the transfer syntax that the delivered frames are in."""
    return EXPLICIT_VR_LITTLE_ENDIAN if stored in _NATIVE else stored


def frame_offers(stored: Uid, frames: int) -> list[Offer]:
    """Return the forms in which so many frames of one stored syntax can go out."""
    syntaxes = _NATIVE if stored in _NATIVE else frozenset({str(stored)})
    kinds = [OCTETS, _IMAGE_TYPES[stored]] if stored in _IMAGE_TYPES else [OCTETS]
    offers = [Offer(MULTIPART, kind, syntaxes) for kind in kinds]
    if frames == 1:
        offers += [Offer(kind, "", syntaxes) for kind in kinds]
    return offers
