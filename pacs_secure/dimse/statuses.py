"""How each failure is said in DIMSE: the one table of this door (PS3.4 Table B.2-1, PS3.7 9.1.1.1.9)."""

from dataclasses import dataclass

from pacs_secure.core.errors import (
    ArchiveError,
    Conflict,
    Denied,
    Held,
    Hidden,
    Malformed,
    NotFound,
    OverLimit,
    Tampered,
    TooOften,
    Unauthenticated,
    Unavailable,
)


@dataclass(frozen=True, slots=True)
class Status:
    """What a response says: Status (0000,0900) and Error Comment (0000,0902), at most 64 characters."""

    code: int
    comment: str = ""


SUCCESS = Status(0x0000)
OTHER_INSTANCE = Status(0xB007, "stored under the Data Set's own SOP Instance UID")
"""A warning: it is stored. To refuse would lose the picture, for its sender would announce it so again."""
SOP_CLASS_NOT_SUPPORTED = Status(0x0122, "SOP class not negotiated on this context")
NOT_AUTHORISED = Status(0x0124, "not authorised")
UNRECOGNISED_OPERATION = Status(0x0211, "not offered on this context")
OUT_OF_RESOURCES = Status(0xA700, "out of resources, try again later")
OTHER_SOP_CLASS = Status(0xA900, "the Data Set is of another SOP class")
CANNOT_UNDERSTAND = Status(0xC000, "cannot understand")
PROCESSING_FAILURE = Status(0xC110, "processing failure")

STORE_STATUSES: dict[type[ArchiveError], Status] = {
    Unauthenticated: NOT_AUTHORISED,
    Denied: NOT_AUTHORISED,
    NotFound: NOT_AUTHORISED,
    Hidden: NOT_AUTHORISED,
    Held: NOT_AUTHORISED,
    Malformed: CANNOT_UNDERSTAND,
    # Not 0xA7xx: a modality would send what is too large, too deep or taken again for ever.
    OverLimit: Status(0xC010, "larger, deeper or more than the archive takes"),
    Conflict: Status(0xC111, "SOP Instance UID is taken by other content"),
    Tampered: PROCESSING_FAILURE,
    Unavailable: OUT_OF_RESOURCES,
    TooOften: OUT_OF_RESOURCES,
}
"""A C-STORE response for each error; Unavailable and TooOften alone ask the sender to keep it and try again."""


def store_status(error: BaseException) -> Status:
    """Return the C-STORE status of a failure, expected or not."""
    if isinstance(error, (MemoryError, RecursionError)):
        return CANNOT_UNDERSTAND
    for kind in type(error).__mro__:
        if status := STORE_STATUSES.get(kind):
            return status
    return PROCESSING_FAILURE
