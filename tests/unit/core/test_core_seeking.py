"""What is looked for in the ledger, held against single entries."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from pacs_secure.core.access import Action, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.seeking import Sought
from tests.builders import ELSEWHERE, HERE, NOW, draft, study_facts

STUDY = study_facts()
ENTRY = draft(at=NOW, study=STUDY)


@pytest.mark.parametrize(
    ("narrowed", "fits"),
    [
        ({}, True),
        ({"since": NOW}, True),
        ({"since": NOW + timedelta(microseconds=1)}, False),
        ({"until": NOW}, False),
        ({"until": NOW + timedelta(microseconds=1)}, True),
        ({"action": Action.STUDY_READ}, True),
        ({"action": Action.STUDY_SEARCH}, False),
        ({"outcome": Outcome.REFUSED}, False),
        ({"role": Role.CLINICIAN}, False),
        ({"department": ""}, False),
        ({"department": ENTRY.department}, True),
        ({"actor": ENTRY.actor}, True),
        ({"actor": "another"}, False),
        ({"study": STUDY.alias}, True),
        ({"study": uuid4()}, False),
        ({"patients": frozenset({STUDY.patient_alias, uuid4()})}, True),
        ({"patients": frozenset({uuid4()})}, False),
        ({"patients": frozenset()}, False),
        ({"institution": ELSEWHERE}, False),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_an_entry_fits_when_it_says_all_that_is_wanted(narrowed: dict[str, Any], fits: bool) -> None:  # noqa: FBT001 - a table of truths
    assert Sought(**{"institution": HERE, **narrowed}).fits(ENTRY) is fits


def test_whom_it_concerns_is_a_question_of_its_own() -> None:
    wanted = Sought(HERE, action=Action.LEDGER_READ, study=STUDY.alias)

    assert wanted.concerns(ENTRY)
    assert not wanted.fits(ENTRY)
    assert not replace(wanted, institution=ELSEWHERE).concerns(ENTRY)


def test_an_index_narrows_by_the_study_before_the_patient() -> None:
    of_patient = Sought(HERE, patients=frozenset({STUDY.patient_alias}))

    assert Sought(HERE).aliases is None
    assert of_patient.aliases == frozenset({STUDY.patient_alias})
    assert replace(of_patient, study=STUDY.alias).aliases == frozenset({STUDY.alias})
