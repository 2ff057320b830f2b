"""Through whose eyes studies are seen: a person's ties, a device's limits, and other institutions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from pacs_secure.archive.proofs import proven
from pacs_secure.archive.viewers import nothing
from pacs_secure.core.access import Action, Purpose, Relation, Role, Scope, Subject, Tie
from pacs_secure.core.errors import Denied, Hidden, NotFound, Tampered
from pacs_secure.core.identifiers import Institution, uid
from pacs_secure.core.instance import SealedHit
from pacs_secure.core.query import Level, Narrowing, Query
from tests.builders import ELSEWHERE, HERE, draft, permit, request, study_facts, subject, tie
from tests.fakes import MemoryRecords
from tests.unit.archive.instances import data_set, received, store, study_uid
from tests.world import World

NOW = datetime.now(UTC)
TECHNOLOGIST_THERE = subject(Role.TECHNOLOGIST, of=ELSEWHERE)
EXPERT = subject(Role.CLINICIAN, identifier="an expert", department="neurology")
WORKSTATION = subject(Role.WORKSTATION, identifier="device:WS1")


def invite(world: World, person: Subject, study: int, of: Institution = HERE, purpose: Purpose | None = None) -> Tie:
    owner = subject(Role.RADIOLOGIST, of=of)
    facts = world.archive.facts.of(owner, None, uid(study_uid(study)))
    assert facts is not None
    made = tie(
        Relation.INVITED,
        facts.alias,
        actor=world.archive.guard.pseudonym(person.institution, person.identifier),
        of=of,
        purpose=purpose,
        begins_at=NOW - timedelta(days=1),
        ends_at=NOW + timedelta(days=1),
    )
    made = proven(world.archive.search.seals.index(of), made)
    world.ties.tie(permit(owner), [made], draft(by=owner))
    return made


def found(world: World, by: Subject, device: Subject | None = None, limit: int = 100, offset: int = 0) -> list[str]:
    query = Query(Level.STUDY, limit=limit, offset=offset)
    answer = world.archive.search.find(by, None, query, details={}, device=device)
    return [orjson.loads(one)["0020000D"]["Value"][0] for one in answer.results]


def read(world: World, by: Subject, study: int, device: Subject | None = None) -> None:
    world.archive.retrieve.begin(by, None, study_uid(study), details={}, device=device).close()


def test_an_invitation_into_another_institution_shows_that_study_after_one_s_own(world: World) -> None:
    store(world, data_set(1, StudyDate="20200101"), by=subject(Role.TECHNOLOGIST, department="neurology"))
    store(world, data_set(2, StudyDate="20260101"), data_set(3), by=TECHNOLOGIST_THERE)
    invite(world, EXPERT, 2, ELSEWHERE)

    assert found(world, EXPERT) == [study_uid(1), study_uid(2)]
    assert found(world, EXPERT, offset=1) == [study_uid(2)]
    assert found(world, EXPERT, limit=1) == [study_uid(1)]
    read(world, EXPERT, 2)
    with pytest.raises(NotFound):
        read(world, EXPERT, 3)


def test_a_read_across_institutions_is_on_record_where_the_study_belongs(world: World) -> None:
    store(world, data_set(2), by=TECHNOLOGIST_THERE)
    invite(world, EXPERT, 2, ELSEWHERE)
    read(world, EXPERT, 2)

    begun = next(entry for entry in world.entries() if (entry["action"], entry["outcome"]) == ("study:read", "begun"))
    assert (begun["institution"], begun["facts"]["from_institution"]) == (ELSEWHERE, HERE)
    assert begun["actor"] == world.archive.guard.pseudonym(HERE, EXPERT.identifier)


def test_an_invitation_for_another_purpose_shows_nothing(world: World) -> None:
    store(world, data_set(1))
    invite(world, EXPERT, 1, purpose=Purpose.HEALTH_RESEARCH)

    assert found(world, EXPERT) == []
    with pytest.raises(Hidden):
        read(world, EXPERT, 1)


def test_an_index_that_answers_with_more_than_the_scope_is_not_believed(world: World) -> None:
    store(world, data_set(1))
    everything = world.archive.guard.admit(request(Action.STUDY_SEARCH)).scope

    class Liar(MemoryRecords):
        def search(self, scope: Scope, narrowing: Narrowing) -> Iterator[SealedHit]:
            return super().search(everything, narrowing)

    world.records.__class__ = Liar

    assert found(world, subject()) == [study_uid(1)]
    with pytest.raises(Tampered):
        found(world, EXPERT)


def test_through_a_device_a_person_sees_what_both_may_see(world: World) -> None:
    store(world, data_set(1))
    store(world, data_set(2), by=subject(Role.TECHNOLOGIST, department="neurology"))
    radiologist = subject(Role.RADIOLOGIST)

    assert sorted(found(world, radiologist)) == [study_uid(1), study_uid(2)]
    assert found(world, radiologist, WORKSTATION) == [study_uid(1)]
    assert found(world, EXPERT, WORKSTATION) == []
    read(world, radiologist, 1, WORKSTATION)
    with pytest.raises(Hidden):
        read(world, radiologist, 2, WORKSTATION)
    with pytest.raises(Hidden):
        read(world, EXPERT, 1, WORKSTATION)


def test_a_person_s_invitation_does_not_widen_the_device_they_use(world: World) -> None:
    store(world, data_set(2), by=subject(Role.TECHNOLOGIST, department="cardiology"))
    invite(world, EXPERT, 2)

    read(world, EXPERT, 2)
    with pytest.raises(Hidden):
        read(world, EXPERT, 2, WORKSTATION)


def test_the_device_and_both_rules_are_on_record(world: World) -> None:
    store(world, data_set(1))
    read(world, subject(Role.RADIOLOGIST), 1, WORKSTATION)

    begun = next(entry for entry in world.entries() if (entry["action"], entry["outcome"]) == ("study:read", "begun"))
    assert begun["facts"]["device"] == "device:WS1"
    assert [rule.split(", ")[1] for rule in begun["rule"].split("; ")] == ["radiologist", "workstation"]


def test_a_person_stores_through_a_device_only_where_both_may(world: World) -> None:
    store(world, data_set(1), by=subject(Role.TECHNOLOGIST, department="neurology"))
    radiologist = subject(Role.RADIOLOGIST)

    def add(number: int, device: Subject | None) -> None:
        with world.archive.ingest.begin(radiologist, None, {}, device) as reception:
            reception.store(received(data_set(1, number)))

    add(2, None)
    with pytest.raises(Denied):
        add(3, WORKSTATION)


def test_what_searches_nothing_has_an_empty_scope(world: World) -> None:
    empty = nothing(request(Action.STUDY_READ), draft())

    assert not empty.holds(study_facts())


def test_another_institution_s_study_of_the_same_uid_is_not_the_one_that_is_stored_into(world: World) -> None:
    store(world, data_set(2), by=TECHNOLOGIST_THERE)
    radiologist = subject(Role.RADIOLOGIST)
    invite(world, radiologist, 2, ELSEWHERE)
    store(world, data_set(2), by=radiologist)

    facts = world.archive.facts.of(radiologist, None, uid(study_uid(2)))
    assert facts is not None
    assert facts.institution == HERE
