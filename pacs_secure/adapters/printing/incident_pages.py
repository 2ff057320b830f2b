"""Lays out what is known of an incident, stage by stage."""

from pacs_secure.adapters.printing.ledger_pages import blind_spots, integrity_facts, problems, tiles
from pacs_secure.adapters.printing.pages import Grid, Item, Page, Section
from pacs_secure.adapters.printing.words import Words
from pacs_secure.core.incidents import Incident
from pacs_secure.core.incidents import Item as Demanded
from pacs_secure.core.reports import Cell, Language, Table

_MOST_SHOWN = 5_000
"""Pseudonyms that are set; all of them stand in the JSON, which a PDF carries with it."""
_SIDE_BY_SIDE = 3


def lay_out(incident: Incident, language: Language) -> Page:
    """Put what is known of an incident into the words of a language."""
    words = Words(language)
    begins, ends = words.moment(incident.begins_at), words.moment(incident.ends_at)
    year, month, day = (int(part) for part in incident.ends_at[:10].split("-"))
    facts = {
        "institution": incident.institution,
        "stage": words.term("stage", incident.stage.value),
        "period": f"{words.from_to(begins, ends)} UTC",
        "cause": incident.cause,
        "origin": incident.origin,
        "software": f"pacs_secure {incident.software}",
    }
    return Page(
        language=language.value,
        title=words.term("page", "incident_title"),
        subtitle=f"{incident.institution} · {words.term('stage', incident.stage.value)}",
        facts=[(words.term("page", name), said) for name, said in facts.items()]
        + integrity_facts(incident.integrity, words),
        sound=incident.integrity.sound,
        verdict=words.term("page", "sound" if incident.integrity.sound else "unsound"),
        state=words.term("page", "closed" if incident.closed else "unclosed"),
        tiles=tiles(incident.totals, words),
        notes=[words.term("page", name) for name in ("draft_stage", "pseudonyms", "signed")],
        sections=_sections(incident, words),
        signing=[words.term("page", name) for name in ("sign_place", "sign_name")],
        contents=words.term("page", "contents"),
        page_word=words.term("page", "page"),
        attached=words.term("page", "attached"),
        date=(year, month, day),
    )


def _sections(incident: Incident, words: Words) -> list[Section]:
    scope = [Item("", words.term("narrowed", point.name, point.values)) for point in incident.narrowed]
    kinds = [Item("", words.term("category", point.name, point.values)) for point in incident.categories]
    sections = [
        *problems(incident.integrity, words),
        Section(
            words.term("section", "incident-items"),
            words.term("intro", "incident-items"),
            items=[_item(one, incident, words) for one in incident.items],
        ),
        Section(words.term("section", "incident-scope"), words.term("intro", "incident-scope"), items=[*scope, *kinds]),
        Section(
            words.term("section", "incident-acts"),
            words.term("intro", "incident-acts"),
            grids=[words.grid(table) for table in incident.tables],
        ),
        blind_spots(incident.blind_spots, words),
    ]
    if incident.persons is not None:
        listed = [_persons(incident.persons, words)]
        title, intro = words.term("section", "incident-persons"), words.term("intro", "incident-persons")
        sections.append(Section(title, intro, grids=listed))
    return sections


def _persons(persons: Table, words: Words) -> Grid:
    """Lay out pseudonyms in full, side by side."""
    names = [str(name) for (name,) in persons.rows[:_MOST_SHOWN]]
    beyond = len(persons.rows) - len(names)
    names += [""] * (-len(names) % _SIDE_BY_SIDE)
    rows = [names[place : place + _SIDE_BY_SIDE] for place in range(0, len(names), _SIDE_BY_SIDE)]
    note = words.term("page", "more_persons", {"count": beyond}) if beyond else ""
    heads, kinds = [words.term("column", "patient")] * _SIDE_BY_SIDE, ["code"] * _SIDE_BY_SIDE
    return Grid(words.term("table", persons.name), heads, kinds, rows, note if rows else words.term("page", "none"))


def _item(one: Demanded, incident: Incident, words: Words) -> Item:
    """Say one thing that is demanded: in figures of the ledger, in people's own words, or that nobody knows it yet."""
    title = words.term("item", one.name)
    state = words.term("page", "known" if one.known else "unknown")
    if one.name == "categories":
        kinds = [words.term("category", point.name, point.values) for point in incident.categories]
        return Item(title, "; ".join(kinds), state, strong=not one.known)
    if one.values:
        name, values = one.name, {key: _shown(key, value, words) for key, value in one.values.items()}
        if name == "ledger":
            name = "ledger-sound" if one.known else "ledger-unsound"
        return Item(title, words.term("item_known", name, values), state, strong=not one.known)
    said = f"{words.term('page', 'own_words')}: {one.said}" if one.said else ""
    return Item(title, said, state, strong=not one.known)


def _shown(name: str, value: Cell, words: Words) -> Cell:
    return words.moment(str(value)) if name in {"begins", "ends"} else value
