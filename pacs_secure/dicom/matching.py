"""Matches one DICOM JSON object against one key, by every matching type of PS3.4 C.2.2.2."""

import re
from collections.abc import Mapping
from functools import lru_cache

from pacs_secure.core.errors import Malformed
from pacs_secure.core.query import MatchKey
from pacs_secure.dicom.dictionary import SINGLE_VALUED
from pacs_secure.dicom.folding import fold, words
from pacs_secure.dicom.ranges import TEMPORAL_VRS, parse_range

_WILDCARD = re.compile(r"[*?]")
_WILDCARDS_AND_TEXT = re.compile(r"([*?])")
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_LONGEST = 10_240
"""Characters of a text that wildcards are matched against: the most of an LT (PS3.5 6.2)."""
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_PADDING = " \0"


def matches(attributes: Mapping[str, Mapping[str, object]], key: MatchKey, *, fuzzy: bool) -> bool:
    """Say whether an object matches a key: any of its values, any of the key's.

    - No value, or nothing but "*": universal, matches even what is absent.
    - DA, TM, DT: a moment or a range, both ends included.
    - UI: equal to one of a list.
    - PN: wildcards, case and accents aside; over each component group, or group by group when the key
      names several. ``fuzzy``: each word of the key begins a word of the name, in any group; wildcards
      only part words, so that ``*x*`` asks for a word that begins with x.
    - Numbers: equal as numbers. All other text: wildcards, case counts.

    A backslash in an attribute that holds one value only is part of that value.

    Raises:
        Malformed: the key asks for a date or time that is none, or for something of a sequence.
    """
    asked = [value for value in key.values if value.strip("*")]
    if not asked:
        return True
    if key.vr == "SQ":
        raise Malformed("sequences are not searched")
    values = _values(attributes, key)
    return any(_matches_any(values, key.vr, one, fuzzy=fuzzy) for one in asked)


def significant_characters(key: MatchKey) -> int:
    """Count the letters and digits of a key: what is left of it without wildcards and separators (ACC-04)."""
    return sum(character.isalnum() for value in key.values for character in value)


def _values(attributes: Mapping[str, Mapping[str, object]], key: MatchKey) -> list[object]:
    values = attributes.get(key.tag, {}).get("Value")
    if not isinstance(values, list):
        return []
    if len(values) > 1 and key.tag in SINGLE_VALUED and key.vr != "PN":
        return ["\\".join("" if value is None else str(value) for value in values)]
    return [value for value in values if value is not None]


def _matches_any(values: list[object], vr: str, asked: str, *, fuzzy: bool) -> bool:
    if vr in TEMPORAL_VRS:
        wanted = parse_range(vr, asked)
        return any(wanted.holds(str(value)) for value in values)
    if vr == "PN":
        names = [value for value in values if isinstance(value, Mapping)]
        return any(_sounds_like(name, asked) if fuzzy else _is_named(name, asked) for name in names)
    asked = asked.strip(_PADDING)
    if vr == "UI":
        return asked in values
    if vr in _NUMBERS:
        return any(_equal_numbers(str(value), asked) for value in values)
    if not _WILDCARD.search(asked):
        return asked in map(str, values)
    pattern = _pattern(asked)
    return any(_fits(pattern, str(value)) for value in values)


def _equal_numbers(value: str, asked: str) -> bool:
    try:
        return float(value) == float(asked)
    except ValueError:
        return value == asked


def _is_named(name: Mapping[str, object], asked: str) -> bool:
    """Match a name's groups against those of the key; empty groups of the key ask nothing."""
    groups = [fold(str(name.get(group, ""))).strip().rstrip("^ ") for group in _GROUPS]
    wanted = asked.split("=")
    if len(wanted) == 1:
        pattern = _name_pattern(asked)
        return any(_fits(pattern, group) for group in groups if group)
    return len(wanted) <= len(groups) and all(
        _fits(_name_pattern(one), group) for group, one in zip(groups, wanted, strict=False) if one.strip("^ ")
    )


def _sounds_like(name: Mapping[str, object], asked: str) -> bool:
    known = {word for group in name.values() for word in words(str(group))}
    return all(any(word.startswith(wanted) for word in known) for wanted in words(_WILDCARD.sub(" ", asked)))


def _fits(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.fullmatch(text[:_LONGEST]) is not None


@lru_cache(maxsize=64)
def _name_pattern(group: str) -> re.Pattern[str]:
    """Fold a component group of a key, but for its wildcards, and take off what trails a short name."""
    parts = _WILDCARDS_AND_TEXT.split(group)
    parts[::2] = map(fold, parts[::2])
    parts[0] = parts[0].lstrip()
    parts[-1] = parts[-1].rstrip().rstrip("^ ")
    return _compile(tuple(parts))


@lru_cache(maxsize=64)
def _pattern(asked: str) -> re.Pattern[str]:
    return _compile(tuple(_WILDCARDS_AND_TEXT.split(asked)))


def _compile(parts: tuple[str, ...]) -> re.Pattern[str]:
    """Compile text and wildcards in turn: ``*`` any characters, ``?`` any one.

    What stands between two stars is found where it first fits and never sought again: a key of many
    stars costs no more than one of few.
    """
    pieces = [""]
    for number, part in enumerate(parts):
        if part == "*" and number % 2:
            pieces.append("")
        else:
            pieces[-1] += "." if number % 2 else re.escape(part)
    first, *middle = pieces
    last = ".*" + middle.pop() if middle else ""
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in middle) + last, re.DOTALL)
