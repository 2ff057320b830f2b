"""Transfer syntaxes: how the bytes of a Data Set are to be read (PS3.5 chapter 10)."""

from dataclasses import dataclass
from enum import Enum

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"


class Coding(Enum):
    """How one data element is written: with its VR or without, low byte first or last."""

    IMPLICIT_LITTLE = "implicit VR, little endian"
    EXPLICIT_LITTLE = "explicit VR, little endian"
    EXPLICIT_BIG = "explicit VR, big endian"

    @property
    def order(self) -> str:
        """Byte order as `struct` writes it."""
        return ">" if self is Coding.EXPLICIT_BIG else "<"


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a transfer syntax says of a Data Set."""

    coding: Coding = Coding.EXPLICIT_LITTLE
    encapsulated: bool = False
    """Pixel data is a sequence of fragments, each behind an item header."""
    deflated: bool = False
    """The whole Data Set is a raw deflate stream (RFC 1951)."""


_ENCAPSULATED = Syntax(encapsulated=True)
_DEFLATED = Syntax(deflated=True)
_SYNTAXES = {
    IMPLICIT_LITTLE_ENDIAN: Syntax(Coding.IMPLICIT_LITTLE),
    EXPLICIT_LITTLE_ENDIAN: Syntax(),
    EXPLICIT_BIG_ENDIAN: Syntax(Coding.EXPLICIT_BIG),
    DEFLATED_EXPLICIT_LITTLE_ENDIAN: _DEFLATED,
    # Papyrus 3, and two of vendors: GE's with pixels, and nothing else, in big endian; Philips' CT.
    "1.2.840.10008.1.20": Syntax(Coding.IMPLICIT_LITTLE),
    "1.2.840.113619.5.2": Syntax(Coding.IMPLICIT_LITTLE),
    "1.3.46.670589.33.1.4.1": Syntax(),
    # JPIP names a provider instead of pixel data.
    "1.2.840.10008.1.2.4.94": Syntax(),
    "1.2.840.10008.1.2.4.95": _DEFLATED,
    "1.2.840.10008.1.2.4.204": Syntax(),
    "1.2.840.10008.1.2.4.205": _DEFLATED,
}


def syntax_of(transfer_syntax_uid: str) -> Syntax:
    """Return how to read a transfer syntax; one that is not known is Explicit VR Little Endian, encapsulated.

    That is what PS3.5 A.4 demands of every compressed syntax, so those of tomorrow can be stored today.
    """
    return _SYNTAXES.get(transfer_syntax_uid, _ENCAPSULATED)


def is_native(transfer_syntax_uid: str) -> bool:
    """Say whether nothing of a Data Set of this transfer syntax is compressed already."""
    syntax = syntax_of(transfer_syntax_uid)
    return not (syntax.encapsulated or syntax.deflated)


def is_encapsulated(transfer_syntax_uid: str) -> bool:
    """Say whether pixel data of this transfer syntax lies in fragments."""
    return syntax_of(transfer_syntax_uid).encapsulated
