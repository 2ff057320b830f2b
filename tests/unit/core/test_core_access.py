"""Permits and Grants: nobody but the Guard makes them, and a Grant covers one study."""

import dataclasses
from uuid import uuid4

import pytest

from pacs_secure.core.access import Action, Grant, Permit, Relation, Scope
from tests.builders import ELSEWHERE, HERE, NOW, ROOT, decision, grant, request, scope, study_facts, subject


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


def test_no_relation_at_all_is_held_by_everybody_so_that_scope_is_everything() -> None:
    assert scope(Relation.NONE, Relation.DEPARTMENT).everything
    assert not scope(Relation.DEPARTMENT).everything
    assert not Scope(HERE, frozenset(), "", subject().identifier).everything


def test_nothing_secret_shows_when_a_proof_is_printed() -> None:
    assert "warrant" not in repr(grant())
