"""Unit tests stand where the code stands: one file a module, or a reason why not."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pacs_secure"

ELSEWHERE: dict[str, str] = {
    "ports.py": "Protocols only; each has a suite in tests/contract",
}
"""Modules without a unit test file of their own, and where they are tested instead."""


def has_code(path: Path) -> bool:
    """Whether a module does anything: functions, or classes with methods that are more than a signature."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))


def expected(path: Path) -> list[Path]:
    """Return the names under which the unit tests of a module are found."""
    inside = path.relative_to(PACKAGE)
    folder = ROOT / "tests" / "unit" / inside.parent
    plain = inside.parent.name if inside.stem == "__init__" else inside.stem
    area = inside.parent.name or "pacs_secure"
    return [folder / f"test_{plain}.py", folder / f"test_{area}_{plain}.py"]


def test_every_module_with_code_has_its_unit_tests_or_a_reason() -> None:
    modules = [path for path in sorted(PACKAGE.rglob("*.py")) if has_code(path)]
    lacking = [
        path.relative_to(PACKAGE).as_posix()
        for path in modules
        if not any(candidate.exists() for candidate in expected(path))
    ]

    assert [name for name in lacking if name not in ELSEWHERE] == []


def test_every_reason_is_still_needed() -> None:
    stale = [
        name
        for name in ELSEWHERE
        if not (PACKAGE / name).exists() or any(candidate.exists() for candidate in expected(PACKAGE / name))
    ]

    assert stale == []
