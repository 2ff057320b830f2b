"""Character sets of text values: what Specific Character Set declares, and the escapes within (PS3.5 6.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_ESCAPE = b"\x1b"
_DEFAULT = "latin-1"
"""ISO-IR 6 is ASCII; bytes beyond it that nobody declared are most often Latin-1."""

_CODECS = {
    "ISO IR 6": _DEFAULT,
    "ISO IR 13": "shift_jis",
    "ISO IR 58": "gb2312",
    "ISO IR 87": "iso2022_jp",
    "ISO IR 100": "latin-1",
    "ISO IR 101": "iso8859_2",
    "ISO IR 109": "iso8859_3",
    "ISO IR 110": "iso8859_4",
    "ISO IR 126": "iso8859_7",
    "ISO IR 127": "iso8859_6",
    "ISO IR 138": "iso8859_8",
    "ISO IR 144": "iso8859_5",
    "ISO IR 148": "iso8859_9",
    "ISO IR 149": "euc_kr",
    "ISO IR 159": "iso2022_jp_2",
    "ISO IR 166": "iso8859_11",
    "ISO IR 203": "iso8859_15",
    "ISO IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
"""Defined terms of PS3.3 C.12.1.1.2, spelled alike, and the codecs that read them."""

_STAND_ALONE = {"utf-8", "gb18030", "gbk"}
"""Codecs that know no escapes, and whose second bytes may look like delimiters."""

_DESIGNATED = {
    b"(B": "",
    b"(J": "shift_jis",
    b")I": "shift_jis",
    b"-A": "latin-1",
    b"-B": "iso8859_2",
    b"-C": "iso8859_3",
    b"-D": "iso8859_4",
    b"-F": "iso8859_7",
    b"-G": "iso8859_6",
    b"-H": "iso8859_8",
    b"-L": "iso8859_5",
    b"-M": "iso8859_9",
    b"-T": "iso8859_11",
    b"-b": "iso8859_15",
    b"$)A": "gb2312",
    b"$)C": "euc_kr",
}
"""What follows ESC to designate a set (PS3.3 Tables C.12-3 and C.12-4); (B returns to the first one declared."""

_SHIFTED = {b"$B": "iso2022_jp", b"$@": "iso2022_jp", b"$(D": "iso2022_jp_2"}
"""Two-byte sets in G0: their codecs want to see the escape themselves."""

_SPELLING = re.compile(r"[ _-]+")


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """The character set that a data set declares."""

    codec: str = _DEFAULT

    def decode(self, value: bytes) -> str:
        """Decode a whole value, delimiters included; what cannot be read becomes U+FFFD."""
        escaped = _ESCAPE in value and self.codec not in _STAND_ALONE
        if not escaped:
            return value.decode("ascii" if value.isascii() else self.codec, "replace")
        first, *pieces = value.split(_ESCAPE)
        return first.decode(self.codec, "replace") + "".join(map(self._piece, pieces))

    def _piece(self, piece: bytes) -> str:
        for designator, codec in _DESIGNATED.items():
            if piece.startswith(designator):
                return piece[len(designator) :].decode(codec or self.codec, "replace")
        for designator, codec in _SHIFTED.items():
            if piece.startswith(designator):
                return (_ESCAPE + piece).decode(codec, "replace")
        return piece.decode(self.codec, "replace")


@lru_cache(maxsize=64)
def _named(term: str) -> CharacterSet:
    spelled = _SPELLING.sub(" ", term.strip().upper()).replace("ISO 2022 ", "ISO ").removeprefix("ISO GB")
    return CharacterSet(_CODECS.get(spelled, _CODECS.get(f"GB{spelled}", _DEFAULT)))


def character_set(terms: Sequence[str]) -> CharacterSet:
    """Return the character set of the values of Specific Character Set (0008,0005).

    Only the first has to be known: further ones are announced by their own escapes.
    """
    return _named(terms[0]) if terms else CharacterSet()
