"""Permits and Grants: nobody but the Guard makes them, and a Grant covers one study."""

import dataclasses
from dataclasses import replace
from uuid import uuid4

import pytest

from pacs_secure.core.access import Action, Grant, Permit, Relation, Safeguard, Scope, StudyFacts
from tests.builders import ELSEWHERE, HERE, NOW, ROOT, decision, grant, request, scope, study_facts, viewer


def test_a_permit_cannot_be_made_without_the_warrant() -> None:
    with pytest.raises(TypeError):
        Permit(request(), decision(), uuid4(), object())


def test_a_grant_cannot_be_made_without_the_warrant() -> None:
    with pytest.raises(TypeError):
        Grant(request(Action.STUDY_READ), decision(), uuid4(), scope(), NOW, None)


def test_a_grant_cannot_be_turned_into_one_for_another_study() -> None:
    given = grant(study=study_facts(f"{ROOT}.1"))

    with pytest.raises(dataclasses.FrozenInstanceError):
        given.request = request(study=study_facts(f"{ROOT}.2"))  # type: ignore[misc]


def test_a_grant_covers_its_own_study_and_no_other() -> None:
    mine, other = study_facts(f"{ROOT}.1"), study_facts(f"{ROOT}.2")
    given = grant(study=mine)

    assert given.covers(HERE, mine.study_instance_uid)
    assert not given.covers(HERE, other.study_instance_uid)
    assert not given.covers(ELSEWHERE, mine.study_instance_uid)


def test_a_grant_for_no_study_covers_none() -> None:
    assert not grant(action=Action.STUDY_SEARCH).covers(HERE, study_facts().study_instance_uid)


@pytest.mark.parametrize(
    ("reach", "study", "held"),
    [
        (scope(), study_facts(), True),
        (scope(), study_facts(of=ELSEWHERE), False),
        (scope(Relation.DEPARTMENT, department="surgery"), study_facts(department="surgery"), True),
        (scope(Relation.DEPARTMENT, department="surgery"), study_facts(department="radiology"), False),
        (scope(Relation.DEPARTMENT, department=""), study_facts(department=""), False),
        (scope(Relation.TREATING), study_facts(relations=[Relation.TREATING]), True),
        (scope(Relation.TREATING), study_facts(relations=[Relation.INVITED]), False),
        (scope(despite=[]), study_facts(safeguards=[Safeguard.VIP]), False),
        (scope(despite=[Safeguard.VIP]), study_facts(safeguards=[Safeguard.VIP]), True),
        (scope(despite=[Safeguard.VIP]), study_facts(safeguards=[Safeguard.VIP, Safeguard.ENDED]), False),
        (replace(scope(), reaches=frozenset()), study_facts(), False),
        (replace(scope(), also=scope(Relation.DEPARTMENT, department="surgery")), study_facts(), False),
        (replace(scope(), also=scope(Relation.DEPARTMENT)), study_facts(), True),
    ],
)
def test_a_scope_holds_a_study_by_relation_and_despite_every_safeguard(
    reach: Scope, study: StudyFacts, *, held: bool
) -> None:
    assert reach.holds(study) is held


@pytest.mark.parametrize("relation", sorted(Relation))
def test_into_another_institution_reaches_nothing_but_an_invitation(relation: Relation) -> None:
    there = scope(relation).of(ELSEWHERE)
    study = study_facts(of=ELSEWHERE, relations=[Relation.INVITED, Relation.TREATING, Relation.EMERGENCY])

    assert there.holds(study) is (relation is Relation.INVITED)
    assert {reach.relation for reach in there.usable} == {relation} & {Relation.INVITED}


def test_the_scope_of_a_device_is_of_the_same_institution_as_the_person_s() -> None:
    both = replace(scope(), also=scope(Relation.DEPARTMENT)).of(ELSEWHERE)

    assert both.also is not None
    assert both.also.institution == ELSEWHERE


def test_whoever_has_no_name_in_the_ledger_has_no_ties() -> None:
    nameless = replace(scope(Relation.TREATING), viewer=viewer(actor=""))

    assert not nameless.holds(study_facts(relations=[Relation.TREATING]))


def test_nothing_secret_shows_when_a_proof_is_printed() -> None:
    assert "warrant" not in repr(grant())
