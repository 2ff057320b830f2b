"""PDF/A-3b (ISO 19005-3), tagged, with the model attached for machines; the same bytes for the same model."""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import orjson
import typst

from pacs_secure.adapters.printing.pages import Page


def as_pdf(page: Page, model: bytes) -> bytes:
    """Set a page; its date is the last day that it speaks of, never that of the printing."""
    year, month, day = page.date
    inputs = {"page": orjson.dumps(asdict(page)).decode(), "model": model.decode()}
    return typst.compile(
        _template(),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs=inputs,
        pdf_standards="a-3b",
        timestamp=datetime(year, month, day, tzinfo=UTC),
    )


@cache
def _template() -> bytes:
    return (files("pacs_secure.adapters.printing") / "templates" / "report.typ").read_bytes()
