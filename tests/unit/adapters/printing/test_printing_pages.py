"""What is printed: every chapter in both languages, the same bytes each time, and nothing that anybody slips in."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pacs_secure.adapters.printing import incident_pages, ledger_pages, plots
from pacs_secure.adapters.printing.html import as_html
from pacs_secure.adapters.printing.pages import Page
from pacs_secure.adapters.printing.pdf import as_pdf
from pacs_secure.adapters.printing.printer import PagePrinter
from pacs_secure.adapters.printing.setting import as_json
from pacs_secure.core.incidents import Stage
from pacs_secure.core.reports import Language, ReportFormat, Table
from tests.unit.adapters.printing.reports import HOSTILE, SOUND, UNSOUND, incident, report

PRINTER = PagePrinter()


class Outline(HTMLParser):
    """Reads which elements a page has, with which attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("form", ReportFormat)
def test_the_same_report_is_the_same_bytes(language: Language, form: ReportFormat) -> None:
    assert PRINTER.report(report(), language, form) == PRINTER.report(report(), language, form)
    assert PRINTER.incident(incident(), language, form) == PRINTER.incident(incident(), language, form)


@pytest.mark.parametrize("language", Language)
def test_html_holds_no_script_no_style_attribute_and_nothing_from_elsewhere(language: Language) -> None:
    for page in (
        PRINTER.report(report(), language, ReportFormat.HTML),
        PRINTER.incident(incident(), language, ReportFormat.HTML),
    ):
        outline = Outline(page)
        names = {name for name, _ in outline.attributes}

        assert {"script", "link", "iframe", "img", "object"}.isdisjoint(outline.elements)
        assert "style" not in names
        assert [name for name in names if name.startswith("on")] == []
        assert [value for name, value in outline.attributes if name in {"href", "src"} and value[:1] != "#"] == []
        assert b"49" not in re.findall(rb"x\^2\$ (\S+)", page), "templates are not read from data"
        (policy,) = (
            value for name, value in outline.attributes if name == "content" and value.startswith("default-src")
        )
        assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_what_anybody_calls_their_department_is_text() -> None:
    page = PRINTER.report(report(), Language.ENGLISH, ReportFormat.HTML)

    assert b"<script>" not in page
    assert b"&lt;script&gt;" in page
    assert PRINTER.report(report(), Language.ENGLISH, ReportFormat.PDF).startswith(b"%PDF")


def test_every_identifier_of_a_page_is_its_own() -> None:
    outline = Outline(PRINTER.report(report(), Language.ENGLISH, ReportFormat.HTML))
    ids = [value for name, value in outline.attributes if name == "id"]

    assert len(ids) == len(set(ids))
    assert {value[1:] for name, value in outline.attributes if name in {"href", "xlink:href"}} <= set(ids)


def test_a_pdf_is_archivable_tagged_dated_by_its_period_and_carries_the_model() -> None:
    pdf = PRINTER.report(report(), Language.GERMAN, ReportFormat.PDF)

    assert b"<pdfaid:part>3</pdfaid:part>" in pdf
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in pdf
    assert b"/StructTreeRoot" in pdf
    assert b"report.json" in pdf
    assert b"D:20261031" in pdf
    assert b"/Lang (de)" in pdf or b"/Lang(de)" in pdf


def test_json_is_the_model_itself() -> None:
    model = json.loads(as_json("ledger-report", report()))

    assert (model["kind"], model["version"], model["integrity"]["checkpoint_size"]) == ("ledger-report", 1, 137_210)
    assert PRINTER.report(report(), Language.GERMAN, ReportFormat.JSON) == PRINTER.report(
        report(), Language.ENGLISH, ReportFormat.JSON
    )


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("stage", Stage)
def test_every_stage_of_an_incident_is_laid_out(language: Language, stage: Stage) -> None:
    page = incident_pages.lay_out(incident(stage), language)
    unsound = incident_pages.lay_out(incident(stage, UNSOUND), language)

    assert len(page.sections[0].items) == len(incident(stage).items)
    assert any(item.strong for item in page.sections[0].items), "what nobody knows yet is marked"
    assert len(unsound.sections) == len(page.sections), "without the list, with what was found wanting"
    assert not unsound.sound


def test_those_affected_stand_side_by_side_in_full_and_the_rest_is_counted() -> None:
    many = Table("persons", ("patient",), tuple((f"{number:032x}",) for number in range(5_002)))
    page = incident_pages.lay_out(replace(incident(), persons=many), Language.ENGLISH)
    none = incident_pages.lay_out(replace(incident(), persons=replace(many, rows=())), Language.ENGLISH)
    (grid,) = page.sections[-1].grids

    assert (len(grid.rows), grid.rows[0][1], grid.rows[-1][-1]) == (1_667, f"{1:032x}", "")
    assert grid.note == "and 2 more; all of them stand in the JSON"
    assert (none.sections[-1].grids[0].rows, none.sections[-1].grids[0].note) == ([], "none")


def test_a_ledger_that_was_found_wanting_is_said_first() -> None:
    page = ledger_pages.lay_out(report(UNSOUND, empty=True), Language.ENGLISH)

    assert (page.sound, page.sections[0].title) == (False, "Where the ledger was found wanting")
    assert page.sections[0].grids[0].rows == [["chain", "7", "it does not continue"]]
    assert page.sections[1].items[0].text == "none"
    assert as_html(page)
    assert as_pdf(page, b"{}")


def test_rules_that_cannot_be_computed_say_so() -> None:
    page: Page = ledger_pages.lay_out(report(SOUND), Language.GERMAN)
    (unusual,) = (section for section in page.sections if section.title == "Auffällige Zugriffe")

    states = {item.title: item.state for item in unusual.items}
    assert states["Eigene Akte"] == states["Nachbarschaft"] == "nicht berechenbar"
    assert all(item.grid is not None for item in unusual.items if item.strong)


def test_a_plot_is_outlines_only_whatever_its_labels() -> None:
    svg = plots.lying([HOSTILE, "\x00\x1b[31m", "a" * 500], [3, 2, 1], 1)

    assert svg.startswith("<svg ")
    assert re.search(r"style=|<script|<!--|<style|alert|href=\"http", svg) is None
    assert svg == plots.lying([HOSTILE, "\x00\x1b[31m", "a" * 500], [3, 2, 1], 1)


def test_many_days_are_labelled_sparsely_and_very_many_by_month() -> None:
    assert plots.upright([str(day) for day in range(92)], [0] * 92, 1)
    days = [(f"2026-{month:02d}-{day:02d}", 1) for month in range(1, 7) for day in range(1, 29)]

    assert ledger_pages._months(days) == [(f"2026-{month:02d}", 28) for month in range(1, 7)]
