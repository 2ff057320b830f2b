"""Reads what a FHIR search asks of audit events (FHIR R4 3.1.1): few parameters, and no guessing about others."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl
from uuid import UUID

from pacs_secure.archive.audit_events import AskedEvents
from pacs_secure.core.access import Action
from pacs_secure.core.audit_events import Deed
from pacs_secure.core.errors import Malformed

MOST_PARAMETERS = 20
LONGEST_VALUE = 256
MOST_AT_ONCE = 200
"""Events in one Bundle."""
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "date": ("date", "When it was recorded: a FHIR date with a prefix (eq, ge, gt, le, lt), at most twice."),
    "action": ("token", "What was done: C, R, U, D or E."),
    "subtype": ("token", "The action in the archive's own words, as study:read."),
    "patient": ("reference", "Random name of the patient in the ledger, a UUID."),
    "entity": ("reference", "Random name of the study in the ledger, a UUID."),
}
"""Search parameters of AuditEvent: type and what they mean."""
MOST_DIGITS = 15
"""Of an index."""
JSON_FORMATS = frozenset({"json", "application/json", "application/fhir+json"})

_DATE = re.compile(
    r"(?P<prefix>eq|ge|gt|le|lt)?(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d))?)?)?",
    re.ASCII,
)
_NUMBER = re.compile(rf"\d{{1,{MOST_DIGITS}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Search:
    """One search, and the parameters to repeat for the next page."""

    events: AskedEvents
    repeated: list[tuple[str, str]] = field(default_factory=list)


def search(query: bytes) -> Search:
    """Read the query of a URL.

    Raises:
        Malformed: a parameter is unknown, repeated, or no value of its kind.
    """
    try:
        given = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise Malformed("the query cannot be read, or has too many parameters") from None
    asked, seen = AskedEvents(), set[str]()
    for name, value in given:
        if name != "date" and name in seen:
            raise Malformed("a parameter is repeated")
        seen.add(name)
        asked = _read(asked, name, value)
    return Search(asked, [(name, value) for name, value in given if name != "_after"])


def _read(asked: AskedEvents, name: str, value: str) -> AskedEvents:
    if len(value) > LONGEST_VALUE or name not in _READERS:
        raise Malformed("a parameter is unknown, or its value too long")
    return _READERS[name](asked, value)


def _date(asked: AskedEvents, value: str) -> AskedEvents:
    found = _DATE.fullmatch(value)
    if found is None:
        raise Malformed("a date must be a FHIR date, with one of the prefixes eq, ge, gt, le and lt")
    begin, end = _interval(found.groupdict())
    prefix = found["prefix"] or "eq"
    since = {"eq": begin, "ge": begin, "gt": end}.get(prefix)
    until = {"eq": end, "le": end, "lt": begin}.get(prefix)
    if (since and asked.since) or (until and asked.until):
        raise Malformed("two dates set the same end")
    return replace(asked, since=since or asked.since, until=until or asked.until)


def _interval(part: Mapping[str, str | None]) -> tuple[datetime, datetime]:
    """Return the moments between which a date of its precision lies."""
    year, month, day = (int(part[name] or 1) for name in ("year", "month", "day"))
    try:
        if part["hour"] is None:
            begin = datetime(year, month, day, tzinfo=UTC)
            if part["day"] is not None:
                return begin, begin + timedelta(days=1)
            years, months = (year + month // 12, month % 12 + 1) if part["month"] is not None else (year + 1, 1)
            return begin, datetime(years, months, 1, tzinfo=UTC)
        clock = f"{part['hour']}:{part['minute']}:{part['second'] or '00'}.{(part['fraction'] or '').ljust(6, '0')}"
        zone = "+00:00" if part["zone"] == "Z" else part["zone"]
        text = f"{year:04}-{month:02}-{day:02}T{clock}{zone}"
        at = datetime.fromisoformat(text).astimezone(UTC)
        return at, at + _precision(part)
    except (ValueError, OverflowError):
        raise Malformed("a date is none of any calendar") from None


def _precision(part: Mapping[str, str | None]) -> timedelta:
    if part["second"] is None:
        return timedelta(minutes=1)
    digits = len(part["fraction"] or "")
    return timedelta(microseconds=10 ** (6 - digits))


def _deed(asked: AskedEvents, value: str) -> AskedEvents:
    try:
        return replace(asked, deed=Deed(_code(value, "http://hl7.org/fhir/audit-event-action")))
    except ValueError:
        raise Malformed("action must be one of C, R, U, D and E") from None


def _action(asked: AskedEvents, value: str) -> AskedEvents:
    try:
        return replace(asked, action=Action(_code(value, "urn:pacs-secure:action")))
    except ValueError:
        raise Malformed("subtype must be an action of the archive") from None


def _code(value: str, system: str) -> str:
    """Return the code of a token, whose system may stand before it (FHIR R4 3.1.1.4.10)."""
    named, bar, code = value.rpartition("|")
    if bar and named not in {"", system}:
        raise ValueError
    return code


def _patient(asked: AskedEvents, value: str) -> AskedEvents:
    return replace(asked, patient=_alias(value, "Patient/"))


def _study(asked: AskedEvents, value: str) -> AskedEvents:
    return replace(asked, study=_alias(value, "ImagingStudy/"))


def _alias(value: str, kind: str) -> UUID:
    try:
        return UUID(value.removeprefix(kind).removeprefix("urn:uuid:"))
    except ValueError:
        raise Malformed("a patient or study is named by its alias, a UUID") from None


def _count(asked: AskedEvents, value: str) -> AskedEvents:
    return replace(asked, count=min(_number(value), MOST_AT_ONCE))


def _after(asked: AskedEvents, value: str) -> AskedEvents:
    return replace(asked, after=_number(value))


def _number(value: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise Malformed("a number has one to fifteen digits")
    return int(value)


def _format(asked: AskedEvents, value: str) -> AskedEvents:
    if value not in JSON_FORMATS:
        raise Malformed("only JSON is spoken here")
    return asked


_READERS: Mapping[str, Callable[[AskedEvents, str], AskedEvents]] = {
    "date": _date,
    "action": _deed,
    "subtype": _action,
    "patient": _patient,
    "entity": _study,
    "_count": _count,
    "_after": _after,
    "_format": _format,
}
