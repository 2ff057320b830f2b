"""What a record of processing (GDPR 30) and an account of measures (GDPR 32) take from the running archive."""

from collections.abc import Iterable
from dataclasses import dataclass

from pacs_secure.core.access import Assurance, Door, Subject
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.reports import Cell, Installation, Point, Table
from pacs_secure.core.vocabulary import DEVICES, Action, Purpose, Role
from pacs_secure.ports import Devices, Policy


@dataclass(frozen=True, slots=True)
class Appendix:
    """Asks policy and devices how things stand; nothing in it comes from a form that somebody filled in."""

    policy: Policy
    devices: Devices
    installation: Installation

    def processing(self, totals: Iterable[Point], chapters: Iterable[Table]) -> tuple[Point, ...]:
        """Return the parts of the record of processing activities that the archive knows (GDPR 30(1))."""
        counted = {total.name: total.values["count"] for total in totals}
        sizes = {chapter.name: len(chapter.rows) + chapter.more for chapter in chapters}
        return (
            Point("controller"),
            Point("purposes", {"purposes": " ".join(sorted(Purpose))}),
            Point("data-subjects", {"patients": counted["patients"], "persons": counted["persons"]}),
            Point("data-categories"),
            Point("recipients", {"disclosures": sizes["disclosures"], "recipients": sizes["recipients"]}),
            Point("third-countries"),
            Point("time-limits"),
            Point("security"),
        )

    def measures(self, of: Institution) -> tuple[Point, ...]:
        """Return how processing is secured (GDPR 32(1)): what is built in, what is configured, what is enrolled."""
        enrolled = [device for device in self.devices.all() if device.institution == of]
        revoked = sum(device.revoked_at is not None for device in enrolled)
        twice = " ".join(sorted(role for role in set(Role) - DEVICES if self._twice(of, role)))
        devices: dict[str, Cell] = {"enrolled": len(enrolled), "revoked": revoked}
        return (
            Point("objects-sealed"),
            Point("index-sealed"),
            Point("keys"),
            Point("transport"),
            Point("ledger-proof"),
            Point("roles", {"count": len(Role), "policy": self.policy.version[:16]}),
            Point("second-factor", {"roles": twice}),
            Point("devices", devices),
            *self.installation.measures,
            Point("fails-closed"),
            Point("not-measured"),
        )

    def _twice(self, of: Institution, role: Role) -> bool:
        somebody = Subject("", role, of, "", Door.JOB, "", Assurance())
        return self.policy.needs_second_factor(somebody, Action.LEDGER_VERIFY, Purpose.OPERATIONS)
