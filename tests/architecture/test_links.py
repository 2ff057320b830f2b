"""Documents lead where they say: every relative link and every quoted path exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
QUOTED = re.compile(
    r"`((?:pacs_secure|policies|compliance|features|tests|benchmarks|deploy|requirements)/[\w./-]*\w/?)`"
)
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_and_path_in_a_document_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [target for target in LINK.findall(text) if not re.match(r"[a-z]+:", target)]

    broken = [target for target in links if not (document.parent / target).exists()]
    broken += [target for target in QUOTED.findall(text) if not (ROOT / target).exists()]

    assert broken == []
