"""What can be drawn: a document for the archives must show every sign, and a figure too (ISO 19005-3 6.2.11.8)."""

from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.ft2font import FT2Font

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
"""Fonts that come with matplotlib; the one below knows most alphabets."""
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_WIDEST = "DejaVuSans.ttf"


def drawable(text: str) -> str:
    """Return a text in which whatever no font of ours can draw is shown as a sign that says so."""
    known = _known()
    return "".join(sign if sign == "\n" or (ord(sign) in known and sign.isprintable()) else UNKNOWN for sign in text)


@cache
def _known() -> frozenset[int]:
    return frozenset(FT2Font(str(FONTS / _WIDEST)).get_charmap())
