"""Which presentation contexts are accepted: every storage class, in the syntax its sender put first."""

from collections.abc import Iterator, Sequence

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID
from pynetdicom import ALL_TRANSFER_SYNTAXES
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import ServiceClass, StorageServiceClass
from pynetdicom.sop_class import Verification, uid_to_service_class  # type: ignore[attr-defined]  # made at run time

from pacs_secure.core.errors import Malformed

DEFLATED = frozenset(
    {
        "1.2.840.10008.1.2.1.99",  # Deflated Explicit VR Little Endian
        "1.2.840.10008.1.2.4.95",  # JPIP Referenced Deflate
        "1.2.840.10008.1.2.4.205",  # JPIP HTJ2K Referenced Deflate
    }
)
"""A megabyte of these can inflate to gigabytes: not negotiated (DESIGN 11)."""

_NO_DATA_SET = frozenset({"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2"})
"""MIME encapsulation and XML: retired, and no encoding of a Data Set."""
_VENDORS = frozenset({"1.2.840.113619.5.2", "1.3.46.670589.33.1.4.1"})
"""GE's with pixels in big endian, Philips' CT: what `dicom.syntaxes` reads besides the standard's."""

TRANSFER_SYNTAXES = (
    frozenset(name for name, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax")
    .union(map(str, ALL_TRANSFER_SYNTAXES), _VENDORS)
    .difference(DEFLATED, _NO_DATA_SET)
)
"""Every transfer syntax of the standard, retired ones too: an archive of twenty years sends them."""

_DICOM_ROOT = "1.2.840.10008."
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_RETIRED_STORAGE = frozenset(
    name
    for name, entry in UID_dictionary.items()
    if entry[1] == "SOP Class" and entry[0].removesuffix(" - Trial").endswith("Storage")
) - {"1.2.840.10008.1.3.10"}
"""By the dictionary's names; Media Storage Directory Storage is a DICOMDIR and not for the network."""


_FIXED = 74
"""Bytes of an A-ASSOCIATE-RQ before its variable items (PS3.8 Table 9-11)."""
_WITH_SUB_ITEMS = {0x20: 4, 0x50: 0}
"""Presentation context and user information: bytes before their first sub-item."""
_MOST_ITEMS = 160
"""128 presentation contexts, the application context and the user information, generously."""
_MOST_SUB_ITEMS = 8192


def check_proposal(encoded: bytes | bytearray) -> None:
    """Count what an A-ASSOCIATE-RQ PDU proposes before the library spends seconds on it.

    Raises:
        Malformed: it proposes more than 128 contexts and their syntaxes can be.
    """
    sub_items = 0
    for items, (kind, start, end) in enumerate(_items(encoded, _FIXED, len(encoded)), 1):
        if kind in _WITH_SUB_ITEMS:
            sub_items += sum(1 for _ in _items(encoded, start + _WITH_SUB_ITEMS[kind], end))
        if items > _MOST_ITEMS or sub_items > _MOST_SUB_ITEMS:
            raise Malformed("an association request proposes too much")


def _items(encoded: bytes | bytearray, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield type, first byte and end of each item (PS3.8 9.3.2)."""
    while place + 4 <= end:
        after = place + 4 + int.from_bytes(encoded[place + 2 : place + 4], "big")
        yield encoded[place], place + 4, min(after, end)
        place = after


def is_storage(abstract_syntax: str) -> bool:
    """Say whether a SOP class is one that is stored.

    Private classes count, and so do those of the standard that the library does not know (retired,
    or newer than it); classes it knows as another service do not: objects of no patient among them.
    """
    known = UID_dictionary.get(abstract_syntax)
    service = uid_to_service_class(abstract_syntax)
    if service is StorageServiceClass:
        return known is None or known[1] == "SOP Class"
    if service is not ServiceClass:
        return False
    if known:
        return abstract_syntax in _RETIRED_STORAGE
    return abstract_syntax.startswith(_STORAGE_ROOT) or not abstract_syntax.startswith(_DICOM_ROOT)


def is_verification(abstract_syntax: str) -> bool:
    """Say whether a SOP class is Verification, on which C-ECHO is served (PS3.4 A.4)."""
    return bool(abstract_syntax == Verification)


def supported(proposed: Sequence[PresentationContext]) -> list[PresentationContext]:
    """Return what is supported of a proposal, each class with its transfer syntaxes in the sender's order.

    The library's negotiation takes the acceptor's first match (PS3.8 9.3.3.2), so that this order
    lets a sender's own preference win and nothing is transcoded on our account.
    """
    syntaxes: dict[str, dict[str, None]] = {}
    for context in proposed:
        abstract_syntax = str(context.abstract_syntax)
        if is_verification(abstract_syntax) or is_storage(abstract_syntax):
            chosen = syntaxes.setdefault(abstract_syntax, {})
            chosen.update((str(uid), None) for uid in context.transfer_syntax if uid in TRANSFER_SYNTAXES)
    return [build_context(UID(name), list(chosen)) for name, chosen in syntaxes.items() if chosen]
