"""Folds text for comparison: names are found whatever their case, accents and width (PS3.4 C.2.2.2.1.1)."""

import re
import unicodedata

_SEPARATORS = re.compile(r"[\^=\-\\\s\0]+")


def fold(text: str) -> str:
    """Return text without case, accents and compatibility forms."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(character for character in folded if not unicodedata.category(character).startswith("M"))


def words(text: str) -> list[str]:
    """Return the folded words of a name: its parts between carets, hyphens and spaces."""
    return [word for word in _SEPARATORS.split(fold(text)) if word]
