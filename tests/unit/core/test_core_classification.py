"""The facts of a study: what is named changes, and nothing else."""

from datetime import date

import pytest

from pacs_secure.core.classification import (
    Classification,
    Reclassification,
    classification_of,
    classified,
    difference,
    is_department,
)
from pacs_secure.core.errors import Malformed
from pacs_secure.core.vocabulary import Relation, Safeguard
from tests.builders import study_facts

TODAY = date(2026, 3, 1)
WHOLE = Classification(
    "radiology", frozenset({Safeguard.VIP}), restricted=True, held=True, treatment_ended_on=date(2026, 2, 1)
)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (Reclassification(department="surgery"), {"department_before": "radiology", "department_after": "surgery"}),
        (
            Reclassification(add_labels=frozenset({Safeguard.STAFF})),
            {"labels_before": "vip", "labels_after": "staff vip"},
        ),
        (Reclassification(remove_labels=frozenset({Safeguard.VIP})), {"labels_before": "vip", "labels_after": ""}),
        (Reclassification(restricted=False), {"restricted_before": "yes", "restricted_after": "no"}),
        (Reclassification(held=False), {"held_before": "yes", "held_after": "no"}),
        (
            Reclassification(treatment_ended_on=TODAY),
            {"treatment_ended_on_before": "2026-02-01", "treatment_ended_on_after": "2026-03-01"},
        ),
        (
            Reclassification(treatment_goes_on=True),
            {"treatment_ended_on_before": "2026-02-01", "treatment_ended_on_after": ""},
        ),
        (Reclassification(held=True, add_labels=frozenset({Safeguard.VIP})), {}),
    ],
)
def test_only_what_is_named_changes(change: Reclassification, changed: dict[str, str]) -> None:
    change.demand_sound(TODAY)

    assert difference(WHOLE, change.applied_to(WHOLE)) == changed


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (Reclassification(), "nothing is to change"),
        (Reclassification(add_labels=frozenset({Safeguard.ENDED})), "may be labelled addiction, genetics"),
        (Reclassification(remove_labels=frozenset({Safeguard.RESTRICTED})), "may be labelled"),
        (
            Reclassification(add_labels=frozenset({Safeguard.VIP}), remove_labels=frozenset({Safeguard.VIP})),
            "given and taken",
        ),
        (Reclassification(treatment_ended_on=TODAY, treatment_goes_on=True), "end and go on"),
        (Reclassification(treatment_ended_on=date(2026, 3, 2)), "in the future"),
        (Reclassification(department=""), "a department is named"),
        (Reclassification(department="a\nb"), "a department is named"),
    ],
)
def test_a_change_that_cannot_be_meant_is_refused(change: Reclassification, complaint: str) -> None:
    with pytest.raises(Malformed, match=complaint):
        change.demand_sound(TODAY)


def test_what_is_classified_so_is_read_so() -> None:
    study = study_facts(relations=[Relation.TREATING], safeguards=[Safeguard.ENDED, Safeguard.STAFF])
    after = classified(study, WHOLE)

    assert classification_of(after) == WHOLE
    assert classification_of(study) == Classification("radiology", frozenset({Safeguard.STAFF}))
    assert after.safeguards == {Safeguard.VIP, Safeguard.RESTRICTED}
    assert after.treatment_ended_on == "20260201"
    assert (after.alias, after.relations) == (study.alias, study.relations)
    assert classified(after, Classification("radiology")).treatment_ended_on == ""


def test_a_study_of_which_nobody_said_anything_is_ordinary() -> None:
    told = Classification("radiology").told()

    assert told == {
        "department": "radiology",
        "labels": "",
        "restricted": "no",
        "held": "no",
        "treatment_ended_on": "",
    }


@pytest.mark.parametrize(
    ("text", "is_one"), [("surgery", True), ("x" * 64, True), ("x" * 65, False), ("", False), (" surgery", False)]
)
def test_a_department_has_a_printable_name(text: str, *, is_one: bool) -> None:
    assert is_department(text) is is_one
