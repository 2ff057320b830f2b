"""The extract as a patient reads it: a page, a text, or facts for machines; the same in each of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from pacs_secure.archive import trail_rows as rows
from pacs_secure.archive.trail_english import ENGLISH
from pacs_secure.archive.trail_german import GERMAN
from pacs_secure.archive.trail_words import Words
from pacs_secure.core.errors import Malformed
from pacs_secure.core.reports import Language
from pacs_secure.core.trails import Trail

WORDS: Mapping[Language, Words] = {words.language: words for words in (GERMAN, ENGLISH)}

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "Segoe UI", Roboto, Arial, sans-serif; color: #1b1f24; background: #fff;
  max-width: 60rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .6rem; border-bottom: 2px solid #d5dbe1; padding-bottom: .25rem; }
.subtitle { color: #4a545e; margin: .35rem 0 1.25rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 0; }
dt { color: #4a545e; } dd { margin: 0; font-weight: 600; }
ul { padding-left: 1.2rem; } li { margin: .3rem 0; }
.counts { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .6rem; }
.counts li { background: #eef3f8; border-radius: .5rem; padding: .5rem .8rem; margin: 0; }
.counts b { font-size: 1.25rem; margin-right: .35rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .6rem; border-bottom: 1px solid #d5dbe1; }
th { background: #f4f6f8; } tbody tr:nth-child(even) { background: #fafbfc; }
td small { display: block; color: #4a545e; } td.when { white-space: nowrap; }
tr.refused td { color: #7a3b00; background: #fff6ec; }
@media (max-width: 40rem) { thead { position: absolute; left: -999rem; } tr, td { display: block; } td { border: 0; }
  tr { border-bottom: 1px solid #d5dbe1; padding: .4rem 0; }
  td::before { content: attr(data-label) ": "; color: #4a545e; } }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } thead { display: table-header-group; }
  tr { break-inside: avoid; } @page { size: A4; margin: 18mm; } }
"""


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name; raise `Malformed` for what is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise Malformed("the time zone is none that is known here") from None


def machine(trail: Trail, language: Language, zone: tzinfo) -> dict[str, Any]:
    """Return the extract for machines, with the words beside the facts."""
    return rows.told(trail, WORDS[language], zone)


def text(trail: Trail, language: Language, zone: tzinfo) -> str:
    """Return the extract as plain text."""
    words = WORDS[language]
    phrases = words.phrases
    lines = [phrases["title"], phrases["subtitle"], ""]
    lines += [f"{label}: {value}" for label, value in rows.head(trail, words, zone)]
    lines += ["", phrases["summary"]]
    lines += [f"  {count} x {what}" for count, what in rows.counts(trail, words)] or [f"  {phrases['nothing']}"]
    lines += [f"  {phrases['recipients']}: {', '.join(rows.recipients(trail, words)) or phrases['nobody']}"]
    if trail.examinations:
        lines += ["", phrases["examinations"]]
        lines += ["  " + "  ".join(cells) for cells in rows.examinations(trail, words)]
    if trail.accesses:
        lines += ["", phrases["accesses"]]
    for access in trail.accesses:
        when, what, which, why, who, how = (cell.replace("\n", ", ") for cell in rows.row(access, words, zone))
        lines += [f"  {when}  {what} ({how})"]
        said = (("which", which), ("why", why), ("who", who))
        lines += [f"      {phrases[name]}: {cell}" for name, cell in said]
    lines += ["", phrases["notes"], *(f"  - {note}" for note in rows.notes(trail, words))]
    return "\n".join(lines) + "\n"


def page(trail: Trail, language: Language, zone: tzinfo) -> str:
    """Return the extract as one page of HTML that needs nothing from anywhere."""
    words = WORDS[language]
    phrases = {name: escape(phrase) for name, phrase in words.phrases.items()}
    body = [
        f"<h1>{phrases['title']}</h1>",
        f'<p class="subtitle">{phrases["subtitle"]}</p>',
        "<dl>"
        + "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in rows.head(trail, words, zone))
        + "</dl>",
        f"<h2>{phrases['summary']}</h2>",
        *_summary(trail, words),
    ]
    if trail.examinations:
        labels = [words.phrases[name] for name in ("number", "date", "kind")]
        examined = [(cells, "") for cells in rows.examinations(trail, words)]
        body += [f"<h2>{phrases['examinations']}</h2>", *_table(labels, examined)]
    if trail.accesses:
        labels = [words.phrases[name] for name in ("when", "what", "which", "why", "who", "how")]
        found = [(rows.row(access, words, zone), access.outcome.value) for access in trail.accesses]
        body += [f"<h2>{phrases['accesses']}</h2>", *_table(labels, found)]
    notes = "".join(f"<li>{escape(note)}</li>" for note in rows.notes(trail, words))
    body += [f"<h2>{phrases['notes']}</h2>", f"<ul>{notes}</ul>"]
    return (
        f'<!doctype html>\n<html lang="{language.value}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{phrases['title']}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _summary(trail: Trail, words: Words) -> Iterator[str]:
    counts = rows.counts(trail, words)
    if counts:
        yield '<ul class="counts">'
        yield from (f"<li><b>{count}&times;</b>{escape(what)}</li>" for count, what in counts)
        yield "</ul>"
    else:
        yield f"<p>{escape(words.phrases['nothing'])}</p>"
    given = ", ".join(rows.recipients(trail, words)) or words.phrases["nobody"]
    yield f"<p>{escape(words.phrases['recipients'])}: <strong>{escape(given)}</strong></p>"


def _table(labels: Sequence[str], found: Sequence[tuple[Sequence[str], str]]) -> Iterator[str]:
    """Yield a table; a cell's further lines stand smaller below its first."""
    heads = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for cells, kind in found:
        columns = zip(labels, cells, strict=True)
        yield f'<tr class="{kind}">' + "".join(_cell(label, cell) for label, cell in columns) + "</tr>"
    yield "</tbody></table>"


def _cell(label: str, cell: str) -> str:
    first, *more = map(escape, rows.lines(cell))
    return f'<td data-label="{escape(label)}">{first}' + "".join(f"<small>{line}</small>" for line in more) + "</td>"
