"""What would turn a decision, said so that a person understands it."""

import pytest

from pacs_secure.core.access import Action, Role
from pacs_secure.core.explanation import Change, ChangeKind, Explanation
from tests.builders import decision, subject


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change(ChangeKind.SECOND_FACTOR, ""), "with a second factor"),
        (Change(ChangeKind.SECOND_FACTOR, "", given=False), "without a second factor"),
        (Change(ChangeKind.FRESH_LOGIN, ""), "with a fresh login"),
        (Change(ChangeKind.PURPOSE, "PATRQT"), "for the purpose PATRQT"),
        (Change(ChangeKind.RELATION, "treating"), "with the relation treating"),
        (Change(ChangeKind.SAFEGUARD, "vip", given=False), "without the safeguard vip"),
        (Change(ChangeKind.HOLD, "", given=False), "without a legal hold"),
        (Change(ChangeKind.ROLE, "officer"), "as officer"),
    ],
)
def test_a_change_is_said_in_words(change: Change, said: str) -> None:
    assert change.said == said


@pytest.mark.parametrize(
    ("allowed", "may_know", "outcome"), [(True, True, "allowed"), (False, True, "refused"), (False, False, "hidden")]
)
def test_an_explanation_says_what_whoever_asks_would_hear(*, allowed: bool, may_know: bool, outcome: str) -> None:
    explained = Explanation(
        subject(Role.CLINICIAN),
        Action.STUDY_READ,
        None,
        decision(allowed=allowed, may_know=may_know),
        None,
        frozenset(),
        held=False,
        needs_second_factor=False,
        turned_by=(),
    )

    assert explained.outcome == outcome
