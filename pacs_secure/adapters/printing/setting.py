"""Sets a model in the form that was asked for."""

from dataclasses import asdict

import orjson

from pacs_secure.adapters.printing import incident_pages, ledger_pages
from pacs_secure.adapters.printing.html import as_html
from pacs_secure.adapters.printing.pages import Page
from pacs_secure.adapters.printing.pdf import as_pdf
from pacs_secure.core.incidents import Incident
from pacs_secure.core.reports import Language, Report, ReportFormat


def set_report(report: Report, language: Language, form: ReportFormat) -> bytes:
    """Set what the ledger says of a period."""
    model = as_json("ledger-report", report)
    return model if form is ReportFormat.JSON else _set(ledger_pages.lay_out(report, language), model, form)


def set_incident(incident: Incident, language: Language, form: ReportFormat) -> bytes:
    """Set what is known of an incident."""
    model = as_json("incident-report", incident)
    return model if form is ReportFormat.JSON else _set(incident_pages.lay_out(incident, language), model, form)


def as_json(kind: str, model: Report | Incident) -> bytes:
    """Write the model itself: names in order, so that equal models are equal bytes."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps({"kind": kind, "version": 1, **asdict(model)}, option=options)


def _set(page: Page, model: bytes, form: ReportFormat) -> bytes:
    return as_html(page) if form is ReportFormat.HTML else as_pdf(page, model)
