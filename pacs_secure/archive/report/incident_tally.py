"""What the acts of an incident laid open: of whom, which kinds of data, and how much."""

from collections import Counter
from uuid import UUID

from pacs_secure.archive.report.counting import MOST_LISTED, NO_PURPOSE, moment
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.incidents import Suspicion
from pacs_secure.core.reports import Cell, Point, Table
from pacs_secure.core.vocabulary import Action

_KINDS = {
    Action.STUDY_READ: "pictures",
    Action.STUDY_SEARCH: "search-results",
    Action.STUDY_CREATE: "received",
    Action.LEDGER_READ: "access-record",
    Action.LEDGER_DISCLOSE: "access-record",
}
_BY = ("action", "outcome", "role", "department", "actor")


class IncidentTally:
    """Counts each act once, where it ended or else where it began; whoever was refused laid nothing open."""

    def __init__(self, institution: Institution, suspicion: Suspicion, aliases: frozenset[UUID] | None) -> None:
        self._institution = institution
        self._suspicion = suspicion
        self._aliases = aliases
        """None: whatever the study."""
        self._open: dict[UUID, Draft] = {}
        self._patients: set[UUID] = set()
        self._by: dict[str, Counter[str]] = {name: Counter() for name in _BY}
        self._kinds: Counter[str] = Counter()
        self._labels: set[str] = set()
        self._special = 0
        self._acts: list[tuple[Cell, ...]] = []
        self.acts = self.refused = self.objects = self.octets = 0

    def add(self, draft: Draft) -> None:
        """Take an entry; what does not belong to the incident is passed over."""
        if draft.institution != self._institution or not self._suspicion.touches(draft):
            return
        if self._aliases is not None and draft.study_alias not in self._aliases:
            return
        if draft.outcome is Outcome.BEGUN:
            self._open.setdefault(draft.act, draft)
            return
        self._open.pop(draft.act, None)
        self._count(draft)

    def end(self) -> None:
        """Count what never ended: it may have laid open as much as what did."""
        for draft in self._open.values():
            self._count(draft)

    @property
    def patients(self) -> int:
        """Return how many patients are affected, by pseudonym."""
        return len(self._patients)

    def totals(self) -> tuple[Point, ...]:
        """Return the numbers that are seen first."""
        told = {
            "patients": self.patients,
            "acts": self.acts,
            "persons": len(self._by["actor"].keys() - {NO_PURPOSE}),
            "refused": self.refused,
            "open": len(self._open),
        }
        return tuple(Point(name, {"count": count}) for name, count in told.items())

    def categories(self) -> tuple[Point, ...]:
        """Return the kinds of data concerned."""
        points = [Point(name, {"count": count}) for name, count in sorted(self._kinds.items())]
        if self._special:
            points.append(Point("special", {"count": self._special, "labels": " ".join(sorted(self._labels))}))
        return tuple(points) or (Point("none"),)

    def tables(self) -> tuple[Table, ...]:
        """Return the acts by kind, outcome, role, department and person, and one by one as far as there is room."""
        counted = [self._counted(name) for name in _BY]
        columns = ("at", "action", "outcome", "role", "department", "actor", "patient", "purpose")
        rows = sorted(self._acts)
        return (*counted, Table("acts", columns, tuple(rows[:MOST_LISTED]), max(0, self.acts - MOST_LISTED)))

    def persons(self) -> Table:
        """Return everybody affected, by pseudonym: the list is whole, whatever its length."""
        return Table("persons", ("patient",), tuple((name,) for name in sorted(map(str, self._patients))))

    def _count(self, draft: Draft) -> None:
        self.acts += 1
        purpose = draft.purpose.value if draft.purpose else NO_PURPOSE
        said = (draft.action.value, draft.outcome.value, draft.role.value, draft.department or NO_PURPOSE)
        for name, value in zip(_BY, (*said, draft.actor or NO_PURPOSE), strict=True):
            self._by[name][value] += 1
        if len(self._acts) < MOST_LISTED:
            self._acts.append((moment(draft), *said, draft.actor, str(draft.patient_alias or ""), purpose))
        if draft.outcome is Outcome.REFUSED:
            self.refused += 1
        else:
            self._lay_open(draft)

    def _lay_open(self, draft: Draft) -> None:
        if draft.patient_alias is not None:
            self._patients.add(draft.patient_alias)
        kind = _KINDS.get(draft.action) or ("other" if draft.patient_alias is not None else "")
        if kind:
            self._kinds[kind] += 1
        if kind == "pictures" and "protected" in draft.facts:
            self._special += 1
            self._labels.update(str(draft.facts["protected"]).split())
        objects, octets = draft.facts.get("objects", 0), draft.facts.get("bytes", 0)
        self.objects += objects if isinstance(objects, int) else 0
        self.octets += octets if isinstance(octets, int) else 0

    def _counted(self, name: str) -> Table:
        rows = sorted(self._by[name].items(), key=lambda row: (-row[1], row[0]))
        return Table(name, (name, "acts"), tuple(rows[:MOST_LISTED]), max(0, len(rows) - MOST_LISTED))
