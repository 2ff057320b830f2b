"""What kind of act it was, as a patient thinks of it."""

import pytest

from pacs_secure.core.access import Action
from pacs_secure.core.trails import Category, category_of


@pytest.mark.parametrize(
    ("action", "category"),
    [
        (Action.STUDY_READ, Category.VIEWED),
        (Action.STUDY_CREATE, Category.STORED),
        (Action.STUDY_CLASSIFY, Category.CHANGED),
        (Action.SHARE_REDEEM, Category.SHARED),
        (Action.BREAK_GLASS_OPEN, Category.EMERGENCY),
        (Action.LEDGER_READ, Category.OVERSIGHT),
        (Action.SYSTEM_START, Category.OTHER),
    ],
)
def test_an_act_is_of_one_kind(action: Action, category: Category) -> None:
    assert category_of(action) is category


def test_whatever_may_happen_to_a_study_has_a_kind_of_its_own() -> None:
    of_studies = [action for action in Action if action.startswith("study:")]

    assert Category.OTHER not in {category_of(action) for action in of_studies}
