"""What a decision rests on is believed only when the archive itself wrote it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from pacs_secure.archive.proofs import demand_study, demand_tie, of_study, proven
from pacs_secure.core.access import Purpose, Relation, Safeguard, StoredFacts, StudyFacts, Tie
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import uid
from pacs_secure.crypto.index_seal import IndexSeal
from tests.builders import ELSEWHERE, study_facts, tie

SEAL, OTHER = IndexSeal(b"k" * 32), IndexSeal(b"o" * 32)


def test_facts_that_the_archive_wrote_are_believed() -> None:
    facts = study_facts(safeguards=[Safeguard.VIP])

    assert demand_study(SEAL, StoredFacts(facts, of_study(SEAL, facts))) == facts


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: replace(facts, institution=ELSEWHERE),
        lambda facts: replace(facts, study_instance_uid=uid("1.2.3")),
        lambda facts: replace(facts, alias=uuid4()),
        lambda facts: replace(facts, patient_alias=uuid4()),
        lambda facts: replace(facts, department="surgery"),
        lambda facts: replace(facts, safeguards=frozenset()),
        lambda facts: replace(facts, safeguards=facts.safeguards | {Safeguard.RESTRICTED}),
        lambda facts: replace(facts, held=True),
        lambda facts: replace(facts, treatment_ended_on="20260101"),
    ],
)
def test_facts_that_somebody_else_changed_are_not(change: Callable[[StudyFacts], StudyFacts]) -> None:
    facts = study_facts(safeguards=[Safeguard.VIP])

    with pytest.raises(Tampered):
        demand_study(SEAL, StoredFacts(change(facts), of_study(SEAL, facts)))


def test_a_proof_under_another_key_is_none() -> None:
    facts = study_facts()

    with pytest.raises(Tampered):
        demand_study(SEAL, StoredFacts(facts, of_study(OTHER, facts)))


def test_that_a_treatment_counts_as_ended_needs_no_proof_of_its_own() -> None:
    facts = study_facts()

    assert of_study(SEAL, facts) == of_study(SEAL, replace(facts, safeguards=frozenset({Safeguard.ENDED})))


def test_a_tie_that_the_archive_wrote_is_believed() -> None:
    made = proven(SEAL, tie(purpose=Purpose.TREATMENT))

    assert demand_tie(SEAL, made) is made


@pytest.mark.parametrize(
    "change",
    [
        lambda made: replace(made, tie_id=uuid4()),
        lambda made: replace(made, relation=Relation.EMERGENCY),
        lambda made: replace(made, institution=ELSEWHERE),
        lambda made: replace(made, actor="somebody else"),
        lambda made: replace(made, alias=uuid4()),
        lambda made: replace(made, purpose=None),
        lambda made: replace(made, begins_at=made.begins_at - timedelta(days=1)),
        lambda made: replace(made, ends_at=made.ends_at + timedelta(days=1)),
        lambda made: replace(made, origin=uuid4()),
        lambda made: replace(made, proof=b""),
    ],
)
def test_a_tie_that_somebody_else_changed_is_not(change: Callable[[Tie], Tie]) -> None:
    made = proven(SEAL, tie(purpose=Purpose.TREATMENT))

    with pytest.raises(Tampered):
        demand_tie(SEAL, change(made))
