"""What a search finds is what each study's own decision would open, whoever asks (ACC-02, ACC-03)."""

import orjson
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pacs_secure.core.access import Action, Purpose, Relation, Role, Subject
from pacs_secure.core.errors import ArchiveError, Denied
from pacs_secure.core.identifiers import uid
from pacs_secure.core.query import Level, Query
from tests.builders import ELSEWHERE, HERE, request, subject
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import World, memory_world

DEPARTMENTS = ("", "radiology", "cardiology")


def furnished() -> World:
    """Store a study a department of two institutions."""
    world = memory_world()
    study = 0
    for of in (HERE, ELSEWHERE):
        for department in DEPARTMENTS:
            study += 1
            store(world, data_set(study), by=subject(Role.TECHNOLOGIST, of=of, department=department))
    return world


WORLD = furnished()
EVERY_STUDY = [study_uid(study) for study in range(1, 2 * len(DEPARTMENTS) + 1)]

READERS = [Role.RADIOLOGIST, Role.CLINICIAN, Role.TECHNOLOGIST, Role.WORKSTATION]
subjects = st.builds(
    subject,
    st.sampled_from([*READERS, *READERS, *Role]),
    of=st.sampled_from([HERE, ELSEWHERE]),
    department=st.sampled_from(DEPARTMENTS),
)


def opens(by: Subject, purpose: Purpose | None, study: str) -> bool:
    try:
        WORLD.archive.retrieve.begin(by, purpose, study, details={}).close()
    except ArchiveError:
        return False
    return True


def finds(by: Subject, purpose: Purpose | None, level: Level) -> set[str]:
    try:
        answer = WORLD.archive.search.find(by, purpose, Query(level), details={})
    except Denied:
        return set()
    return {orjson.loads(one)["0020000D"]["Value"][0] for one in answer.results}


@settings(max_examples=200, deadline=None)
@given(
    subjects,
    st.sampled_from([None, Purpose.TREATMENT]) | st.sampled_from(sorted(Purpose)),
    st.sampled_from([Level.STUDY, Level.SERIES, Level.INSTANCE]),
)
def test_a_search_finds_exactly_the_studies_that_could_be_opened_one_by_one(
    by: Subject, purpose: Purpose | None, level: Level
) -> None:
    opened = {study for study in EVERY_STUDY if opens(by, purpose, study)}
    event(f"{len(opened)} can be opened")

    assert finds(by, purpose, level) == opened


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.TECHNOLOGIST, Role.WORKSTATION])
def test_a_grant_s_scope_is_the_subject_s_own(role: Role) -> None:
    by = subject(role, identifier="someone else", department="cardiology")
    guard = WORLD.archive.guard
    granted = guard.admit(request(Action.STUDY_SEARCH, by))
    viewer = granted.scope.viewer

    assert (granted.scope.institution, viewer.institution, viewer.department) == (HERE, HERE, "cardiology")
    assert viewer.actor == guard.pseudonym(HERE, "someone else")
    assert Relation.NONE not in {reach.relation for reach in granted.scope.reaches}
    assert not granted.covers(HERE, uid(study_uid(1)))
