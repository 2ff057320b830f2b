"""Every term has its word in both languages, and numbers, days and times are written as people read them."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest

from pacs_secure.adapters.printing.words import Words, load
from pacs_secure.archive.report.register import EVENTS
from pacs_secure.core.audit import Outcome
from pacs_secure.core.emergencies import Judgement
from pacs_secure.core.incidents import DEMANDED, SAYABLE, Stage
from pacs_secure.core.reports import BLIND_SPOTS, Language, Table
from pacs_secure.core.vocabulary import LABELS, Action, Door, Purpose, Role

GERMAN, ENGLISH = load(Language.GERMAN), load(Language.ENGLISH)


def paths(texts: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, text in texts.items():
        if isinstance(text, dict):
            yield from paths(text, f"{above}{name}/")
        else:
            yield f"{above}{name}", text


def test_both_languages_have_the_same_terms() -> None:
    assert dict(paths(GERMAN)).keys() == dict(paths(ENGLISH)).keys()


def test_both_languages_put_the_same_values_into_a_sentence() -> None:
    values = re.compile(r"\{\w+\}")
    english = dict(paths(ENGLISH))

    assert [
        path for path, text in paths(GERMAN) if sorted(values.findall(text)) != sorted(values.findall(english[path]))
    ] == []


def test_no_term_is_empty_but_an_introduction() -> None:
    assert [path for path, text in paths(ENGLISH) if not text and not path.startswith("intro/")] == []


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    ("group", "terms"),
    [
        ("action", Action),
        ("role", Role),
        ("purpose", Purpose),
        ("outcome", Outcome),
        ("door", Door),
        ("stage", Stage),
        ("review", Judgement),
        ("labels", LABELS),
        ("blind", BLIND_SPOTS),
        ("item", SAYABLE),
        ("item", DEMANDED[Stage.FINAL]),
        ("table", EVENTS),
    ],
)
def test_every_term_has_its_word(language: Language, group: str, terms: type[StrEnum]) -> None:
    assert {str(term) for term in terms} - load(language)[group].keys() == set()


def test_numbers_days_and_times_are_written_as_people_read_them() -> None:
    german, english = Words(Language.GERMAN), Words(Language.ENGLISH)

    assert (german.number(1_234_567), english.number(1_234_567)) == ("1.234.567", "1,234,567")
    assert (german.day("2026-10-07"), english.day("2026-10-07")) == ("07.10.2026", "2026-10-07")
    assert german.moment("2026-10-07T12:00:01Z") == "07.10.2026 12:00:01"
    assert german.moment("") == ""


def test_cells_are_written_as_their_column_demands() -> None:
    words, name = Words(Language.GERMAN), "0123456789abcdef0123456789abcdef"

    assert words.cell("hour", 7) == "07"
    assert words.cell("position", 12_345) == "12345"
    assert words.cell("action", "study:read") == "Bilder abgerufen"
    assert words.cell("department", "urology") == "urology"
    assert words.cell("actor", name) == "0123456789ab…"
    assert words.cell("actor", "WS1") == "WS1"
    assert words.cell("facts", f"share={name}; days=3") == "share=0123456789ab…; days=3"
    assert words.cell("rule", "default deny") == "keine Regel erlaubt es"
    assert words.cell("labels", "vip staff") == "VIP, Beschäftigte"
    assert words.cell("day", "2026-10-07") == "07.10.2026"


def test_a_table_says_that_it_is_empty_or_that_there_is_more() -> None:
    words = Words(Language.ENGLISH)
    grid = words.grid(Table("department", ("department", "acts"), (("urology", 2),), more=1_000))

    assert (grid.rows, grid.kinds, grid.note) == (
        [["urology", "2"]],
        ["text", "number"],
        "and 1,000 more; all of them are in the ledger",
    )
    assert words.grid(Table("policy", ("at", "facts", "actor"))).note == "Nothing of this is on record for the period."
    assert words.grid(Table("policy", ("at", "facts", "actor"))).kinds == ["time", "long", "code"]
    assert words.value("roles", "") == "none"
