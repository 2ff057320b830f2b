"""How much of a hostile stream the grammar will follow before it gives up."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one Data Set; passing any of them is `OverLimit`, whatever the bytes behind it say."""

    depth: int = 16
    """Items within items."""
    elements: int = 200_000
    """Data elements and items of the whole Data Set, nested ones too."""
    items: int = 50_000
    """Items of one sequence."""
    non_bulk: int = 64 * MEBIBYTE
    """Bytes that are not the value of a bulk VR (OB OD OF OL OV OW UN)."""
    fragments: int = 200_000
    """Items of all encapsulated elements together, their offset tables too."""
    frames: int = 200_000
    frame_bytes: int = 2 * GIBIBYTE
    """One frame as Rows x Columns x Samples x Bits declare it, before any codec has to believe that."""
    pixel_bytes: int = 1024 * GIBIBYTE
    """All frames as declared."""
    inflated_bytes: int = 256 * MEBIBYTE
    """A deflated Data Set in memory, once it is inflated."""
    inflation_ratio: int = 100
    """Most that inflating may multiply; not asked below `unquestioned_bytes`."""
    unquestioned_bytes: int = MEBIBYTE


STANDARD = Limits()
"""The limits when nobody set others."""
