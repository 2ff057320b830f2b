"""Identifiers: DICOM UIDs as received, and the archive's own random ones."""

import re
from datetime import UTC, datetime, timedelta
from typing import NewType
from uuid import UUID

from pacs_secure.core.errors import Malformed

Uid = NewType("Uid", str)
"""A DICOM unique identifier that has passed `uid` (PS3.5 chapter 9)."""

ObjectId = NewType("ObjectId", UUID)
"""Names one sealed object: a UUIDv7, new for every write, also its name in the store."""

KeyId = NewType("KeyId", UUID)
"""Names one forgettable key on the shelf: a random UUIDv4, so that it tells nothing."""

Institution = NewType("Institution", str)
"""A tenant (Mandant): institutions are strictly apart."""

_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTITUTION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


def uid(text: str) -> Uid:
    """Accept ``text`` as a UID, stripped of the padding PS3.5 6.2 allows.

    The component grammar is not enforced beyond digits and dots: archives of the last twenty
    years hold UIDs with leading zeros, and refusing them would lose pictures.

    Raises:
        Malformed: it is empty, longer than 64 or holds anything but digits and dots.
    """
    stripped = text.rstrip("\0 ")
    if not _UID.fullmatch(stripped):
        raise Malformed("a UID must be 1 to 64 digits and dots")
    return Uid(stripped)


def institution(text: str) -> Institution:
    """Accept ``text`` as the name of an institution (lower case, digits, hyphens; 63 at most)."""
    if not _INSTITUTION.fullmatch(text):
        raise Malformed("an institution is named by lower-case letters, digits and hyphens")
    return Institution(text)


def object_id(milliseconds: int, entropy: bytes) -> ObjectId:
    """Make a UUIDv7 (RFC 9562 5.7) from a Unix time in milliseconds and ten random bytes."""
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(entropy[:10], "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return ObjectId(UUID(int=value))


def made_at(object_id: ObjectId) -> datetime:
    """Return when an object was named, to the millisecond (UUIDv7, RFC 9562 5.7)."""
    return _EPOCH + timedelta(milliseconds=object_id.int >> 80)
