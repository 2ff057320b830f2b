"""What a search finds is what each study's own decision would open, whoever asks (ACC-02, ACC-03)."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pacs_secure.archive.proofs import of_study, proven
from pacs_secure.core.access import (
    TIES_A_PATIENT,
    TIES_A_STUDY,
    Action,
    Purpose,
    Relation,
    Role,
    Safeguard,
    StoredFacts,
    Subject,
)
from pacs_secure.core.errors import ArchiveError, Denied
from pacs_secure.core.identifiers import Institution, uid
from pacs_secure.core.query import Level, Query
from tests.builders import ELSEWHERE, HERE, request, subject, tie
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

PEOPLE = ("someone", "another")
READERS = [Role.RADIOLOGIST, Role.CLINICIAN, Role.TECHNOLOGIST, Role.WORKSTATION, Role.REFERRER, Role.GUEST]
subjects = st.builds(
    subject,
    st.sampled_from([*READERS, *READERS, *Role]),
    identifier=st.sampled_from(PEOPLE),
    of=st.sampled_from([HERE, ELSEWHERE]),
    department=st.sampled_from(DEPARTMENTS),
)
safeguards = st.sampled_from(
    [*[frozenset()] * 3, {Safeguard.RESTRICTED}, {Safeguard.VIP}, {Safeguard.RESTRICTED, Safeguard.STAFF}]
)
bonds = st.tuples(
    st.sampled_from(sorted(TIES_A_PATIENT | TIES_A_STUDY)),
    st.sampled_from(PEOPLE),
    st.sampled_from([HERE, HERE, ELSEWHERE]),
    st.integers(0, len(EVERY_STUDY) - 1),
)


def protect(labels: list[AbstractSet[Safeguard]]) -> None:
    """Give every study its safeguards, as the verb that classifies does."""
    for study, given_to_it in zip(WORLD.records._studies.values(), labels, strict=True):
        facts = replace(study.facts, safeguards=frozenset(given_to_it))
        study.stored = StoredFacts(facts, of_study(WORLD.archive.search.seals.index(facts.institution), facts))


def bind(bound: list[tuple[Relation, str, Institution, int]]) -> None:
    """Tie people to studies and patients, and nobody else."""
    facts = [study.facts for study in WORLD.records._studies.values()]
    WORLD.ties.kept = [
        proven(
            WORLD.archive.search.seals.index(facts[number].institution),
            tie(
                relation,
                facts[number].patient_alias if relation in TIES_A_PATIENT else facts[number].alias,
                actor=WORLD.archive.guard.pseudonym(home, person),
                of=facts[number].institution,
                begins_at=datetime.min.replace(tzinfo=UTC),
                ends_at=datetime.max.replace(tzinfo=UTC),
            ),
        )
        for relation, person, home, number in bound
    ]


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


def pages(by: Subject, purpose: Purpose | None, level: Level) -> list[bytes]:
    """Find page by page, for as long as the answer says that there is more."""
    found: list[bytes] = []
    while True:
        query = Query(level, limit=2, offset=len(found))
        answer = WORLD.archive.search.find(by, purpose, query, details={})
        found += answer.results
        if not answer.truncated:
            return found
        assert len(answer.results) == 2


@settings(max_examples=400, deadline=None)
@given(
    subjects,
    st.sampled_from([None, Purpose.TREATMENT]) | st.sampled_from(sorted(Purpose)),
    st.sampled_from([Level.STUDY, Level.SERIES, Level.INSTANCE]),
    st.lists(safeguards, min_size=len(EVERY_STUDY), max_size=len(EVERY_STUDY)),
    st.lists(bonds, max_size=6),
)
def test_a_search_finds_exactly_the_studies_that_could_be_opened_one_by_one(
    by: Subject,
    purpose: Purpose | None,
    level: Level,
    labels: list[AbstractSet[Safeguard]],
    bound: list[tuple[Relation, str, Institution, int]],
) -> None:
    protect(labels)
    bind(bound)
    opened = {study for study in EVERY_STUDY if opens(by, purpose, study)}
    event(f"{len(opened)} can be opened")

    assert finds(by, purpose, level) == opened
    if opened:
        whole = WORLD.archive.search.find(by, purpose, Query(level), details={})
        assert (pages(by, purpose, level), whole.truncated) == (whole.results, False)


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
