"""Whatever somebody calls something, a document can be set and every sign in it is drawn."""

import pytest
import typst

from pacs_secure.adapters.printing.glyphs import UNKNOWN, drawable
from pacs_secure.adapters.printing.printer import PagePrinter
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.reports import Language, ReportFormat
from tests.unit.adapters.printing.reports import report


@pytest.mark.parametrize("text", ["Übergröße \u2013 “quoted” §630g", "Хирургия", "Καρδιολογία", "Göğüs", "two\nlines"])
def test_alphabets_of_europe_are_drawn(text: str) -> None:
    assert drawable(text) == text


@pytest.mark.parametrize("text", ["放", "\U0001f512", "\x07", "\x00", "\ue000"])
def test_what_no_font_draws_is_shown_as_such(text: str) -> None:
    assert drawable(f"a{text}b") == f"a{UNKNOWN}b"


def test_a_document_that_cannot_be_set_is_unavailable_and_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_words: object, **_more: object) -> bytes:
        raise typst.TypstError("no", "no")

    monkeypatch.setattr(typst, "compile", broken)
    with pytest.raises(Unavailable):
        PagePrinter().report(report(), Language.GERMAN, ReportFormat.PDF)
