"""Incidents: whom the acts of a window may have harmed, and what has to be said of it at each stage (SEC-06)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.ledger_report import account, recorded
from pacs_secure.archive.report.incident_tally import IncidentTally
from pacs_secure.archive.report.reading import Progress, WholeReading
from pacs_secure.archive.report.signature import sign
from pacs_secure.core.access import AccessRequest, Action, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.identifiers import uid
from pacs_secure.core.incidents import DEMANDED, Incident, Item, Suspicion
from pacs_secure.core.reports import (
    BLIND_SPOTS,
    MEDIA_TYPES,
    SETTLES,
    Installation,
    Integrity,
    Language,
    Point,
    Printed,
    ReportFormat,
)
from pacs_secure.ports import ReportPrinter, Signer


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """The verb: report on an incident of one's own institution (GDPR 33, 34; BSIG 32)."""

    guard: Guard
    facts: Facts
    reading: WholeReading
    installation: Installation
    printer: ReportPrinter
    signer: Signer | None
    now: Callable[[], datetime]

    def make(
        self,
        subject: Subject,
        purpose: Purpose | None,
        suspicion: Suspicion,
        language: Language,
        form: ReportFormat,
        *,
        details: Mapping[str, str],
        progress: Progress = lambda _: None,
    ) -> Printed:
        """Report on the acts of a window; recorded before the ledger is read, with its digest before it leaves.

        The pseudonyms of those affected are listed for whoever may read the ledger, and counted for others.

        Raises:
            Denied: the subject may not.
            Malformed: window, cause, statements or studies are none.
            TooOften: another report is being made.
            Unavailable: ledger, keys or the signing key are out of reach.
        """
        asked = {"stage": suspicion.stage.value, "format": form.value, "language": language.value}
        private = {"cause": suspicion.cause, "department": suspicion.actor_department}
        window = {"from": suspicion.begins_at.isoformat(), "to": suspicion.ends_at.isoformat()}
        told = {**details, **asked, **window}
        request = AccessRequest(subject, Action.INCIDENT_REPORT, purpose, details=told, private=private)
        grant = self.guard.admit(request)
        with recorded(self.guard, grant):
            suspicion.demand_whole()
            incident = self._incident(subject, purpose, suspicion, progress)
            content = self.printer.incident(incident, language, form)
            day = f"{suspicion.begins_at.astimezone(UTC):%Y-%m-%d}"
            name = f"incident-report-{day}-{suspicion.stage.value}.{language.value}.{form.value}"
            note = sign(content, self.reading.vouching.origin, self.signer)
            printed = Printed(content, note, name, MEDIA_TYPES[form])
            counted = {point.name: point.values["count"] for point in incident.totals}
            facts = {**account(printed, incident.integrity), "patients": counted["patients"], "acts": counted["acts"]}
            self.guard.finish(grant, Outcome.COMPLETED, facts)
        return printed

    def _incident(
        self, subject: Subject, purpose: Purpose | None, suspicion: Suspicion, progress: Progress
    ) -> Incident:
        aliases = frozenset(self._aliases(subject, purpose, suspicion)) if suspicion.studies else None
        tally = IncidentTally(subject.institution, suspicion, aliases)
        integrity = self.reading.read(suspicion.begins_at, suspicion.ends_at, tally.add, progress)
        tally.end()
        lists = self.guard.judge(AccessRequest(subject, Action.LEDGER_READ, purpose)).allowed
        return Incident(
            institution=subject.institution,
            origin=self.reading.vouching.origin,
            software=self.installation.software,
            stage=suspicion.stage,
            begins_at=_moment(suspicion.begins_at),
            ends_at=_moment(suspicion.ends_at),
            closed=suspicion.ends_at + SETTLES <= self.now(),
            cause=suspicion.cause,
            integrity=integrity,
            narrowed=_narrowed(suspicion, aliases),
            totals=tally.totals(),
            categories=tally.categories(),
            tables=tally.tables(),
            items=tuple(_item(name, suspicion, tally, integrity) for name in DEMANDED[suspicion.stage]),
            blind_spots=BLIND_SPOTS,
            persons=tally.persons() if lists else None,
        )

    def _aliases(self, subject: Subject, purpose: Purpose | None, suspicion: Suspicion) -> Iterator[UUID]:
        """Yield the random names of the studies that the archive knows; nothing of them is opened."""
        for named in suspicion.studies:
            study = self.facts.of(subject, purpose, uid(named))
            if study is not None and study.institution == subject.institution:
                yield study.alias


def _narrowed(suspicion: Suspicion, aliases: frozenset[UUID] | None) -> tuple[Point, ...]:
    points = []
    if suspicion.actor_department:
        points.append(Point("actor-department", {"department": suspicion.actor_department}))
    if suspicion.actions:
        points.append(Point("actions", {"actions": " ".join(sorted(suspicion.actions))}))
    if aliases is not None:
        points.append(Point("studies", {"count": len(set(suspicion.studies)), "known": len(aliases)}))
    return tuple(points) or (Point("everything"),)


def _item(name: str, suspicion: Suspicion, tally: IncidentTally, integrity: Integrity) -> Item:
    """Say what is known of one thing that a stage demands: from the ledger, from people, or not yet."""
    if name == "cause":
        return Item(name, known=True, said=suspicion.cause)
    if name == "categories":
        return Item(name, known=True)
    if name == "ledger":
        sound = int(integrity.sound)
        return Item(name, known=integrity.sound, values={"sound": sound, "last": integrity.last_entry})
    counted: dict[str, dict[str, str | int]] = {
        "window": {"begins": _moment(suspicion.begins_at), "ends": _moment(suspicion.ends_at)},
        "persons": {"patients": tally.patients},
        "acts": {"acts": tally.acts, "objects": tally.objects, "bytes": tally.octets},
    }
    if name in counted:
        return Item(name, known=True, values=counted[name])
    said = suspicion.statements.get(name, "")
    return Item(name, known=bool(said), said=said)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
