"""PDF/A-3b (ISO 19005-3), tagged, with the model attached for machines; the same bytes for the same model."""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
import typst

from pacs_secure.adapters.printing.glyphs import FONTS, drawable
from pacs_secure.adapters.printing.pages import Page
from pacs_secure.core.errors import Unavailable


def as_pdf(page: Page, model: bytes) -> bytes:
    """Set a page; its date is the last day that it speaks of, never that of the printing.

    Raises:
        Unavailable: the page could not be set; what was asked for can be had as HTML or JSON.
    """
    year, month, day = page.date
    inputs = {"page": orjson.dumps(_shown(asdict(page))).decode(), "model": model.decode()}
    try:
        return typst.compile(
            _template(),
            format="pdf",
            font_paths=_fonts(),
            sys_inputs=inputs,
            pdf_standards="a-3b",
            timestamp=datetime(year, month, day, tzinfo=UTC),
        )
    except typst.TypstError:
        raise Unavailable("the document could not be set") from None


def _shown(part: Any) -> Any:
    """Return a part of a page with every text in it drawable."""
    if isinstance(part, str):
        return drawable(part)
    if isinstance(part, dict):
        return {name: value if name == "svg" else _shown(value) for name, value in part.items()}
    return [_shown(value) for value in part] if isinstance(part, list | tuple) else part


@cache
def _fonts() -> typst.Fonts:
    """Return typst's own fonts and those that know more alphabets; never the machine's, which differ."""
    return typst.Fonts(include_system_fonts=False, font_paths=[str(FONTS)])


@cache
def _template() -> bytes:
    return (files("pacs_secure.adapters.printing") / "templates" / "report.typ").read_bytes()
