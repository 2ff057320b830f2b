"""One self-contained page: no script, nothing from elsewhere, and a policy inside that says so."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from pacs_secure.adapters.printing.pages import Page


def as_html(page: Page) -> bytes:
    """Write a page as HTML; everything but our own figures is escaped."""
    style = _read("report.css")
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    # Our own text, and figures of numbers and outlines only (plots.py): nothing in them comes from a request.
    trusted = {"style": Markup(style), "svg": Markup}  # noqa: S704
    return _template().render(page=page, policy=policy, **trusted).encode()


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, loader=FunctionLoader(_read), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html")


def _read(name: str) -> str:
    return (files("pacs_secure.adapters.printing") / "templates" / name).read_text(encoding="utf-8")
