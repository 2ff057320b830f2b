"""The whole of a period, gathered in one pass: every part of the report takes each entry as it comes."""

from pacs_secure.archive.report.counting import Counting
from pacs_secure.archive.report.emergencies import ABOUT, BrokenGlasses
from pacs_secure.archive.report.local_time import LocalClock
from pacs_secure.archive.report.register import Register
from pacs_secure.archive.report.unusual import NOT_COMPUTABLE, Unusual
from pacs_secure.core.audit import Draft
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.reports import Period, Point, Table, Thresholds


class Tally:
    """Counts and lists what one institution's entries say of one period; pure, and in memory that does not grow.

    What grows are the numbers of patients, of persons and of days, never that of entries.
    """

    def __init__(self, institution: Institution, period: Period, thresholds: Thresholds) -> None:
        self._institution = institution
        self._period = period
        self._begins_at, self._ends_at = period.begins_at, period.ends_at
        self._clock = LocalClock(period.time_zone)
        self._policies: set[str] = set()
        self.counting = Counting()
        self.register = Register()
        self.glasses = BrokenGlasses()
        self.unusual = Unusual(thresholds)

    def add(self, draft: Draft) -> None:
        """Take an entry, whatever its time and institution; what does not belong here is passed over."""
        if draft.institution != self._institution or draft.at >= self._ends_at:
            return
        if draft.at < self._begins_at:
            if draft.action in ABOUT:
                self.glasses.before(draft)
            return
        when = self._clock.read(draft.at)
        self.counting.add(draft, when)
        self.register.add(draft)
        self.glasses.add(draft)
        self.unusual.add(draft, when)
        self._policies.add(draft.policy_version)

    def end(self) -> None:
        """Close the period; after it the parts can be read."""
        self.counting.end()
        self.unusual.end()

    def policies(self) -> tuple[str, ...]:
        """Return the versions of the rules by which the acts of the period were decided."""
        return tuple(sorted(self._policies - {""}))

    def chapters(self) -> tuple[Table, ...]:
        """Return every chapter that lists something, in the order of the report."""
        register = self.register
        return (
            register.refusals(),
            self.glasses.table(),
            register.disclosures(),
            register.recipients(),
            *register.chapters(),
            self.counting.open_acts(),
        )

    def open_points(self) -> tuple[Point, ...]:
        """Return what somebody has to look after."""
        numbers = {
            "glasses-unreviewed": self.glasses.unreviewed(),
            "acts-open": len(self.counting.open_acts().rows) + self.counting.open_acts().more,
            "rules-not-computable": len(NOT_COMPUTABLE),
        }
        return tuple(Point(name, {"count": count}) for name, count in numbers.items() if count)
