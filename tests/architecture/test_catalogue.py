"""The catalogue of controls is whole, and every tag and every promise in it leads somewhere."""

import re
from pathlib import Path

import pytest

from tests.evidence import ROOT, Control, Shown, catalogue, unproven

FEATURES = ROOT / "features"
TAG = re.compile(r"@([A-Z]{3}-\d{2})\b")
FIELDS = set(Control.__annotations__)


def tags(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {tag for line in lines if line.strip().startswith("@") for tag in TAG.findall(line)}


def test_the_catalogue_holds_sixty_controls_and_each_id_once() -> None:
    ids = [control["id"] for control in catalogue()]

    assert len(ids) == len(set(ids)) == 60
    assert all(re.fullmatch(r"(ACC|LOG|DSR|RET|INT|SEC|RES|GOV)-\d{2}", control) for control in ids)


@pytest.mark.parametrize("control", catalogue(), ids=lambda control: str(control["id"]))
def test_a_control_says_everything_that_it_has_to(control: Control) -> None:
    assert set(control) == FIELDS
    assert control["status"] in {"proven", "planned", "withdrawn"}
    assert set(control["basis"]) <= {"source", "measured", "memory", "own rule"}
    assert control["title_de"]
    assert control["title_en"]
    assert control["statement"].endswith(".")


@pytest.mark.parametrize("control", catalogue(), ids=lambda control: str(control["id"]))
def test_the_verification_of_a_proven_control_is_a_scenario_that_carries_its_tag(control: Control) -> None:
    feature, tag = control["verification"].split(" @")

    assert tag == control["id"]
    if control["status"] == "proven":
        assert tag in tags(ROOT / feature)


def test_every_tag_of_a_feature_is_a_control() -> None:
    used = {tag for path in FEATURES.glob("*.feature") for tag in tags(path)}

    assert used <= {control["id"] for control in catalogue()}


def test_every_feature_is_run() -> None:
    missing = [
        path.name
        for path in FEATURES.glob("*.feature")
        if not (ROOT / "tests" / "bdd" / f"test_{path.stem}.py").exists()
    ]

    assert not missing


def a_control(status: str) -> Control:
    return {**catalogue()[0], "status": status}


@pytest.mark.parametrize(
    ("status", "outcomes", "found"),
    [
        ("proven", ["passed"], []),
        ("proven", ["skipped", "passed"], []),
        ("proven", ["skipped"], ["ACC-01"]),
        ("proven", ["failed"], ["ACC-01"]),
        ("proven", [], ["ACC-01"]),
        ("planned", [], []),
    ],
)
def test_a_control_is_proven_by_a_passing_scenario_alone(status: str, outcomes: list[str], found: list[str]) -> None:
    shown = {"ACC-01": [Shown("features/a.feature", "a scenario", outcome, 0.0) for outcome in outcomes]}

    assert unproven([a_control(status)], shown) == found
