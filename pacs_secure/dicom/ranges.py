"""Dates, times and the ranges of them that a query may ask for (PS3.4 C.2.2.2.5)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from pacs_secure.core.errors import Malformed

TEMPORAL_VRS = frozenset({"DA", "DT", "TM"})

_MOMENTS = {
    "DA": r"[0-9]{4}(?:[0-9]{4}|\.[0-9]{2}\.[0-9]{2})",
    "TM": r"[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,6})?)?)?",
    "DT": r"[0-9]{4}(?:[0-9]{2}){0,5}(?:\.[0-9]{1,6})?(?:[+-](?:0[0-9]|1[0-4])[0-5][0-9])?",
}
"""What PS3.5 6.2 and, with dots and colons, the standard before DICOM let a moment look like."""
_MOMENT = {vr: re.compile(moment) for vr, moment in _MOMENTS.items()}
_RANGE = {vr: re.compile(rf"({moment})?\s*-\s*({moment})?") for vr, moment in _MOMENTS.items()}

_DIGITS = {"DA": 8, "TM": 12, "DT": 20}
"""A moment in full: YYYYMMDD, HHMMSSFFFFFF, or both."""
_MARKS = str.maketrans("", "", ".:")
_TO_THE_HOUR = 10
_IN_SECONDS = "%Y%m%d%H%M%S"


@dataclass(frozen=True, slots=True)
class Range:
    """An inclusive range of moments as digits that sort in time; "" is open."""

    vr: str
    low: str
    high: str

    def holds(self, value: str) -> bool:
        """Say whether a moment lies within; one of little precision does when it may."""
        if not _MOMENT[self.vr].fullmatch(value):
            return False
        try:
            first, last = _extent(self.vr, value)
        except Malformed:
            return False
        return (not self.low or self.low <= last) and (not self.high or first <= self.high)


def parse_range(vr: str, text: str) -> Range:
    """Read what a query asks of a DA, TM or DT: a moment, which lasts as long as its precision, or a range of two.

    ``a-b``, ``a-`` and ``-b`` are ranges and include their ends. A DT with an offset from UTC is compared
    in UTC, one without as it stands.

    Raises:
        Malformed: it is neither, or a lone hyphen.
    """
    text = text.strip()
    if _MOMENT[vr].fullmatch(text):
        # First of all: a hyphen and digits that can be an offset are one, not the year of a range's end.
        return Range(vr, *_extent(vr, text))
    both = _RANGE[vr].fullmatch(text)
    if both is None or not any(both.groups()):
        raise Malformed("this is no date, no time and no range of them")
    low, high = both.groups()
    return Range(vr, _extent(vr, low)[0] if low else "", _extent(vr, high)[1] if high else "")


def _extent(vr: str, moment: str) -> tuple[str, str]:
    """Return the first and the last moment in full that a moment of some precision can mean."""
    digits = moment
    if vr == "DT":
        local, offset = (moment[:-5], moment[-5:]) if moment[-5:-4] in {"+", "-"} else (moment, "")
        digits = _in_utc(local, offset) if offset else local
    digits = digits.translate(_MARKS)
    return digits.ljust(_DIGITS[vr], "0"), digits.ljust(_DIGITS[vr], "9")


def _in_utc(local: str, offset: str) -> str:
    """Take an offset (&ZZXX) off a local moment; one that does not tell the hour stays as it is."""
    whole, point, fraction = local.partition(".")
    if len(whole) < _TO_THE_HOUR:
        return local
    away = timedelta(hours=int(offset[:3]), minutes=int(offset[0] + offset[3:]))
    try:
        moment = datetime.strptime(whole.ljust(14, "0"), _IN_SECONDS) - away  # noqa: DTZ007 - the offset was just read
    except (ValueError, OverflowError):
        raise Malformed("there is no such moment") from None
    return moment.strftime(_IN_SECONDS).zfill(14)[: len(whole)] + point + fraction
