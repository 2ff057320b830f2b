"""Ties scenarios to controls: the catalogue is the marker registry, and a proven control must pass.

After a run of the whole of ``tests/bdd`` a control marked proven without a passing scenario fails
the session. What each scenario showed is written as JSON, for the compliance report.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import pytest
import yaml
from pytest_bdd.scenario import scenario_wrapper_template_registry

from pacs_secure import __version__

ROOT = Path(__file__).parents[1]
CATALOGUE = ROOT / "compliance" / "controls.yaml"
SCENARIOS = ROOT / "tests" / "bdd"


class Control(TypedDict):
    """One sentence of the catalogue."""

    id: str
    title_de: str
    title_en: str
    refs: list[str]
    basis: list[str]
    statement: str
    verification: str
    evidence_query: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Shown:
    """How one scenario came out."""

    feature: str
    scenario: str
    outcome: str
    seconds: float


def catalogue() -> list[Control]:
    """Read every control."""
    controls: list[Control] = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    return controls


def unproven(controls: list[Control], shown: dict[str, list[Shown]]) -> list[str]:
    """Return the controls that are marked proven and have no passing scenario."""
    return [
        control["id"]
        for control in controls
        if control["status"] == "proven"
        and not any(scenario.outcome == "passed" for scenario in shown.get(control["id"], []))
    ]


class Evidence:
    """Collects, over all workers, which scenario of which control came out how."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.controls = catalogue()
        self.shown: dict[str, list[Shown]] = {}
        self.files: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.files.add(report.nodeid.split("::")[0])
        properties = dict(report.user_properties)
        if "scenario" not in properties or (report.when != "call" and report.passed):
            return
        feature, scenario = str(properties["feature"]), str(properties["scenario"])
        for control in str(properties["controls"]).split():
            self.shown.setdefault(control, []).append(Shown(feature, scenario, report.outcome, report.duration))

    def whole(self) -> bool:
        """Whether every scenario had its turn: no file left out, nothing narrowed by name or mark."""
        options = self.config.option
        narrowed = (
            options.keyword
            or options.markexpr
            or getattr(options, "lf", False)
            or options.deselect
            or options.collectonly
        )
        expected = {path.relative_to(ROOT).as_posix() for path in SCENARIOS.glob("test_*.py")}
        by_name = any("::" in argument for argument in self.config.args)
        return bool(expected) and expected <= self.files and not narrowed and not by_name

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.shown:
            self._write()
        if self.whole() and unproven(self.controls, self.shown):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.config.getoption("--compliance"):
            terminalreporter.section("controls")
            for line in self._matrix():
                terminalreporter.line(line)
        if self.whole():
            for control in unproven(self.controls, self.shown):
                terminalreporter.line(f"FAILED {control} is marked proven and no scenario of it passed", red=True)

    def _matrix(self) -> Iterator[str]:
        for control in self.controls:
            scenarios = self.shown.get(control["id"], [])
            passed = sum(scenario.outcome == "passed" for scenario in scenarios)
            came_out = f"{passed}/{len(scenarios)} passed" if scenarios else ""
            yield f"{control['id']}  {control['status']:<8} {came_out:<14} {control['title_en']}"
        counted = [control["status"] for control in self.controls]
        yield f"{counted.count('proven')} proven, {counted.count('planned')} planned, {len(counted)} in all"

    def _write(self) -> None:
        path = Path(self.config.getoption("--evidence") or ROOT / ".pytest_cache" / "evidence.json")
        content = {
            "generated_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
            "commit": _commit(),
            "whole": self.whole(),
            "controls": {
                control["id"]: {
                    "status": control["status"],
                    "scenarios": [
                        {
                            "feature": shown.feature,
                            "scenario": shown.scenario,
                            "outcome": shown.outcome,
                            "seconds": round(shown.seconds, 3),
                        }
                        for shown in self.shown.get(control["id"], [])
                    ],
                }
                for control in self.controls
            },
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _commit() -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    told = subprocess.run([git, "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=10)
    return told.stdout.strip() or None


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("compliance")
    group.addoption("--compliance", action="store_true", help="show each control with how its scenarios came out")
    group.addoption("--evidence", metavar="FILE", help="where to write what each scenario showed, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    for control in catalogue():
        config.addinivalue_line("markers", f"{control['id']}: {control['title_en']}")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Evidence(config), "evidence")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Write on each scenario which controls it speaks for; workers send it along with the report."""
    known = {control["id"] for control in catalogue()}
    for item in items:
        function = getattr(item, "function", None)
        template = scenario_wrapper_template_registry.get(function) if function else None
        if template is not None:
            marked = sorted({mark.name for mark in item.iter_markers()} & known)
            item.user_properties += [
                ("feature", template.feature.rel_filename),
                ("scenario", template.name),
                ("controls", " ".join(marked)),
            ]
