"""Tests stand where the code stands: each module is met by name in its own folder of tests, or a reason says where."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pacs_secure"

_COMMANDS = (
    "database",
    "backup",
    "devices",
    "facts",
    "files",
    "incident",
    "ledger",
    "ledger_report",
    "ledger_retention",
    "one_machine",
    "policy",
    "sending",
    "sessions",
)

ELSEWHERE: dict[str, str] = {
    **{f"pacs_secure.cli.{name}": "tests/unit/cli/test_cli.py runs its commands" for name in _COMMANDS},
    "pacs_secure.fittings": "tests/world.py furnishes a house with them below every feature",
    "pacs_secure.quickstart.command": "tests/integration/test_quickstart.py starts, shows and stops by it",
    "pacs_secure.serving": "tests/integration/test_quickstart.py opens and ends it",
    "pacs_secure.upkeep": "tests/integration/test_quickstart.py has it run beside the doors",
    "pacs_secure.web.parts": "tests/unit/web/test_web_studies.py reads every kind of body that it packs",
}
"""Modules that no unit or contract test imports, and what tests them instead."""


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def has_code(path: Path) -> bool:
    """Whether a module does anything: a function with a body that is more than a docstring."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return any(not isinstance(statement, ast.Expr) for function in functions for statement in function.body)


@cache
def imported(path: Path) -> set[str]:
    """Return every module of the package that a test file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def met(path: Path) -> bool:
    """Whether a unit test bears the module's name, or one beside it, or a contract or security suite, imports it."""
    own = "_".join(("test", *path.relative_to(PACKAGE).with_suffix("").parts))
    if any((ROOT / "tests" / "unit").rglob(f"{own}.py")):
        return True
    folder = ROOT / "tests" / "unit" / path.parent.relative_to(PACKAGE)
    tests = [
        *folder.glob("*.py"),
        *(ROOT / "tests" / "contract").glob("*.py"),
        *(ROOT / "tests" / "security").glob("*.py"),
    ]
    return any(module(path) in imported(test) for test in tests)


def test_every_module_with_code_is_met_by_its_tests_or_has_a_reason() -> None:
    modules = [path for path in sorted(PACKAGE.rglob("*.py")) if has_code(path)]

    assert [module(path) for path in modules if not met(path) and module(path) not in ELSEWHERE] == []


def test_every_reason_is_still_needed() -> None:
    modules = {module(path): path for path in PACKAGE.rglob("*.py")}

    assert [name for name in ELSEWHERE if name not in modules or met(modules[name])] == []
