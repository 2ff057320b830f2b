"""Which presentation contexts are accepted: every storage class, in the syntax its sender put first."""

from collections.abc import Sequence

from pydicom.uid import UID
from pynetdicom import ALL_TRANSFER_SYNTAXES
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import ServiceClass, StorageServiceClass
from pynetdicom.sop_class import Verification, uid_to_service_class  # type: ignore[attr-defined]  # made at run time

DEFLATED = frozenset(
    {
        "1.2.840.10008.1.2.1.99",  # Deflated Explicit VR Little Endian
        "1.2.840.10008.1.2.4.95",  # JPIP Referenced Deflate
        "1.2.840.10008.1.2.4.205",  # JPIP HTJ2K Referenced Deflate
    }
)
"""A megabyte of these can inflate to gigabytes: not negotiated (DESIGN 11)."""

TRANSFER_SYNTAXES = frozenset(map(str, ALL_TRANSFER_SYNTAXES)) - DEFLATED

_DICOM_ROOT = "1.2.840.10008."
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."


def is_storage(abstract_syntax: str) -> bool:
    """Say whether a SOP class is one that is stored.

    Private classes count, and so do those of the standard's storage arc that the library does not
    know (retired, or newer than it); classes it knows as another service do not.
    """
    service = uid_to_service_class(abstract_syntax)
    if service is StorageServiceClass:
        return True
    unknown = service is ServiceClass
    return unknown and (abstract_syntax.startswith(_STORAGE_ROOT) or not abstract_syntax.startswith(_DICOM_ROOT))


def supported(proposed: Sequence[PresentationContext]) -> list[PresentationContext]:
    """Return what is supported of a proposal, each class with its transfer syntaxes in the sender's order.

    The library's negotiation takes the acceptor's first match (PS3.8 9.3.3.2), so that this order
    lets a sender's own preference win and nothing is transcoded on our account.
    """
    syntaxes: dict[str, dict[str, None]] = {}
    for context in proposed:
        abstract_syntax = str(context.abstract_syntax)
        if abstract_syntax == Verification or is_storage(abstract_syntax):
            chosen = syntaxes.setdefault(abstract_syntax, {})
            chosen.update((str(uid), None) for uid in context.transfer_syntax if uid in TRANSFER_SYNTAXES)
    return [build_context(UID(name), list(chosen)) for name, chosen in syntaxes.items() if chosen]
