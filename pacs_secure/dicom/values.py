"""Decodes values into what DICOM JSON writes for them, one decoder a VR (PS3.5 6.2, PS3.18 F.2.3)."""

import re
from array import array
from collections.abc import Callable, Mapping
from math import isfinite
from struct import Struct, calcsize

from pacs_secure.dicom.character_sets import CharacterSet

Decoder = Callable[[bytes, CharacterSet, str], list[object]]
"""From bytes, character set and byte order to values; None stands for an empty one among others.

Raises ValueError or struct.error for bytes that are no value of the VR.
"""

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_PADDING = " \0"
_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,32}(?:\.[0-9]{0,32})?|\.[0-9]{1,32})(?:[eE][+-]?[0-9]{1,4})?")
_EXACT = 1 << 53
"""Integers beyond are not exact in JavaScript and are written as strings."""


def _words(value: bytes, _: CharacterSet, __: str) -> list[object]:
    """Values of the default repertoire: codes, dates, times, UIDs."""
    return [word.strip(_PADDING) or None for word in value.decode("latin-1").split("\\")]


def _phrases(value: bytes, characters: CharacterSet, _: str) -> list[object]:
    """Text that may hold several values; spaces around each mean nothing."""
    return [phrase.strip(_PADDING) or None for phrase in characters.decode(value).split("\\")]


def _passages(value: bytes, characters: CharacterSet, _: str) -> list[object]:
    """Unlimited characters: several values, and spaces in front count."""
    return [passage.rstrip(_PADDING) or None for passage in characters.decode(value).split("\\")]


def _text(value: bytes, characters: CharacterSet, _: str) -> list[object]:
    """One text, backslashes and all."""
    return [characters.decode(value).rstrip(_PADDING) or None]


def _names(value: bytes, characters: CharacterSet, _: str) -> list[object]:
    return [_name(name) for name in characters.decode(value).split("\\")]


def _name(name: str) -> dict[str, str] | None:
    groups = (group.strip(_PADDING) for group in name.split("="))
    return {kind: group for kind, group in zip(_GROUPS, groups, strict=False) if group} or None


def _integers(value: bytes, _: CharacterSet, __: str) -> list[object]:
    return [_integer(word.strip(_PADDING)) for word in value.decode("latin-1").split("\\")]


def _integer(word: str) -> int | str | None:
    """Return a number, or the string it should have been: PS3.18 F.2.3 allows both."""
    return int(word) if _INTEGER.fullmatch(word) else word or None


def _decimals(value: bytes, _: CharacterSet, __: str) -> list[object]:
    return [_decimal(word.strip(_PADDING)) for word in value.decode("latin-1").split("\\")]


def _decimal(word: str) -> float | str | None:
    number = float(word) if _DECIMAL.fullmatch(word) else float("nan")
    return number if isfinite(number) else word or None


def _tags(value: bytes, _: CharacterSet, order: str) -> list[object]:
    return [f"{group:04X}{element:04X}" for group, element in Struct(f"{order}HH").iter_unpack(value)]


def _binary(form: str) -> Decoder:
    size = calcsize(f"<{form}")
    single = {order: Struct(order + form) for order in "<>"}

    def decode(value: bytes, _: CharacterSet, order: str) -> list[object]:
        if len(value) == size:
            return list(single[order].unpack(value))
        return list(Struct(f"{order}{len(value) // size}{form}").unpack(value))

    return decode


def _long(form: str) -> Decoder:
    binary = _binary(form)

    def decode(value: bytes, characters: CharacterSet, order: str) -> list[object]:
        return [
            number if isinstance(number, int) and abs(number) < _EXACT else str(number)
            for number in binary(value, characters, order)
        ]

    return decode


def _floats(form: str) -> Decoder:
    binary = _binary(form)

    def decode(value: bytes, characters: CharacterSet, order: str) -> list[object]:
        # JSON has no numbers for these; DICOM JSON writes "inf", "-inf" and "NaN".
        return [
            number if isinstance(number, float) and isfinite(number) else str(number).replace("nan", "NaN")
            for number in binary(value, characters, order)
        ]

    return decode


DECODERS: Mapping[str, Decoder] = {
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DT", "TM", "UI"), _words),
    **dict.fromkeys(("LO", "SH"), _phrases),
    **dict.fromkeys(("LT", "ST", "UR", "UT"), _text),
    "UC": _passages,
    "PN": _names,
    "IS": _integers,
    "DS": _decimals,
    "AT": _tags,
    "US": _binary("H"),
    "SS": _binary("h"),
    "UL": _binary("L"),
    "SL": _binary("l"),
    "UV": _long("Q"),
    "SV": _long("q"),
    "FL": _floats("f"),
    "FD": _floats("d"),
}
"""Decoders of every VR whose values stand in the JSON; all others are bulk or sequences."""

_WIDTHS = {"OW": "H", "OF": "I", "OL": "I", "OD": "Q", "OV": "Q"}


def little_endian(value: bytes, vr: str, order: str) -> bytes:
    """Return the bytes of a bulk value as DICOM JSON wants them, little endian (PS3.18 F.2.7)."""
    form = _WIDTHS.get(vr)
    if order == "<" or form is None:
        return value
    words = array(form)
    whole = len(value) - len(value) % words.itemsize
    words.frombytes(value[:whole])
    words.byteswap()
    return words.tobytes() + value[whole:]
