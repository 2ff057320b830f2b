"""The laws that no rule may bend, each of them broken once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_secure.adapters.policy_check import check_policy
from pacs_secure.adapters.policy_laws import APART, OVERSIGHT, PICTURES, PROVEN_TWICE, breaches
from pacs_secure.core.access import Action, Role
from tests.unit.adapters.test_casbin_policy import append, edit
from tests.world import POLICIES, shipped_policy

SEPARATION = "p, overseer, study:create study:search study:read share:create board:admit, *, *, *, deny\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def test_the_policy_that_ships_breaks_none() -> None:
    rules = shipped_policy()._rules

    assert list(breaches(rules.allows, rules.roles)) == []


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (
            append("policy.csv", "p, officer, policy:propose, TREAT, none, *, allow\n"),
            "both policy:propose and policy:app",
        ),
        (append("policy.csv", "p, dpo, break-glass:open, BTG, none, *, allow\n"), "oversight never sees pictures"),
        (append("policy.csv", "p, radiologist, break-glass:review, BTG, none, *, allow\n"), "duties are separate"),
        (edit("policy.csv", SEPARATION, "p, admin, study:read, TREAT, none, -, allow\n"), "admin do study:read"),
        (edit("policy.csv", SEPARATION, "p, overseer, share:create, TREAT, none, -, allow\n"), "admin do share:create"),
        (append("policy.csv", "p, admin, share:redeem, TREAT, none, *, allow\n"), "admin do share:redeem"),
        (append("policy.csv", "p, researcher, study:search, HRESCH, none, *, allow\n"), "no named person"),
        (edit("roles.csv", "stranger,,,no", "stranger,person,,no"), "lets a stranger do session:authenticate"),
        (append("policy.csv", "p, stranger, device:list, TREAT, none, *, allow\n"), "lets a stranger do device:list"),
        (edit("roles.csv", "HSYSADMIN,yes", "HSYSADMIN,no"), "no second factor of admin"),
        (
            edit("roles.csv", "dpo,person overseer,HOPERAT,yes", "dpo,person overseer,HOPERAT,no"),
            "second factor of dpo",
        ),
    ],
)
def test_a_policy_that_breaks_a_law_is_refused(folder: Path, spoil: Callable[[Path], object], complaint: str) -> None:
    spoil(folder)

    (problem,) = check_policy(folder)
    assert complaint in problem


def test_a_rule_that_another_one_denies_breaks_no_law(folder: Path) -> None:
    append("policy.csv", "p, admin, study:read, TREAT, none, -, allow\n")(folder)

    assert check_policy(folder) == []


def test_every_breach_is_named() -> None:
    found = list(breaches(lambda _role, _action: True, shipped_policy()._rules.roles))

    assert len(found) == len(OVERSIGHT) * len(PICTURES) + len(Role) * len(APART) + 2 + len(Action)
    assert set(PROVEN_TWICE) < set(OVERSIGHT)
