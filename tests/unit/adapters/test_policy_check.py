"""What ``policy check`` finds wrong with a folder of policy files."""

import shutil
from pathlib import Path

import pytest

from pacs_secure.adapters.policy_check import check_policy

SHIPPED = Path(__file__).parents[3] / "policies"
RULE = "p, clinician, study:search study:read share:create board:admit, TREAT, department, -, allow\n"
ROW = "clinician,study:read,TREAT,department,allow,-\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "policies"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_rule_that_contradicts_the_truth_table_is_found(folder: Path) -> None:
    change(folder / "policy.csv", RULE, RULE.replace("study:read ", ""))

    assert check_policy(folder) == [
        "truth table: clinician, study:read, TREAT, department must be allow -, the rules say refuse"
    ]


def test_a_rule_that_reaches_further_than_the_truth_table_is_found(folder: Path) -> None:
    change(folder / "policy.csv", RULE, RULE.replace("study:read ", ""))
    with (folder / "policy.csv").open("a", encoding="utf-8") as rules:
        rules.write("p, clinician, study:read, TREAT, department, vip, allow\n")

    assert check_policy(folder) == [
        "truth table: clinician, study:read, TREAT, department must be allow -, the rules say allow vip"
    ]


def test_a_policy_without_a_truth_table_is_found(folder: Path) -> None:
    (folder / "truth-table.csv").unlink()

    assert check_policy(folder) == ["the policy lacks its truth-table.csv"]


def test_a_combination_that_the_truth_table_forgot_is_found(folder: Path) -> None:
    change(folder / "truth-table.csv", ROW, "")

    assert check_policy(folder) == ["truth table: no row for clinician, study:read, TREAT, department"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("role,action", "role,act", "truth-table.csv must have the columns"),
        (ROW, "clinician,study:read,TREAT\n", "truth-table.csv must have the columns"),
        (ROW, "clinician,study:peek,TREAT,department,allow,-\n", "truth-table.csv holds an unknown word"),
    ],
)
def test_a_broken_truth_table_is_found(folder: Path, old: str, new: str, complaint: str) -> None:
    change(folder / "truth-table.csv", old, new)

    (problem,) = check_policy(folder)

    assert problem.startswith(complaint)


def test_a_policy_that_will_not_load_is_found(folder: Path) -> None:
    (folder / "roles.csv").unlink()

    assert check_policy(folder) == ["the policy lacks its roles.csv"]
