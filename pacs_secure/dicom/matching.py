"""Matches one DICOM JSON object against one key, by every matching type of PS3.4 C.2.2.2."""

import re
from collections.abc import Iterator, Mapping

from pacs_secure.core.query import MatchKey
from pacs_secure.dicom.folding import fold, words
from pacs_secure.dicom.ranges import TEMPORAL_VRS, parse_range

_WILDCARD = re.compile(r"[*?]")
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_LONGEST = 10_240
"""Characters of a text that are matched: the most of an LT (PS3.5 6.2)."""
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def matches(attributes: Mapping[str, Mapping[str, object]], key: MatchKey, *, fuzzy: bool) -> bool:
    """Say whether an object matches a key: any of its values, any of the key's.

    - No value, or nothing but "*": universal, matches even what is absent.
    - DA, TM, DT: a moment or a range, both ends included.
    - UI: equal to one of a list.
    - PN: wildcards, case and accents aside; over each component group, or group by group when the key
      names several. ``fuzzy``: each word of the key begins a word of the name, in any group; wildcards
      only part words, so that ``*x*`` asks for a word that begins with x.
    - Numbers: equal as numbers. All other text: wildcards, case counts.

    Raises:
        Malformed: the key asks for a date or time that is none.
    """
    asked = [value for value in key.values if value.strip("*")]
    if not asked:
        return True
    values = list(_values(attributes, key.tag))
    return any(_matches_any(values, key.vr, one, fuzzy=fuzzy) for one in asked)


def significant_characters(key: MatchKey) -> int:
    """Count the letters and digits of a key: what is left of it without wildcards and separators (ACC-04)."""
    return sum(character.isalnum() for value in key.values for character in value)


def _values(attributes: Mapping[str, Mapping[str, object]], tag: str) -> Iterator[object]:
    values = attributes.get(tag, {}).get("Value")
    if isinstance(values, list):
        yield from (value for value in values if value is not None)


def _matches_any(values: list[object], vr: str, asked: str, *, fuzzy: bool) -> bool:
    if vr in TEMPORAL_VRS:
        wanted = parse_range(vr, asked)
        return any(wanted.holds(str(value)) for value in values)
    if vr == "PN":
        names = [value for value in values if isinstance(value, Mapping)]
        return any(_sounds_like(name, asked) if fuzzy else _is_named(name, asked) for name in names)
    if vr == "UI":
        return asked in values
    if vr in _NUMBERS:
        return any(_equal_numbers(str(value), asked) for value in values)
    return any(_like(str(value), asked.strip()) for value in values)


def _equal_numbers(value: str, asked: str) -> bool:
    try:
        return float(value) == float(asked)
    except ValueError:
        return value == asked.strip()


def _is_named(name: Mapping[str, object], asked: str) -> bool:
    """Match a name's groups against those of the key; empty groups of the key ask nothing."""
    groups = [_trimmed(str(name.get(group, ""))) for group in _GROUPS]
    wanted = [_trimmed(group) for group in asked.split("=")]
    if len(wanted) == 1:
        return any(_like(group, wanted[0]) for group in groups if group)
    return len(wanted) <= len(groups) and all(
        _like(group, one) for group, one in zip(groups, wanted, strict=False) if one
    )


def _trimmed(group: str) -> str:
    """Return a component group folded, without the empty components that may trail it."""
    return fold(group).strip().rstrip("^ ")


def _sounds_like(name: Mapping[str, object], asked: str) -> bool:
    known = {word for group in name.values() for word in words(str(group))}
    return all(any(word.startswith(wanted) for word in known) for wanted in words(_WILDCARD.sub(" ", asked)))


def _like(text: str, pattern: str) -> bool:
    """Match wildcards: ``*`` any characters, ``?`` any one. No pattern makes this search the same text twice."""
    text = text[:_LONGEST]
    first, *pieces = pattern.split("*")
    if not _fits(text, first, 0):
        return False
    if not pieces:
        return len(text) == len(first)
    position = len(first)
    *middle, last = pieces
    for piece in middle:
        found = _find(text, piece, position)
        if found is None:
            return False
        position = found + len(piece)
    tail = len(text) - len(last)
    return tail >= position and _fits(text, last, tail)


def _find(text: str, piece: str, start: int) -> int | None:
    """Return the first place from ``start`` on where a piece without stars fits."""
    if "?" not in piece:
        found = text.find(piece, start)
        return found if found >= 0 else None
    places = range(start, len(text) - len(piece) + 1)
    return next((place for place in places if _fits(text, piece, place)), None)


def _fits(text: str, piece: str, place: int) -> bool:
    part = text[place : place + len(piece)]
    return len(part) == len(piece) and all(asked in {"?", one} for asked, one in zip(piece, part, strict=True))
