"""What is known of a study, proven, through the eyes of whoever asks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pacs_secure.archive.proofs import proven
from pacs_secure.core.access import Purpose, Relation, Role
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import uid
from tests.builders import HERE, draft, permit, subject, tie
from tests.unit.archive.instances import store, study_uid
from tests.world import World

CLINICIAN = subject(Role.CLINICIAN, department="surgery")
NOW = datetime.now(UTC)


def tied(world: World, relation: Relation = Relation.TREATING, *, proof: bool = True) -> None:
    facts = world.archive.facts.of(CLINICIAN, None, uid(study_uid()))
    assert facts is not None
    made = tie(
        relation,
        facts.patient_alias if relation is Relation.TREATING else facts.alias,
        actor=world.archive.guard.pseudonym(HERE, CLINICIAN.identifier),
        purpose=Purpose.TREATMENT,
        begins_at=NOW - timedelta(days=1),
        ends_at=NOW + timedelta(days=1),
    )
    seal = world.archive.search.seals.index(HERE)
    world.ties.tie(permit(), [proven(seal, made) if proof else made], draft())


def relations(world: World, purpose: Purpose | None = None) -> frozenset[Relation]:
    facts = world.archive.facts.of(CLINICIAN, purpose, uid(study_uid()))
    assert facts is not None
    return facts.relations


def test_a_study_that_is_not_there_has_no_facts(world: World) -> None:
    assert world.archive.facts.of(CLINICIAN, None, uid("1.2.3")) is None


@pytest.mark.parametrize("relation", [Relation.TREATING, Relation.INVITED])
def test_the_facts_carry_the_ties_of_whoever_asks(world: World, relation: Relation) -> None:
    store(world)
    tied(world, relation)

    assert relations(world) == {relation}
    assert relations(world, Purpose.HEALTH_RESEARCH) == frozenset()


def test_a_tie_without_a_proof_stops_its_person_and_nobody_else(world: World) -> None:
    store(world)
    tied(world, proof=False)

    with pytest.raises(Tampered):
        relations(world)
    assert world.archive.facts.of(subject(identifier="another"), None, uid(study_uid())) is not None


def test_a_study_whose_facts_were_changed_is_tampered(world: World) -> None:
    store(world)
    (study,) = world.records._studies.values()
    study.stored = replace(study.stored, facts=replace(study.stored.facts, department="surgery"))

    with pytest.raises(Tampered):
        world.archive.facts.of(CLINICIAN, None, uid(study_uid()))
