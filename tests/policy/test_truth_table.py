"""The shipped policy says, row by row, what its truth table and a second statement of it say."""

from itertools import product
from pathlib import Path

import pytest

from pacs_secure.adapters.casbin_policy import CasbinPolicy
from pacs_secure.adapters.policy_check import Truth, check_policy, truth_table, verdict
from pacs_secure.adapters.policy_files import MOST_RULES, read_folder, table_of
from pacs_secure.core.access import Action, Purpose, Relation, Role
from tests.policy.write_truth_table import TABLE, table

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="module")
def policy() -> CasbinPolicy:
    return CasbinPolicy(POLICIES)


@pytest.fixture(scope="module")
def rows() -> dict[tuple[Role, Action], list[Truth]]:
    found: dict[tuple[Role, Action], list[Truth]] = {}
    for row in truth_table(read_folder(POLICIES)):
        found.setdefault((row.role, row.action), []).append(row)
    return found


@pytest.mark.parametrize(("role", "action"), list(product(Role, Action)), ids=str)
def test_every_row_of_a_role_and_action_comes_out_as_the_table_says(
    policy: CasbinPolicy, rows: dict[tuple[Role, Action], list[Truth]], role: Role, action: Action
) -> None:
    stated = rows[role, action]

    said = {row: verdict(policy, row.role, row.action, row.purpose, row.relation) for row in stated}

    assert len(said) == len(Purpose) * len(Relation)
    assert {row: row[4:] for row in stated} == said


def test_the_table_is_what_its_independent_statement_expands_to() -> None:
    assert TABLE.read_text(encoding="utf-8") == table()


def test_the_shipped_policy_passes_its_own_check() -> None:
    assert check_policy(POLICIES) == []


def test_the_rules_stay_few_enough_to_hold_in_mind() -> None:
    assert len(table_of("policy.csv", (POLICIES / "policy.csv").read_text())) <= MOST_RULES
