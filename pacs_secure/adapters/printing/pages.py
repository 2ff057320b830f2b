"""What is printed, whatever it is printed with: sections of sentences, figures and grids, all in words already."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grid:
    """A table in words."""

    title: str
    heads: list[str]
    kinds: list[str]
    """Of each column: "number", "code" (a pseudonym), "time", "long", "term" or "text"."""
    rows: list[list[str]]
    note: str = ""
    """What is said below: that there are more rows, or that there are none."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot, with what it shows for those who cannot see it."""

    svg: str
    title: str
    alternative: str
    wide: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A statement with a heading."""

    title: str
    text: str
    state: str = ""
    """A word beside the heading, such as how often a rule flagged."""
    strong: bool = False
    """Whether somebody has to act on it."""
    grid: Grid | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered part."""

    title: str
    intro: str = ""
    figures: list[Figure] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    """The whole document."""

    language: str
    title: str
    subtitle: str
    facts: list[tuple[str, str]]
    sound: bool
    verdict: str
    state: str
    tiles: list[tuple[str, str]]
    """Numbers that are seen first, with their words."""
    notes: list[str]
    sections: list[Section]
    signing: list[str]
    contents: str
    page_word: str
    attached: str
    date: tuple[int, int, int]
    """The day the document speaks of."""
