"""The extract as a patient reads it."""

from dataclasses import replace
from datetime import UTC
from html.parser import HTMLParser

import pytest
from lxml import html

from pacs_secure.archive.trail_pages import WORDS, machine, page, text, zone_of
from pacs_secure.core.errors import Malformed
from pacs_secure.core.reports import Language
from pacs_secure.core.trails import Recipient
from tests.unit.archive.test_archive_trail_rows import GUEST, READ, TRAIL

EMPTY = replace(TRAIL, accesses=(), examinations=())


class Outline(HTMLParser):
    """Notes every element, and complains of one that is not closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("trail", [TRAIL, EMPTY], ids=["some", "none"])
def test_the_page_is_whole_and_needs_nothing_from_anywhere(language: Language, trail: object) -> None:
    written = page(trail, language, UTC)  # type: ignore[arg-type]  # of a list of trails

    outline = Outline()
    outline.feed(written)
    assert outline.open == []
    assert not {"script", "link", "img", "iframe"} & set(outline.seen)
    assert "http" not in written
    assert html.fromstring(written).get("lang") == language.value


@pytest.mark.parametrize("language", Language)
def test_the_page_tells_every_access_in_a_row_with_labels(language: Language) -> None:
    document = html.fromstring(page(TRAIL, language, UTC))

    examinations, accesses = document.findall(".//table")
    assert len(examinations.findall(".//tbody/tr")) == len(TRAIL.examinations)
    found = accesses.findall(".//tbody/tr")
    assert [row.get("class") for row in found] == [access.outcome.value for access in TRAIL.accesses]
    heads = [head.text for head in accesses.findall(".//th")]
    assert [[cell.get("data-label") for cell in row.findall("td")] for row in found] == [heads] * len(found)
    phrases = WORDS[language].phrases
    assert [one.text for one in document.iterfind(".//h1")] == [phrases["title"]]
    assert next(one.text for one in document.iterfind(".//dt")) == phrases["institution"]


def test_the_text_says_the_same_as_the_page() -> None:
    written = text(TRAIL, Language.ENGLISH, UTC)
    shown = " ".join(html.fromstring(page(TRAIL, Language.ENGLISH, UTC)).text_content().split())

    for line in ("Who has accessed your pictures", "access refused", "person from outside: expert@example.org"):
        assert line in written
        assert line in shown
    assert "  4 x pictures viewed or retrieved\n" in written
    assert "      Who: radiologist, radiology department\n" in written


def test_nothing_recorded_is_said_plainly() -> None:
    for written in (text(EMPTY, Language.GERMAN, UTC), page(EMPTY, Language.GERMAN, UTC)):
        assert "ist in dieser Einrichtung nichts verzeichnet" in written
        assert "niemand" in written
        assert "Jeder einzelne Zugriff" not in written


def test_what_others_have_written_is_text_and_no_markup() -> None:
    evil = "<script>alert(1)</script>"
    guest = replace(GUEST, recipient=Recipient(evil, is_institution=False))
    trail = replace(TRAIL, patient_id=evil, accesses=(guest, replace(READ, department=evil, device=evil, person=evil)))

    written = page(trail, Language.GERMAN, UTC)
    assert "<script" not in written
    assert written.count("&lt;script&gt;") == 6


def test_machines_get_the_words_of_the_language() -> None:
    assert machine(TRAIL, Language.GERMAN, UTC)["accesses"][0]["said"]["how"] == "ausgeführt"


def test_a_time_zone_is_one_that_is_known() -> None:
    assert zone_of("UTC") is UTC
    assert str(zone_of("Europe/Berlin")) == "Europe/Berlin"
    for name in ("Nowhere/Else", "../etc/passwd", "", "Europe", "x\0"):
        with pytest.raises(Malformed):
            zone_of(name)
