"""What is installed is pinned by hash, and no file says from where."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "requirements" / name for name in ("runtime.txt", "dev.txt")]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==", re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\s\[<>=!~;]", requirement)[0]) for requirement in requirements}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_requirements_file_names_no_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"://|--(extra-)?index|--find-links|\b[\w-]+\.(org|com|io|net|dev)\b", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_requirement_has_a_version_and_hashes(path: Path) -> None:
    for block in re.split(r"\n(?=\S)", path.read_text(encoding="utf-8").strip()):
        assert PINNED.match(block), block
        assert "--hash=sha256:" in block, block


def test_every_dependency_of_the_project_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime, everything = (set(map(normal, PINNED.findall(path.read_text(encoding="utf-8")))) for path in FILES)
    extras = [name for names in project["project"]["optional-dependencies"].values() for name in names]

    assert wanted(project["project"]["dependencies"]) <= runtime <= everything
    assert wanted(extras + project["build-system"]["requires"]) <= everything
