"""Permits and Grants: nobody but the Guard makes them, and a Grant covers one study."""

import dataclasses
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from pacs_secure.core.access import (
    TIES_A_PATIENT,
    TIES_A_STUDY,
    Action,
    Grant,
    Permit,
    Purpose,
    Relation,
    Safeguard,
    Scope,
    StudyFacts,
)
from tests.builders import ELSEWHERE, HERE, NOW, ROOT, decision, grant, request, scope, study_facts, tie


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


def bound_to(study: StudyFacts, of: Scope, *relations: Relation) -> Scope:
    """Return the scope of a viewer with ties to a study."""
    ties = tuple(
        tie(relation, study.patient_alias if relation in TIES_A_PATIENT else study.alias, of=study.institution)
        for relation in relations
    )
    return replace(of, viewer=replace(of.viewer, ties=ties))


@pytest.mark.parametrize(
    ("reach", "study", "held"),
    [
        (scope(), study_facts(), True),
        (scope(), study_facts(of=ELSEWHERE), False),
        (scope(Relation.DEPARTMENT, department="surgery"), study_facts(department="surgery"), True),
        (scope(Relation.DEPARTMENT, department="surgery"), study_facts(department="radiology"), False),
        (scope(Relation.DEPARTMENT, department=""), study_facts(department=""), False),
        (scope(despite=[]), study_facts(safeguards=[Safeguard.VIP]), False),
        (scope(despite=[Safeguard.VIP]), study_facts(safeguards=[Safeguard.VIP]), True),
        (scope(despite=[Safeguard.VIP]), study_facts(safeguards=[Safeguard.VIP], ended_on="20250101"), False),
        (scope(despite=[]), study_facts(ended_on="20250101"), False),
        (scope(despite=[]), study_facts(ended_on="20250102"), True),
        (scope(despite=[Safeguard.ENDED]), study_facts(ended_on="20250101"), True),
        (replace(scope(), reaches=frozenset()), study_facts(), False),
        (replace(scope(), also=scope(Relation.DEPARTMENT, department="surgery")), study_facts(), False),
        (replace(scope(), also=scope(Relation.DEPARTMENT)), study_facts(), True),
    ],
)
def test_a_scope_holds_a_study_by_relation_and_despite_every_safeguard(
    reach: Scope, study: StudyFacts, *, held: bool
) -> None:
    assert reach.holds(study) is held


@pytest.mark.parametrize("relation", sorted(TIES_A_PATIENT | TIES_A_STUDY))
def test_a_tie_leads_its_viewer_to_what_it_is_about(relation: Relation) -> None:
    study = study_facts()

    assert bound_to(study, scope(relation), relation).holds(study)
    assert not bound_to(study_facts(), scope(relation), relation).holds(study)
    assert not bound_to(study, scope(Relation.OWN), relation).holds(study)


@pytest.mark.parametrize("relation", sorted(Relation))
def test_into_another_institution_reaches_nothing_but_an_invitation(relation: Relation) -> None:
    study = study_facts(of=ELSEWHERE)
    there = bound_to(study, scope(relation), *TIES_A_PATIENT, *TIES_A_STUDY).of(ELSEWHERE)

    assert there.holds(study) is (relation is Relation.INVITED)
    assert {reach.relation for reach in there.usable} == {relation} & {Relation.INVITED}
    assert there.inviting == ((ELSEWHERE,) if relation is Relation.INVITED else ())


def test_the_scope_of_a_device_is_of_the_same_institution_as_the_person_s() -> None:
    both = replace(scope(), also=scope(Relation.DEPARTMENT)).of(ELSEWHERE)

    assert both.also is not None
    assert both.also.institution == ELSEWHERE


@pytest.mark.parametrize(
    ("at", "purpose", "holds"),
    [
        (NOW - timedelta(days=1), Purpose.TREATMENT, True),
        (NOW - timedelta(days=1, seconds=1), Purpose.TREATMENT, False),
        (NOW + timedelta(days=1), Purpose.TREATMENT, False),
        (NOW, Purpose.HEALTH_RESEARCH, False),
        (NOW, None, False),
    ],
)
def test_a_tie_holds_in_its_time_for_its_purpose(at: datetime, purpose: Purpose | None, *, holds: bool) -> None:
    assert tie(purpose=Purpose.TREATMENT).holds(at, purpose) is holds
    assert tie().holds(NOW, purpose)


def test_nothing_secret_shows_when_a_proof_is_printed() -> None:
    assert "warrant" not in repr(grant())
