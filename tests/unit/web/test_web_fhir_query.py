"""FHIR searches are read strictly: what is not understood is refused, never ignored."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

import pytest

from pacs_secure.archive.audit_events import AskedEvents
from pacs_secure.core.access import Action
from pacs_secure.core.audit_events import Deed
from pacs_secure.core.errors import Malformed
from pacs_secure.web.fhir_query import MOST_AT_ONCE, search

ALIAS = UUID("620951dc-89a5-46c1-9a07-20cfff4476fd")


def asked(*parameters: tuple[str, str]) -> AskedEvents:
    return search(urlencode(parameters).encode()).events


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]  # as many as are given


def test_nothing_asked_is_everything() -> None:
    assert search(b"").events == AskedEvents()


@pytest.mark.parametrize(
    ("value", "since", "until"),
    [
        ("2026", moment(2026, 1, 1), moment(2027, 1, 1)),
        ("2026-12", moment(2026, 12, 1), moment(2027, 1, 1)),
        ("2026-03", moment(2026, 3, 1), moment(2026, 4, 1)),
        ("eq2026-03-01", moment(2026, 3, 1), moment(2026, 3, 2)),
        ("ge2026-03-01", moment(2026, 3, 1), None),
        ("gt2026-03-01", moment(2026, 3, 2), None),
        ("le2026-03-01", None, moment(2026, 3, 2)),
        ("lt2026-03-01", None, moment(2026, 3, 1)),
        ("2026-03-01T12:30Z", moment(2026, 3, 1, 12, 30), moment(2026, 3, 1, 12, 31)),
        ("2026-03-01T12:30:15+01:00", moment(2026, 3, 1, 11, 30, 15), moment(2026, 3, 1, 11, 30, 16)),
    ],
)
def test_a_date_is_an_interval_of_its_precision(value: str, since: datetime | None, until: datetime | None) -> None:
    found = asked(("date", value))

    assert (found.since, found.until) == (since, until)


def test_a_fraction_is_as_precise_as_it_is_written() -> None:
    found = asked(("date", "2026-03-01T12:30:15.25Z"))

    assert found.since is not None
    assert found.until is not None
    assert found.until - found.since == timedelta(milliseconds=10)


def test_two_dates_are_a_period() -> None:
    found = asked(("date", "ge2026-03-01"), ("date", "le2026-03-31"))

    assert (found.since, found.until) == (moment(2026, 3, 1), moment(2026, 4, 1))


def test_codes_and_names_are_read_as_fhir_writes_them() -> None:
    found = asked(
        ("action", "http://hl7.org/fhir/audit-event-action|R"),
        ("subtype", "urn:pacs-secure:action|study:read"),
        ("patient", f"Patient/{ALIAS}"),
        ("entity", f"urn:uuid:{ALIAS}"),
        ("_count", "9999"),
        ("_after", "12"),
        ("_format", "json"),
    )

    assert found == AskedEvents(
        deed=Deed.READ, action=Action.STUDY_READ, patient=ALIAS, study=ALIAS, count=MOST_AT_ONCE, after=12
    )
    assert asked(("action", "|R"), ("patient", str(ALIAS))) == AskedEvents(deed=Deed.READ, patient=ALIAS)


def test_everything_but_the_place_is_repeated_for_the_next_page() -> None:
    assert search(b"action=R&_after=3&_count=2").repeated == [("action", "R"), ("_count", "2")]


@pytest.mark.parametrize(
    "query",
    [
        b"agent=someone",
        b"action",
        b"action=R&action=C",
        b"action=X",
        b"action=http://elsewhere|R",
        b"subtype=study:write",
        b"patient=Mustermann",
        b"entity=1.2.3",
        b"date=yesterday",
        b"date=sa2026",
        b"date=2026-13",
        b"date=2026-02-30",
        b"date=2026-03-01T12:30",
        b"date=2026-03-01T25:00Z",
        b"date=9999",
        b"date=0000",
        b"date=0001-01-01T00:00:00%2B01:00",
        b"date=ge2026&date=gt2025",
        b"date=2026&date=le2027",
        b"_count=-1",
        b"_count=many",
        b"_after=1.5",
        b"_format=xml",
        b"_sort=date",
        b"action=\xff",
        b"subtype=" + b"x" * 300,
        b"&".join(b"date=2026" for _ in range(30)),
    ],
)
def test_anything_else_is_refused(query: bytes) -> None:
    with pytest.raises(Malformed):
        search(query)
