"""Bars as SVG that any page may hold: no script, no style, no font, and the same bytes for the same numbers."""

import io
import re
import threading
from collections.abc import Callable, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pacs_secure.adapters.printing.glyphs import drawable

mpl.rcParams.update(
    {"svg.hashsalt": "pacs_secure", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 8}
)

INK, BAR, GRID = "#1c2b33", "#2f6f7e", "#d9e2e4"
_DRAWING = threading.Lock()
"""matplotlib keeps state: one plot at a time."""
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_PROLOGUE = re.compile(r"\A.*?(?=<svg )", re.DOTALL)
_STYLE = re.compile(r'style="([^"]*)"')
_STYLE_ELEMENT = re.compile(r"\s*<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>")
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_NAMED = re.compile(r'(\bid="|xlink:href="#|url\(#)')
_LONGEST_LABEL = 26
_LABELS_OVER = 16
"""Bars beyond which not every one gets its label."""


def upright(labels: Sequence[str], values: Sequence[int], number: int) -> str:
    """Draw bars side by side, in the order given: hours, days or months. ``number`` keeps figures of one page apart."""
    return _drawn(lambda axes: _upright(axes, labels, values), (6.9, 1.75), number)


def lying(labels: Sequence[str], values: Sequence[int], number: int) -> str:
    """Draw bars below each other, the first on top."""
    return _drawn(lambda axes: _lying(axes, labels, values), (3.35, 0.42 + 0.19 * max(3, len(labels))), number)


def _upright(axes: Axes, labels: Sequence[str], values: Sequence[int]) -> None:
    places = range(len(labels))
    axes.bar(places, values, color=BAR, width=0.78)
    step = -(-len(labels) // _LABELS_OVER)
    axes.set_xticks(list(places)[::step], _labels(labels)[::step], parse_math=False)
    axes.set_xlim(-0.7, len(labels) - 0.3)
    axes.set_ylim(0, max(1, *values) * 1.08)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(axis="y", color=GRID, linewidth=0.6)


def _lying(axes: Axes, labels: Sequence[str], values: Sequence[int]) -> None:
    places = range(len(labels))
    axes.barh(places, values, color=BAR, height=0.66)
    axes.set_yticks(list(places), _labels(labels), parse_math=False)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, max(1, *values) * 1.12)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.grid(axis="x", color=GRID, linewidth=0.6)


def _labels(labels: Sequence[str]) -> list[str]:
    """Return labels that are text and nothing else, whoever named a department."""
    return [drawable(label[:_LONGEST_LABEL].replace("\n", " ")) for label in labels]


def _drawn(draw: Callable[[Axes], None], size: tuple[float, float], number: int) -> str:
    with _DRAWING:
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_axisbelow(True)
        axes.tick_params(colors=INK, length=0)
        for side, spine in axes.spines.items():
            spine.set_visible(side in {"left", "bottom"})
            spine.set_color(GRID)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata=_NO_METADATA)
    return _plain(written.getvalue(), number)


def _plain(svg: str, number: int) -> str:
    """Return the picture alone, with attributes in place of styles: a strict Content-Security-Policy forbids those."""
    for unwanted in (_PROLOGUE, _METADATA, _STYLE_ELEMENT, _COMMENT):
        svg = unwanted.sub("", svg)
    svg = _STYLE.sub(_attributes, svg)
    svg = svg.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    return _NAMED.sub(lambda found: f"{found[1]}f{number}-", svg)


def _attributes(style: re.Match[str]) -> str:
    pairs = [rule.partition(":") for rule in style[1].split(";") if rule.strip()]
    return " ".join(f'{name.strip()}="{value.strip()}"' for name, _, value in pairs)
