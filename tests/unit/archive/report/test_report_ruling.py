"""What a rule says of how a reader stood to the patient."""

import pytest

from pacs_secure.archive.report.ruling import relation_of
from pacs_secure.core.vocabulary import Relation
from tests.unit.archive.report.entries import DEPARTMENT_RULE, EMERGENCY_RULE, NONE_RULE


@pytest.mark.parametrize(
    ("rule", "relation"),
    [
        (DEPARTMENT_RULE, Relation.DEPARTMENT),
        (EMERGENCY_RULE, Relation.EMERGENCY),
        (f"{NONE_RULE}; {DEPARTMENT_RULE}", Relation.NONE),
        ("p, clinician, study:read, TREAT, department treating, -, allow", None),
        ("no purpose of use", None),
        ("", None),
    ],
)
def test_the_relation_is_that_of_the_person(rule: str, relation: Relation | None) -> None:
    assert relation_of(rule) is relation
