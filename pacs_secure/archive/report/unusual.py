"""Unusual access: rules with a name, a threshold, and rows that say whom they flagged, by pseudonym.

A flag is no reproach: it says where to look. Only pictures of patients count, at the moment their
delivery begins, and only persons: devices do what they were built for.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import median_low

from pacs_secure.archive.report.counting import MOST_LISTED, moment
from pacs_secure.archive.report.local_time import LocalTime
from pacs_secure.archive.report.ruling import relation_of
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.reports import Cell, Flagged, Table, Thresholds
from pacs_secure.core.vocabulary import DEVICES, Action, Relation, Role, Safeguard

OWN_RECORD, NEIGHBOURS = "own-record", "neighbours"
NOT_COMPUTABLE = (OWN_RECORD, NEIGHBOURS)
"""Rules that need to know who a patient is: the ledger holds pseudonyms only, on purpose."""

OTHER_DEPARTMENT = "of_department"
"""Fact of an entry: the study's department, when it is another than that of whoever acts."""

_APART = frozenset({Role.STRANGER})
_DAYS_KEPT_OPEN = 3
"""Days whose patients are still told apart: entries come nearly in the order of their times."""

_Person = tuple[str, str, str]
"""Pseudonym, role, department."""


@dataclass(slots=True)
class _Day:
    patients: set[int] = field(default_factory=set)
    night: set[int] = field(default_factory=set)
    refusals: int = 0


class Unusual:
    """Follows every person day by day; of days that are over it keeps counts only, so memory stays flat."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._limits = thresholds
        self._days: dict[str, dict[_Person, _Day]] = {}
        self._closed: defaultdict[_Person, dict[str, int]] = defaultdict(dict)
        """Patients of a person by day."""
        self._by_night: list[tuple[Cell, ...]] = []
        self._by_weekend: list[tuple[Cell, ...]] = []
        self._refused: list[tuple[Cell, ...]] = []
        self._outside: defaultdict[tuple[_Person, str], set[int]] = defaultdict(set)
        self._singly: dict[str, list[tuple[Cell, ...]]] = {"colleagues": [], "protected": [], "no-relation": []}
        self._beyond: Counter[str] = Counter()
        self._weekends: set[str] = set()

    def add(self, draft: Draft, when: LocalTime) -> None:
        """Take the next entry of the period."""
        reads = draft.action is Action.STUDY_READ and draft.outcome is Outcome.BEGUN
        refused = draft.outcome is Outcome.REFUSED
        if not (reads or refused) or draft.role in DEVICES or draft.role in _APART:
            return
        person = (draft.actor, draft.role.value, draft.department)
        day = self._day(person, when)
        if refused:
            day.refusals += 1
            return
        if draft.patient_alias is not None:
            patient = draft.patient_alias.int
            day.patients.add(patient)
            if when.hour >= self._limits.night_begins or when.hour < self._limits.night_ends:
                day.night.add(patient)
            self._look_outside(person, draft, patient)
        self._look_singly(draft)

    def end(self) -> None:
        """Close every day."""
        for day in sorted(self._days):
            self._close(day)

    def flagged(self) -> tuple[Flagged, ...]:
        """Return what each rule found, in a fixed order, those that cannot be computed last."""
        limits = self._limits
        found = [
            self._outside_rule(),
            self._singly_rule("no-relation"),
            self._singly_rule("colleagues"),
            self._singly_rule("protected"),
            _rule("volume", {"patients": limits.patients_a_day}, _DAY, self._volume()),
            _rule("own-median", self._median_limits(), (*_DAY, "median"), self._above_median()),
            _rule("night", self._night_limits(), _DAY, self._by_night),
            _rule("weekend", {"patients": limits.weekend_patients}, _DAY, self._by_weekend),
            _rule("many-refusals", {"refusals": limits.refusals_a_day}, (*_DAY[:-1], "acts"), self._refused),
        ]
        return (*found, *(Flagged(name, {}, 0, None) for name in NOT_COMPUTABLE))

    def _day(self, person: _Person, when: LocalTime) -> _Day:
        day = self._days.get(when.day)
        if day is None:
            day = self._days[when.day] = {}
            if when.weekend:
                self._weekends.add(when.day)
            while len(self._days) > _DAYS_KEPT_OPEN:
                self._close(min(self._days.keys() - {when.day}))
        found = day.get(person)
        if found is None:
            found = day[person] = _Day()
        return found

    def _close(self, day: str) -> None:
        limits, weekend = self._limits, day in self._weekends
        for person, seen in self._days.pop(day).items():
            patients = len(seen.patients)
            if patients:
                self._closed[person][day] = self._closed[person].get(day, 0) + patients
            if len(seen.night) >= limits.night_patients:
                self._by_night.append((*person, day, len(seen.night)))
            if weekend and patients >= limits.weekend_patients:
                self._by_weekend.append((*person, day, patients))
            if seen.refusals >= limits.refusals_a_day:
                self._refused.append((*person, day, seen.refusals))

    def _look_outside(self, person: _Person, draft: Draft, patient: int) -> None:
        other = draft.facts.get(OTHER_DEPARTMENT)
        if other is not None and draft.role not in self._limits.house_wide_roles:
            self._outside[person, str(other)].add(patient)

    def _look_singly(self, draft: Draft) -> None:
        """Note reads that are told one by one: of the labelled (ACC-08), and those that rest on no relation."""
        labels = str(draft.facts.get("protected", ""))
        if labels:
            rule = "colleagues" if Safeguard.STAFF in labels.split() else "protected"
            self._note(rule, draft, labels)
        if relation_of(draft.rule) is Relation.NONE and draft.role not in self._limits.house_wide_roles:
            self._note("no-relation", draft, draft.rule)

    def _note(self, rule: str, draft: Draft, why: str) -> None:
        if len(self._singly[rule]) >= MOST_LISTED:
            self._beyond[rule] += 1
            return
        purpose = draft.purpose.value if draft.purpose else ""
        who = (draft.actor, draft.role.value, draft.department)
        self._singly[rule].append((moment(draft), *who, str(draft.patient_alias or ""), purpose, why))

    def _volume(self) -> list[tuple[Cell, ...]]:
        most = self._limits.patients_a_day
        return [(*who, day, n) for who, days in self._closed.items() for day, n in days.items() if n >= most]

    def _above_median(self) -> list[tuple[Cell, ...]]:
        limits, rows = self._limits, list[tuple[Cell, ...]]()
        for who, days in self._closed.items():
            if len(days) < limits.least_days:
                continue
            usual = median_low(days.values())
            for day, patients in days.items():
                if patients >= limits.least_patients and patients > limits.times_own_median * usual:
                    rows.append((*who, day, patients, usual))
        return rows

    def _median_limits(self) -> dict[str, Cell]:
        limits = self._limits
        return {"times": limits.times_own_median, "least": limits.least_patients, "days": limits.least_days}

    def _night_limits(self) -> dict[str, Cell]:
        limits = self._limits
        return {"patients": limits.night_patients, "begins": limits.night_begins, "ends": limits.night_ends}

    def _outside_rule(self) -> Flagged:
        least = self._limits.outside_department_patients
        rows: list[tuple[Cell, ...]] = [
            (*who, of, len(patients)) for (who, of), patients in self._outside.items() if len(patients) >= least
        ]
        limits: dict[str, Cell] = {
            "patients": least,
            "roles": " ".join(sorted(role.value for role in self._limits.house_wide_roles)),
        }
        return _rule("outside-department", limits, (*_WHO, "of_department", "patients"), rows)

    def _singly_rule(self, name: str) -> Flagged:
        rows = tuple(self._singly[name])
        columns = ("at", *_WHO, "patient", "purpose", "rule" if name == "no-relation" else "labels")
        return Flagged(name, {}, len({row[1] for row in rows}), Table(name, columns, rows, self._beyond[name]))


_WHO = ("actor", "role", "department")
_DAY = (*_WHO, "day", "patients")


def _rule(name: str, limits: dict[str, Cell], columns: tuple[str, ...], rows: list[tuple[Cell, ...]]) -> Flagged:
    """Return the rows of a rule, the largest number first."""
    ordered = sorted(rows, key=lambda row: (*(-cell for cell in row[4:] if isinstance(cell, int)), row[:4]))
    table = Table(name, columns, tuple(ordered[:MOST_LISTED]), max(0, len(ordered) - MOST_LISTED))
    return Flagged(name, limits, len({row[0] for row in ordered}), table)
