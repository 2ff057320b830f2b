"""The words of one language: every term, number and time of a report as people read them."""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from pacs_secure.adapters.printing.pages import Grid
from pacs_secure.core.reports import Cell, Language, Table

NUMBERS = frozenset({"acts", "bytes", "median", "objects", "patients", "position", "reads", "shares"})
CODES = frozenset({"actor", "patient", "recipient"})
_MOMENTS = frozenset({"at", "until", "reviewed_at"})
_SPLIT = {"labels": "labels", "roles": "role", "purposes": "purpose", "actions": "action"}
"""Values that are lists of terms, and which terms."""
_PLAIN = {"hour": "{:02d}", "position": "{}"}
"""Numbers that count nothing."""
_SHOWN = 12
"""Digits of a pseudonym that are printed; the whole stands in the JSON."""
_NAME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}")


class Words:
    """Looks terms up; one that is missing is an error of ours, and a test finds it."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = load(language)
        self._writes: dict[str, Callable[[str], str]] = {
            **dict.fromkeys(_MOMENTS, self.moment),
            **dict.fromkeys(CODES, _shortened),
            "day": self.day,
            "facts": lambda said: _NAME.sub(lambda found: _shortened(found[0]), said),
            "labels": lambda said: self.value("labels", said),
            "rule": lambda said: self._known("ruling", said),
        }
        """How the cells of some columns are written; those of others are terms."""

    def term(self, group: str, name: str, values: Mapping[str, Cell] | None = None) -> str:
        """Return a term, with its numbers in place."""
        text: str = self._texts[group][name]
        return self.filled(text, values or {})

    def pair(self, group: str, name: str, values: Mapping[str, Cell] | None = None) -> tuple[str, str]:
        """Return heading and text of a statement."""
        found: Mapping[str, str] = self._texts[group][name]
        return found["title"], self.filled(found["text"], values or {})

    def filled(self, text: str, values: Mapping[str, Cell]) -> str:
        """Put values into a sentence."""
        return text.format_map({name: self.value(name, value) for name, value in values.items()})

    def value(self, name: str, value: Cell) -> str:
        """Return what a value is called."""
        if isinstance(value, int):
            return self.number(value)
        if name in _SPLIT:
            return ", ".join(self._known(_SPLIT[name], word) for word in value.split()) or self.term("page", "none")
        return value

    def number(self, value: int) -> str:
        """Write a number with its thousands apart."""
        written = f"{value:,}"
        return written.replace(",", ".") if self.language is Language.GERMAN else written

    def day(self, iso: str) -> str:
        """Write a day."""
        year, month, day = iso[:10].split("-")
        return f"{day}.{month}.{year}" if self.language is Language.GERMAN else f"{year}-{month}-{day}"

    def from_to(self, first: str, last: str) -> str:
        """Write from when until when."""
        return self.term("page", "from_to", {"first": first, "last": last})

    def moment(self, iso: str) -> str:
        """Write a moment of UTC to the second; "" stays so."""
        return f"{self.day(iso)} {iso[11:19]}" if iso else ""

    def grid(self, table: Table, title: str = "") -> Grid:
        """Put a table into words."""
        note = self.term("page", "more", {"count": table.more}) if table.more else ""
        return Grid(
            title=title or self.term("table", table.name),
            heads=[self.term("column", column) for column in table.columns],
            kinds=[_kind(column) for column in table.columns],
            rows=[[self.cell(name, one) for name, one in zip(table.columns, row, strict=True)] for row in table.rows],
            note=note if table.rows else self.term("page", "nothing"),
        )

    def cell(self, column: str, cell: Cell) -> str:
        """Write one cell as its column demands."""
        if isinstance(cell, int):
            return _PLAIN[column].format(cell) if column in _PLAIN else self.number(cell)
        writes = self._writes.get(column)
        return self._known(column, cell) if writes is None else writes(cell)

    def _known(self, group: str, word: str) -> str:
        """Return the word for a term; what no list of terms holds (a department) is its own word."""
        return str(self._texts.get(group, {}).get(word, word))


@cache
def load(language: Language) -> dict[str, Any]:
    """Read the catalogue of a language."""
    return tomllib.loads((files(__package__) / "texts" / f"{language.value}.toml").read_text(encoding="utf-8"))


def _kind(column: str) -> str:
    if column in NUMBERS:
        return "number"
    if column in _MOMENTS or column == "day":
        return "time"
    if column == "action":
        return "term"
    if column in {"facts", "rule", "problem"}:
        return "long"
    return "code" if column in CODES else "text"


def _shortened(code: str) -> str:
    return f"{code[:_SHOWN]}…" if _NAME.fullmatch(code) else code
