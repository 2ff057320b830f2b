"""Who puts words and pages to a report."""

from typing import Protocol

from pacs_secure.core.incidents import Incident
from pacs_secure.core.reports import Language, Report, ReportFormat


class ReportPrinter(Protocol):
    """Writes a report down; the same report always as the same bytes."""

    def report(self, report: Report, language: Language, form: ReportFormat) -> bytes:
        """Print what the ledger says of a period."""

    def incident(self, incident: Incident, language: Language, form: ReportFormat) -> bytes:
        """Print what is known of an incident."""
