"""Reporting: what the ledger says of a period, verified while it was read, printed, signed, and itself on record."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.report.appendix import Appendix
from pacs_secure.archive.report.reading import Progress, WholeReading
from pacs_secure.archive.report.signature import sign
from pacs_secure.archive.report.tally import Tally
from pacs_secure.core.access import AccessRequest, Action, Grant, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.reports import (
    BLIND_SPOTS,
    MEDIA_TYPES,
    SETTLES,
    Integrity,
    Language,
    Period,
    Point,
    Printed,
    Report,
    ReportFormat,
)
from pacs_secure.ports import ReportPrinter, Signer


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """The verb: report on a period of one's own institution."""

    guard: Guard
    reading: WholeReading
    appendix: Appendix
    printer: ReportPrinter
    signer: Signer | None
    now: Callable[[], datetime]

    def make(
        self,
        subject: Subject,
        purpose: Purpose | None,
        days: tuple[date, date],
        language: Language,
        form: ReportFormat,
        *,
        details: Mapping[str, str],
        progress: Progress = lambda _: None,
    ) -> Printed:
        """Report on whole days, both ends among them; the reading is recorded first, its digest before it leaves.

        Raises:
            Denied: the subject may not.
            Malformed: the days are no period.
            TooOften: another report is being made.
            Unavailable: ledger, keys or the signing key are out of reach.
        """
        first, last = days
        asked = {"from": first.isoformat(), "to": last.isoformat(), "format": form.value, "language": language.value}
        request = AccessRequest(subject, Action.LEDGER_REPORT, purpose, details={**details, **asked})
        grant = self.guard.admit(request)
        with recorded(self.guard, grant):
            period = Period(first, last, self.appendix.installation.time_zone)
            report = self._report(subject.institution, period, progress)
            printed = self._printed(report, language, form)
            self.guard.finish(grant, Outcome.COMPLETED, {**account(printed, report.integrity)})
        return printed

    def _report(self, of: Institution, period: Period, progress: Progress) -> Report:
        installation = self.appendix.installation
        tally = Tally(of, period, installation.thresholds)
        integrity = self.reading.read(period.begins_at, period.ends_at, tally.add, progress)
        tally.end()
        totals, chapters = tally.counting.totals(), tally.chapters()
        return Report(
            institution=of,
            origin=self.reading.vouching.origin,
            software=installation.software,
            first_day=period.first.isoformat(),
            last_day=period.last.isoformat(),
            time_zone=period.time_zone,
            closed=period.ends_at + SETTLES <= self.now(),
            policies=tally.policies(),
            integrity=integrity,
            totals=totals,
            counts=tally.counting.tables(period),
            chapters=chapters,
            unusual=tally.unusual.flagged(),
            open_points=(*wanting(integrity), *tally.open_points()),
            blind_spots=BLIND_SPOTS,
            processing=self.appendix.processing(totals, chapters),
            measures=self.appendix.measures(of),
        )

    def _printed(self, report: Report, language: Language, form: ReportFormat) -> Printed:
        content = self.printer.report(report, language, form)
        note = sign(content, self.reading.vouching.origin, self.signer)
        name = f"ledger-report-{report.first_day}-{report.last_day}.{language.value}.{form.value}"
        return Printed(content, note, name, MEDIA_TYPES[form])


def wanting(integrity: Integrity) -> tuple[Point, ...]:
    """Return what the verification leaves to be done."""
    points = []
    if not integrity.sound:
        points.append(Point("ledger-unsound", {"count": len(integrity.problems.rows)}))
    if not integrity.checkpoint_size:
        points.append(Point("no-checkpoint"))
    if integrity.witnesses and integrity.witnessed_size <= integrity.last_entry:
        count = integrity.last_entry + 1
        points.append(Point("witnesses-behind", {"size": integrity.witnessed_size, "count": count}))
    elif integrity.checkpoint_size and not integrity.witnesses:
        points.append(Point("no-witness"))
    return tuple(points)


def account(printed: Printed, integrity: Integrity) -> dict[str, str | int]:
    """Return what the ledger says of a report that was made: which bytes, on how much, and whether it was sound."""
    return {
        "sha256": sha256(printed.content).hexdigest(),
        "bytes": len(printed.content),
        "entries": integrity.last_entry + 1,
        "sound": "yes" if integrity.sound else "no",
    }


@contextmanager
def recorded(guard: Guard, grant: Grant) -> Iterator[None]:
    """Record that a report was not made, and why."""
    try:
        yield
    except ArchiveError as error:
        guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
        raise
