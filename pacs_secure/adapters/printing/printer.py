"""The printer of reports; what it sets them with is loaded when the first one is asked for."""

from pacs_secure.core.incidents import Incident
from pacs_secure.core.reports import Language, Report, ReportFormat


class PagePrinter:
    """`pacs_secure.ports.ReportPrinter` with Jinja, matplotlib and typst."""

    def report(self, report: Report, language: Language, form: ReportFormat) -> bytes:
        """Print what the ledger says of a period."""
        from pacs_secure.adapters.printing import setting

        return setting.set_report(report, language, form)

    def incident(self, incident: Incident, language: Language, form: ReportFormat) -> bytes:
        """Print what is known of an incident."""
        from pacs_secure.adapters.printing import setting

        return setting.set_incident(incident, language, form)
