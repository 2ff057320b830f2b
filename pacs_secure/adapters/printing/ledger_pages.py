"""Lays out the report on a period: verdict and numbers first, then what happened, then what to do about it."""

from pacs_secure.adapters.printing import plots
from pacs_secure.adapters.printing.pages import Figure, Grid, Item, Page, Section
from pacs_secure.adapters.printing.words import Words
from pacs_secure.core.reports import Flagged, Integrity, Language, Point, Report, Table

CHAPTERS: dict[str, tuple[str, ...]] = {
    "refused": ("refusals",),
    "emergency": ("break-glass",),
    "passed-on": ("disclosures", "recipients", "sharing"),
    "changes": ("erasures", "policy", "keys", "revocations"),
    "watch": ("alarms", "oversight", "open"),
}
"""Sections, and the tables that stand in each."""

_PLOTTED = ("action", "role", "department", "purpose")
_LISTED = ("outcome", "door")
_MOST_BARS = 10
_MOST_DAYS = 92
"""Days beyond which months are drawn."""


def lay_out(report: Report, language: Language) -> Page:
    """Put a report into the words of a language."""
    words = Words(language)
    year, month, day = (int(part) for part in report.last_day.split("-"))
    return Page(
        language=language.value,
        title=words.term("page", "report_title"),
        subtitle=f"{report.institution} · {_period(report, words)}",
        facts=_facts(report, words),
        sound=report.integrity.sound,
        verdict=words.term("page", "sound" if report.integrity.sound else "unsound"),
        state=words.term("page", "closed" if report.closed else "unclosed"),
        tiles=tiles(report.totals, words),
        notes=[words.term("page", name) for name in ("pseudonyms", "signed")],
        sections=_sections(report, words),
        signing=[words.term("page", name) for name in ("sign_place", "sign_name")],
        contents=words.term("page", "contents"),
        page_word=words.term("page", "page"),
        attached=words.term("page", "attached"),
        date=(year, month, day),
    )


def tiles(totals: tuple[Point, ...], words: Words) -> list[tuple[str, str]]:
    """Return the numbers that are seen first."""
    return [(words.value("count", total.values["count"]), words.term("total", total.name)) for total in totals]


def integrity_facts(integrity: Integrity, words: Words) -> list[tuple[str, str]]:
    """Return which tree covers what was read, and who signed it."""
    none = words.term("page", "none")
    size, root = integrity.checkpoint_size, integrity.checkpoint_root
    covered = words.term("page", "covered", {"size": size}) if size else words.term("page", "uncovered")
    told = {
        "checkpoint": covered,
        "root": root or none,
        "witnesses": ", ".join(integrity.witnesses) or none,
    }
    if integrity.witnesses and integrity.witnessed_size <= integrity.last_entry:
        told["witnesses"] += f" ({words.term('page', 'witnessed-part', {'size': integrity.witnessed_size})})"
    return [(words.term("page", name), said) for name, said in told.items()]


def problems(integrity: Integrity, words: Words) -> list[Section]:
    """Return the section on what was found wanting; none when nothing was."""
    if not integrity.problems.rows:
        return []
    grid = words.grid(integrity.problems)
    return [Section(words.term("section", "problems"), words.term("intro", "problems"), grids=[grid])]


def statements(points: tuple[Point, ...], group: str, words: Words) -> list[Item]:
    """Return headings with their texts."""
    return [Item(*words.pair(group, point.name, point.values)) for point in points]


def blind_spots(names: tuple[str, ...], words: Words) -> Section:
    """Return what cannot be seen."""
    items = [Item("", words.term("blind", name)) for name in names]
    return Section(words.term("section", "blind-spots"), words.term("intro", "blind-spots"), items=items)


def _period(report: Report, words: Words) -> str:
    return words.from_to(words.day(report.first_day), words.day(report.last_day))


def _facts(report: Report, words: Words) -> list[tuple[str, str]]:
    integrity, none = report.integrity, words.term("page", "none")
    within = integrity.first_entry >= 0
    entries = {"first": integrity.first_entry, "last": integrity.last_entry}
    told = {
        "institution": report.institution,
        "period": _period(report, words),
        "time_zone": report.time_zone,
        "origin": report.origin,
        "software": f"pacs_secure {report.software}",
        "policies": ", ".join(version[:16] for version in report.policies) or none,
        "entries": words.term("page", "entry_range", entries) if within else none,
    }
    return [(words.term("page", name), said) for name, said in told.items()] + integrity_facts(integrity, words)


def _sections(report: Report, words: Words) -> list[Section]:
    tables = {table.name: table for table in report.chapters}
    points = [Item("", words.term("point", point.name, point.values), strong=True) for point in report.open_points]
    counts = {table.name: table for table in report.counts}
    return [
        *problems(report.integrity, words),
        Section(words.term("section", "open-points"), items=points or [Item("", words.term("page", "none"))]),
        _activity(counts, words),
        _counts(counts, words),
        *(_chapter(name, [tables[one] for one in held], words) for name, held in CHAPTERS.items()),
        _unusual(report.unusual, words),
        blind_spots(report.blind_spots, words),
        _statements("processing", report.processing, "processing", words),
        _statements("measures", report.measures, "measure", words),
    ]


def _chapter(name: str, tables: list[Table], words: Words) -> Section:
    return Section(
        words.term("section", name), words.term("intro", name), grids=[words.grid(table) for table in tables]
    )


def _statements(name: str, points: tuple[Point, ...], group: str, words: Words) -> Section:
    items = statements(points, group, words)
    return Section(words.term("section", name), words.term("intro", name), items=items)


def _activity(counts: dict[str, Table], words: Words) -> Section:
    hours = [(f"{hour:02d}", int(acts)) for hour, acts in counts["hour"].rows]
    days = [(str(day), int(acts)) for day, acts in counts["day"].rows]
    name, shown = "day", [(words.day(day)[:6] if words.language is Language.GERMAN else day[5:], n) for day, n in days]
    if len(days) > _MOST_DAYS:
        name, shown = "month", _months(days)
    figures = [_upright(name, shown, words, 1), _upright("hour", hours, words, 2)]
    return Section(words.term("section", "activity"), words.term("intro", "activity"), figures)


def _months(days: list[tuple[str, int]]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for day, acts in days:
        found[day[:7]] = found.get(day[:7], 0) + acts
    return list(found.items())


def _counts(counts: dict[str, Table], words: Words) -> Section:
    figures = [_lying(counts[name], words, 3 + place) for place, name in enumerate(_PLOTTED) if counts[name].rows]
    grids = [words.grid(counts[name]) for name in ("action", *_PLOTTED[1:], *_LISTED)]
    return Section(words.term("section", "counts"), words.term("intro", "counts"), figures, grids)


def _upright(name: str, shown: list[tuple[str, int]], words: Words, number: int) -> Figure:
    title = words.term("table", name)
    svg = plots.upright([label for label, _ in shown], [acts for _, acts in shown], number)
    return Figure(svg, title, _alternative(title, shown, words), wide=True)


def _lying(table: Table, words: Words, number: int) -> Figure:
    title = words.term("table", table.name)
    shown = [(words.cell(table.name, kind), int(acts)) for kind, acts in table.rows[:_MOST_BARS]]
    svg = plots.lying([label for label, _ in shown], [acts for _, acts in shown], number)
    return Figure(svg, title, _alternative(title, shown, words), wide=False)


def _alternative(title: str, shown: list[tuple[str, int]], words: Words) -> str:
    busiest = sorted((pair for pair in shown if pair[1]), key=lambda pair: -pair[1])[:5]
    said = ", ".join(f"{label}: {words.number(acts)}" for label, acts in busiest)
    return words.term("page", "figure", {"title": title, "said": said or words.term("page", "none")})


def _unusual(flagged: tuple[Flagged, ...], words: Words) -> Section:
    items = [_rule(one, words) for one in flagged]
    return Section(words.term("section", "unusual"), words.term("intro", "unusual"), items=items)


def _rule(one: Flagged, words: Words) -> Item:
    title, text = words.pair("rule", one.rule, one.limits)
    if one.found is None:
        return Item(title, text, words.term("page", "not_computable"))
    state = words.term("page", "flagged", {"persons": one.persons})
    grid: Grid | None = words.grid(one.found, title) if one.found.rows else None
    return Item(title, text, state, strong=bool(one.persons), grid=grid)
