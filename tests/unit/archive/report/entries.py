"""Entries of a period, one after another, as the ledger would give them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pacs_secure.archive.report.local_time import LocalClock, LocalTime
from pacs_secure.archive.report.tally import Tally
from pacs_secure.core.access import Role
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.reports import Period, Table, Thresholds
from tests.builders import HERE, draft, subject

PERIOD = Period(date(2026, 10, 1), date(2026, 10, 31), "UTC")
NOON = datetime(2026, 10, 7, 12, tzinfo=UTC)
DEPARTMENT_RULE = "p, clinician, study:search study:read, TREAT, department, -, allow"
EMERGENCY_RULE = "p, caregiver, study:search study:read, TREAT BTG, emergency, *, allow"
NONE_RULE = "p, clinician, study:search study:read, TREAT, none, ended, allow"


def entry(
    outcome: Outcome = Outcome.BEGUN,
    *,
    who: str = "s.lang",
    role: Role = Role.CLINICIAN,
    department: str = "surgery",
    at: datetime = NOON,
    patient: UUID | None = None,
    rule: str = DEPARTMENT_RULE,
    **more: Any,
) -> Draft:
    by = subject(role, identifier=who, department=department)
    made = draft(outcome, by=by, at=at, **{name: more.pop(name) for name in ("action", "facts", "act") if name in more})
    return replace(made, rule=rule, patient_alias=patient, details=None, **more)


def when(at: datetime) -> LocalTime:
    return LocalClock("UTC").read(at)


def reads(count: int, at: datetime = NOON, **more: Any) -> list[Draft]:
    """Return reads of so many patients, a second apart."""
    return [entry(at=at + timedelta(seconds=number), patient=uuid4(), **more) for number in range(count)]


def tallied(drafts: Iterable[Draft], thresholds: Thresholds | None = None) -> Tally:
    tally = Tally(HERE, PERIOD, thresholds or Thresholds())
    for one in drafts:
        tally.add(one)
    tally.end()
    return tally


def rows(table: Table) -> list[dict[str, object]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]
