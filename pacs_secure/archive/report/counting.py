"""How many acts there were, by everything that an entry says of one; and which of them never ended."""

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

from pacs_secure.archive.report.local_time import LocalTime
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.reports import Period, Point, Table

MOST_LISTED = 500
"""Rows of a table; of what is beyond only the number is said."""

NO_PURPOSE = "-"

_BY = ("action", "role", "department", "purpose", "outcome", "door")

_Kind = tuple[str, str, str, str, str, str]


class Counting:
    """Counts acts where they end; what has begun and not ended is counted as open."""

    def __init__(self) -> None:
        self.entries = 0
        self._kinds: Counter[_Kind] = Counter()
        self._days: Counter[str] = Counter()
        self._hours: Counter[int] = Counter()
        self._open: dict[UUID, tuple[Draft, LocalTime]] = {}
        self._persons: set[str] = set()
        self._patients: set[int] = set()

    def add(self, draft: Draft, when: LocalTime) -> None:
        """Take the next entry of the period."""
        self.entries += 1
        if draft.patient_alias is not None:
            self._patients.add(draft.patient_alias.int)
        if draft.outcome is Outcome.BEGUN:
            self._open.setdefault(draft.act, (draft, when))
            return
        self._open.pop(draft.act, None)
        self._persons.add(draft.actor)
        self._count(draft, when)

    def end(self) -> None:
        """Count what is still open as what it is."""
        for draft, when in self._open.values():
            self._persons.add(draft.actor)
            self._count(draft, when)

    def totals(self) -> tuple[Point, ...]:
        """Return how much there was of everything."""
        refused = sum(count for kind, count in self._kinds.items() if kind[4] == Outcome.REFUSED)
        told = {
            "entries": self.entries,
            "acts": self._kinds.total(),
            "persons": len(self._persons - {""}),
            "patients": len(self._patients),
            "refused": refused,
            "open": len(self._open),
        }
        return tuple(Point(name, {"count": count}) for name, count in told.items())

    def tables(self, period: Period) -> tuple[Table, ...]:
        """Return the acts by each of what an entry says, the most frequent first, and by hour and day."""
        tables = [self._table(place, name) for place, name in enumerate(_BY)]
        hours = tuple((hour, self._hours[hour]) for hour in range(24))
        days = tuple((day, self._days[day]) for day in _days(period))
        return (*tables, Table("hour", ("hour", "acts"), hours), Table("day", ("day", "acts"), days))

    def open_acts(self) -> Table:
        """List what had begun in the period and had not ended with it, oldest first."""
        rows = sorted(
            (moment(draft), draft.action.value, draft.role.value, draft.actor, draft.door.value)
            for draft, _ in self._open.values()
        )
        columns = ("at", "action", "role", "actor", "door")
        return Table("open", columns, tuple(rows[:MOST_LISTED]), max(0, len(rows) - MOST_LISTED))

    def _count(self, draft: Draft, when: LocalTime) -> None:
        purpose = draft.purpose.value if draft.purpose else NO_PURPOSE
        # `_value_` is the plain attribute behind `value`: this line runs a million times.
        kind = (
            draft.action._value_,
            draft.role._value_,
            draft.department or NO_PURPOSE,
            purpose,
            draft.outcome._value_,
            draft.door._value_,
        )
        self._kinds[kind] += 1
        self._days[when.day] += 1
        self._hours[when.hour] += 1

    def _table(self, place: int, name: str) -> Table:
        found: Counter[str] = Counter()
        for kind, count in self._kinds.items():
            found[kind[place]] += count
        rows = sorted(found.items(), key=lambda row: (-row[1], row[0]))
        return Table(name, (name, "acts"), tuple(rows[:MOST_LISTED]), max(0, len(rows) - MOST_LISTED))


def _days(period: Period) -> list[str]:
    length = (period.last - period.first).days + 1
    return [date.isoformat(period.first + timedelta(days=number)) for number in range(length)]


def moment(draft: Draft) -> str:
    """Return when an entry was written, UTC, to the second."""
    return draft.at.strftime("%Y-%m-%dT%H:%M:%SZ")
