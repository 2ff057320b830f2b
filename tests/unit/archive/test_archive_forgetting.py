"""Forgetting: step by step, each safe to be taken again, nothing on hold, nothing by a row that somebody else wrote."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from os import urandom
from typing import Any

import pytest

from pacs_secure.archive.adoption import NO_DEPARTMENT
from pacs_secure.archive.forgetting import LONGEST_MEMORY, TRIES, Forget
from pacs_secure.archive.proofs import of_forgetting, of_study
from pacs_secure.core.access import Action, Role, Safeguard, StoredFacts
from pacs_secure.core.classification import Reclassification
from pacs_secure.core.errors import ArchiveError, Denied, Held, Hidden, Malformed, NotFound, Tampered, Unavailable
from pacs_secure.core.forgetting import Forgetting, Stage
from pacs_secure.core.identifiers import KeyId, uid
from pacs_secure.crypto.envelope import is_packed
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import Shelf
from tests.builders import ELSEWHERE, HERE, subject
from tests.unit.archive.instances import data_set, received, store, study_uid
from tests.world import World, memory_world

OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")
OFFICER = subject(Role.OFFICER, identifier="o.amt", department="")
RADIOLOGIST = subject(Role.RADIOLOGIST, identifier="r.weber")
NOTE = {"protocol": "test"}


@dataclass
class Story:
    world: World
    later: timedelta = timedelta()

    @property
    def verb(self) -> Forget:
        verb = self.world.archive.forget
        return replace(verb, now=lambda: verb.now() + self.later)

    def request(self, study: int = 1) -> Forgetting:
        return self.verb.request(OPERATOR, None, study_uid(study), details=NOTE)

    def carry_on(self) -> list[Stage]:
        return [one.stage for one in self.verb.carry_on(OPERATOR, None, details=NOTE)]

    def wait(self) -> None:
        self.later += LONGEST_MEMORY + timedelta(seconds=1)

    def stages(self) -> list[str]:
        entries = [entry for entry in self.world.entries() if entry["action"] == "study:forget"]
        return [entry["facts"]["stage"] for entry in entries if entry["outcome"] == "completed"]

    def kept(self) -> Forgetting:
        (one,) = self.world.forgettings.kept.values()
        return one

    def keys(self, study: int = 1) -> set[KeyId]:
        rows = self.world.records.instances(HERE, uid(study_uid(study)))
        return {row.sealed.study_key_id for row in rows}

    def lying(self, keys: set[KeyId]) -> frozenset[KeyId]:
        return self.world.keyring.lying(HERE, Shelf.STUDY, keys)

    def readable(self, study: int = 1) -> bool:
        try:
            with self.world.archive.retrieve.begin(RADIOLOGIST, None, study_uid(study), details=NOTE) as retrieval:
                for row in retrieval.rows:
                    b"".join(retrieval.part10(row))
                retrieval.complete()
        except NotFound:
            return False
        return True


@pytest.fixture
def story(world: World) -> Story:
    store(world, data_set(1, 1), data_set(1, 2), data_set(2, 1))
    world.house.drop_keys()
    store(world, data_set(1, 3))
    return Story(world)


def test_a_study_is_forgotten_step_by_step_and_each_step_is_on_record(story: Story) -> None:
    keys, objects = story.keys(), set(story.world.blobs.stored)
    others = {row.sealed.object_id for row in story.world.records.instances(HERE, uid(study_uid(2)))}
    assert len(keys) == 2
    alias = story.world.archive.facts.of(RADIOLOGIST, None, uid(study_uid()))

    story.request()
    assert story.readable()
    assert story.carry_on() == [Stage.FENCED]
    assert not story.readable()
    assert story.carry_on() == [Stage.FENCED]
    assert story.lying(keys) == keys
    story.wait()
    assert story.carry_on() == [Stage.SWEPT]

    assert story.lying(keys) == frozenset()
    assert {one.key_id for one in story.world.tombstones.all()} == keys
    assert set(story.world.blobs.stored) == others < objects
    assert story.readable(2)
    assert story.stages() == ["requested", "fenced", "drained", "forgotten", "swept"]
    assert alias is not None
    told = [entry for entry in story.world.entries() if entry["action"] == "study:forget"]
    assert {entry["study"] for entry in told} == {str(alias.alias)}
    assert (story.kept().object_ids, set(story.kept().key_ids)) == ((), keys)
    assert story.carry_on() == []


def test_what_comes_in_late_has_a_new_key_and_is_read_while_the_old_stays_gone(story: Story) -> None:
    story.request()
    old = story.keys()
    story.carry_on()
    store(story.world, data_set(1, 1))
    assert story.readable()
    story.wait()
    story.carry_on()

    assert story.readable()
    assert old.isdisjoint(story.keys())
    assert story.lying(story.keys()) == story.keys()
    assert [row.identity.sop_instance_uid for row in story.world.records.instances(HERE, uid(study_uid()))] == [
        f"{study_uid()}.1.1"
    ]
    story.request()
    story.wait()
    story.carry_on()
    story.wait()
    assert story.carry_on() == [Stage.SWEPT]
    assert not story.readable()


def test_a_picture_on_its_way_through_the_fence_is_sealed_again(story: Story) -> None:
    old = story.keys()
    with story.world.archive.ingest.begin(subject(Role.TECHNOLOGIST), None, NOTE) as reception:
        reception.store(received(data_set(1, 4)))
        old |= story.keys()
        story.request()
        story.carry_on()
        reception.store(received(data_set(1, 5)))
    story.wait()
    story.carry_on()

    assert story.readable()
    assert len(story.world.records.instances(HERE, uid(study_uid()))) == 1
    assert story.lying(old | story.keys()) == story.keys()


def test_packed_and_unpacked_pictures_prove_their_key_alike(story: Story) -> None:
    store(story.world, data_set(3, 1, pixels=bytes(60_000)))
    store(story.world, data_set(4, 1, pixels=urandom(64)))
    (packed,) = story.world.records.instances(HERE, uid(study_uid(3)))
    (plain,) = story.world.records.instances(HERE, uid(study_uid(4)))
    assert is_packed(packed.sealed)
    for study in (3, 4):
        story.request(study)
    assert story.carry_on() == [Stage.FENCED] * 2
    story.wait()
    assert story.carry_on() == [Stage.SWEPT] * 2
    assert story.lying({packed.sealed.study_key_id, plain.sealed.study_key_id}) == frozenset()


def test_asked_for_twice_it_is_begun_once(story: Story) -> None:
    assert story.request() == story.request()
    assert story.stages() == ["requested"]


def test_only_one_may_be_taken_on(story: Story) -> None:
    story.request()
    second = story.request(2)

    (one,) = story.verb.carry_on(OPERATOR, None, details=NOTE, only=second.forgetting_id)
    assert (one.forgetting_id, one.stage) == (second.forgetting_id, Stage.FENCED)
    assert story.readable()


@pytest.mark.parametrize(
    ("by", "error"),
    [
        (OFFICER, Hidden),
        (RADIOLOGIST, Denied),
        (subject(Role.ADMIN, department=""), Hidden),
        (replace(OPERATOR, institution=ELSEWHERE), NotFound),
    ],
    ids=["officer", "radiologist", "admin", "another house"],
)
def test_nobody_else_has_anything_forgotten(story: Story, by: Any, error: type[ArchiveError]) -> None:
    with pytest.raises(error):
        story.verb.request(by, None, study_uid(), details=NOTE)
    assert story.world.forgettings.kept == {}

    story.request()
    try:
        assert story.verb.carry_on(by, None, details=NOTE) == []
    except (Denied, NotFound):
        assert by.institution == HERE
    assert story.kept().stage is Stage.REQUESTED


def test_what_is_no_study_is_not_forgotten(story: Story) -> None:
    with pytest.raises(Malformed):
        story.verb.request(OPERATOR, None, "x", details=NOTE)
    with pytest.raises(NotFound):
        story.request(9)


def test_who_may_not_erase_keys_carries_nothing_on(story: Story) -> None:
    story.request()

    with pytest.raises(Unavailable):
        replace(story.verb, eraser=None).carry_on(OPERATOR, None, details=NOTE)
    assert story.kept().stage is Stage.REQUESTED


def hold(story: Story, *, held: bool, study: int = 1) -> None:
    change = Reclassification(held=held)
    story.world.archive.classify.change(OFFICER, None, study_uid(study), change, "a court asks")


def put_back(story: Story, **changes: Any) -> None:
    """Write an old row of the study, its old proof included."""
    (study,) = (one for one in story.world.records._studies.values() if one.facts.study_instance_uid == study_uid())
    facts = replace(study.facts, **changes)
    seal = story.world.archive.forget.seals.index(HERE)
    study.stored = StoredFacts(facts, of_study(seal, facts))


@pytest.mark.parametrize("hidden", [False, True], ids=["in the index", "only in the ledger"])
def test_a_study_on_legal_hold_is_not_forgotten(story: Story, *, hidden: bool) -> None:
    keys = story.keys()
    hold(story, held=True)
    if hidden:
        put_back(story, held=False)

    with pytest.raises(Held):
        story.request()
    assert story.stages() == []
    assert story.lying(keys) == keys


@pytest.mark.parametrize("hidden", [False, True], ids=["in the index", "only in the ledger"])
def test_a_hold_that_is_set_after_the_request_stops_it_until_it_is_lifted(story: Story, *, hidden: bool) -> None:
    story.request()
    hold(story, held=True)
    if hidden:
        put_back(story, held=False)
    story.wait()
    with pytest.raises(Held):
        story.carry_on()
    assert story.kept().stage is Stage.REQUESTED
    assert story.world.entries()[-1]["outcome"] == "refused"
    assert story.readable()

    put_back(story, held=True)
    hold(story, held=False)
    assert story.carry_on() == [Stage.FENCED]


def test_a_hold_that_comes_at_the_last_moment_is_seen_in_the_commit(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.request()
    fence = story.world.forgettings.fence

    def late(*words: Any) -> Any:
        hold(story, held=True)
        return fence(*words)

    monkeypatch.setattr(story.world.forgettings, "fence", late)
    with pytest.raises(Held):
        story.carry_on()
    assert story.kept().stage is Stage.REQUESTED


def test_a_hold_that_is_said_behind_the_fence_stops_the_keys_from_going(story: Story) -> None:
    keys = story.keys()
    one = story.request()
    story.carry_on()
    words: dict[str, str | int] = {"held_before": "no", "held_after": "yes"}
    begun = next(entry for entry in story.world.ledger.kept if b'"study:forget"' in entry.content)
    said = replace(read_draft(begun.content), action=Action.STUDY_CLASSIFY, facts=words)
    story.world.ledger.append(said)
    story.wait()

    with pytest.raises(Held):
        story.carry_on()
    assert story.kept().stage is Stage.DRAINED
    assert story.lying(keys) == keys
    assert one.study_alias == said.study_alias


def test_one_that_is_held_does_not_keep_the_others(story: Story) -> None:
    story.request(1)
    story.request(2)
    hold(story, held=True)

    with pytest.raises(Held):
        story.carry_on()
    assert sorted(one.stage for one in story.world.forgettings.kept.values()) == [Stage.FENCED, Stage.REQUESTED]


def test_a_study_that_came_back_by_a_rebuild_is_not_forgotten_before_an_officer_has_looked(story: Story) -> None:
    hold(story, held=True)
    story.world.notary.attest()
    lost = Story(memory_world(of=story.world))
    lost.world.archive.rebuild.run(OPERATOR)

    with pytest.raises(Held):
        lost.request()
    assert lost.stages() == story.stages() == []
    seen = Reclassification(restricted=False, department="radiology")
    lost.world.archive.classify.change(OFFICER, None, study_uid(), seen, "the officer has looked")
    lost.request()
    put_back(lost, department=NO_DEPARTMENT, safeguards=frozenset({Safeguard.RESTRICTED}))
    with pytest.raises(Held):
        lost.carry_on()
    assert lost.kept().stage is Stage.REQUESTED


FORGERIES: dict[str, Callable[[Forgetting, Story], dict[str, Any]]] = {
    "keys": lambda _, story: {"key_ids": tuple(story.keys(2))},
    "stage": lambda _, __: {"stage": Stage.DRAINED},
    "time": lambda one, _: {"fenced_at": one.requested_at - timedelta(days=1)},
    "objects": lambda _, story: {"object_ids": tuple(story.world.blobs.stored)},
    "study": lambda _, __: {"study_instance_uid": uid(study_uid(2))},
    "proof": lambda _, __: {"proof": bytes(32)},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_by_a_row_that_the_archive_did_not_write_nothing_goes(story: Story, forgery: str) -> None:
    one = story.request()
    story.carry_on()
    shelf, objects = story.world.keyring.snapshot(), dict(story.world.blobs.stored)
    forged = replace(story.kept(), **FORGERIES[forgery](one, story))
    story.world.forgettings.kept[one.forgetting_id] = forged
    story.wait()

    with pytest.raises(Tampered):
        story.carry_on()
    assert story.world.keyring.snapshot().items() >= shelf.items()
    assert dict(story.world.blobs.stored) == objects
    assert list(story.world.tombstones.all()) == []


def rename_key(story: Story, source: int, target: int) -> None:
    """Write the keys of one study into the rows of another, all of their sealed columns included."""
    records = story.world.records
    (victim, *_) = records.instances(HERE, uid(study_uid(target)))
    for place, indexed in list(records._instances.items()):
        if indexed.row.identity.study_instance_uid == study_uid(source):
            moved = replace(indexed, row=replace(indexed.row, sealed=victim.sealed))
            records._instances[place] = moved
            for series in records._studies[HERE, uid(study_uid(source))].series.values():
                series.instances[:] = [moved if one.row == indexed.row else one for one in series.instances]


def test_a_key_of_another_study_that_stands_in_a_row_does_not_go(story: Story) -> None:
    theirs = story.keys(2)
    rename_key(story, 1, 2)
    story.request()
    story.wait()

    with pytest.raises(Tampered):
        story.carry_on()
    assert story.kept().stage is Stage.REQUESTED
    assert story.lying(theirs) == theirs


def change_row(story: Story, number: int, **sealed: Any) -> None:
    """Write other columns into the row of one instance of the first study."""
    records = story.world.records
    place = (HERE, uid(f"{study_uid()}.1.{number}"))
    before = records._instances[place]
    after = replace(before, row=replace(before.row, sealed=replace(before.row.sealed, **sealed)))
    records._instances[place] = after
    for series in records._studies[HERE, uid(study_uid())].series.values():
        series.instances[:] = [after if one is before else one for one in series.instances]


def house_key(story: Story) -> KeyId:
    keys = story.world.records.institution_keys(HERE, None)
    assert keys is not None
    return keys.index


def key_elsewhere(story: Story) -> KeyId:
    return story.world.keyring.mint(ELSEWHERE, Shelf.STUDY).key_id


@pytest.mark.parametrize("foreign", [house_key, key_elsewhere], ids=["another shelf", "another house"])
def test_only_keys_that_lay_on_the_study_shelf_of_this_house_are_buried(
    story: Story, foreign: Callable[[Story], KeyId]
) -> None:
    shelf = story.world.keyring.snapshot()
    change_row(story, 2, study_key_id=foreign(story))
    story.request()

    with pytest.raises(Tampered):
        story.carry_on()
    assert list(story.world.tombstones.all()) == []
    assert story.world.keyring.snapshot().keys() >= shelf.keys()


def test_an_object_of_another_study_that_stands_in_a_row_is_not_removed(story: Story) -> None:
    (victim,) = story.world.records.instances(HERE, uid(study_uid(2)))
    change_row(story, 2, object_id=victim.sealed.object_id)
    story.request()

    with pytest.raises(Tampered):
        story.carry_on()
    assert story.kept().stage is Stage.REQUESTED
    assert victim.sealed.object_id in story.world.blobs.stored


def test_what_a_row_names_at_the_sweep_is_not_removed(story: Story) -> None:
    story.request()
    story.carry_on()
    kept, *others = story.kept().object_ids
    store(story.world, data_set(1, 1))
    change_row(story, 1, object_id=kept)
    story.wait()

    assert story.carry_on() == [Stage.SWEPT]
    assert kept in story.world.blobs.stored
    assert set(others).isdisjoint(story.world.blobs.stored)
    swept = [entry["facts"] for entry in story.world.entries() if entry["facts"].get("stage") == "swept"]
    assert [(one["objects"], one["named"]) for one in swept] == [(2, 1)]


def test_a_key_none_of_whose_objects_is_left_does_not_go(story: Story) -> None:
    keys = story.keys()
    for row in story.world.records.instances(HERE, uid(study_uid())):
        story.world.blobs.remove(row.sealed.object_id)
    story.request()

    with pytest.raises(Tampered):
        story.carry_on()
    assert story.lying(keys) == keys


def test_a_key_that_is_gone_already_is_not_buried_and_keeps_nothing_else(story: Story) -> None:
    one, other = story.keys()
    story.world.keyring.forget(one)
    story.request()
    story.carry_on()
    story.wait()

    assert story.carry_on() == [Stage.SWEPT]
    assert [buried.key_id for buried in story.world.tombstones.all()] == [other]
    assert not story.readable()


def test_a_study_whose_row_is_another_is_not_fenced(story: Story) -> None:
    story.request()
    story.world.records.remove(HERE, uid(study_uid()), 0)

    with pytest.raises(Tampered):
        story.carry_on()
    assert story.kept().stage is Stage.REQUESTED


@pytest.mark.parametrize(("often", "stage"), [(1, Stage.FENCED), (TRIES, Stage.REQUESTED)])
def test_pictures_that_come_in_meanwhile_are_taken_along(
    story: Story, monkeypatch: pytest.MonkeyPatch, often: int, stage: Stage
) -> None:
    story.request()
    fence, waiting = story.world.forgettings.fence, iter(range(10, 10 + often))

    def busy(*words: Any) -> Any:
        for number in waiting:
            story.world.house.drop_keys()
            store(story.world, data_set(1, number))
            break
        return fence(*words)

    monkeypatch.setattr(story.world.forgettings, "fence", busy)
    assert story.carry_on() == [stage]
    assert story.carry_on() == [Stage.FENCED]
    assert len(story.kept().object_ids) == 3 + often
    assert len(story.kept().key_ids) == 2 + often


def test_of_two_that_carry_on_at_once_each_step_is_taken_by_one(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.request()
    story.carry_on()
    story.wait()
    advance = story.world.forgettings.advance

    def other_first(permit: Any, after: Forgetting, draft: Any) -> None:
        monkeypatch.setattr(story.world.forgettings, "advance", advance)
        story.carry_on()
        advance(permit, after, draft)

    monkeypatch.setattr(story.world.forgettings, "advance", other_first)
    assert story.carry_on() == [Stage.FENCED]
    assert story.kept().stage is Stage.SWEPT
    assert story.stages() == ["requested", "fenced", "drained", "forgotten", "swept"]


BREAKS: dict[str, tuple[Callable[[World], object], str]] = {
    "the fence": (lambda world: world.forgettings, "fence"),
    "the index": (lambda world: world.forgettings, "advance"),
    "the tombstones": (lambda world: world.tombstones, "bury"),
    "the vault": (lambda world: world.keyring, "erase"),
    "the store": (lambda world: world.blobs, "remove"),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("broken", BREAKS)
def test_whatever_breaks_at_every_step_the_next_run_ends_it(
    story: Story, monkeypatch: pytest.MonkeyPatch, broken: str, *, after: bool
) -> None:
    keys = story.keys()
    place, name = BREAKS[broken]
    engine = place(story.world)
    real, broke = getattr(engine, name), [0]

    def breaking_every_other_time(*words: Any) -> Any:
        broke[0] += 1
        if broke[0] % 2 == 0 or broke[0] > 5:
            return real(*words)
        if after:
            real(*words)
        raise Unavailable("not now")

    monkeypatch.setattr(engine, name, breaking_every_other_time)
    story.request()
    for _ in range(12):
        try:
            story.carry_on()
        except Unavailable:
            assert story.lying(keys) in (keys, frozenset())
        story.wait()

    assert story.kept().stage is Stage.SWEPT
    assert story.lying(keys) == frozenset()
    assert {one.key_id for one in story.world.tombstones.all()} == keys
    assert story.stages() == ["requested", "fenced", "drained", "forgotten", "swept"]


def test_a_forgetting_without_the_time_of_its_fence_is_not_drained(story: Story) -> None:
    one = story.request()
    story.carry_on()
    seal = story.verb.seals.index(HERE)
    timeless = replace(story.kept(), fenced_at=None)
    story.world.forgettings.kept[one.forgetting_id] = replace(timeless, proof=of_forgetting(seal, timeless))
    story.wait()

    assert story.carry_on() == [Stage.FENCED]


def test_a_stage_is_behind_the_one_before() -> None:
    assert [stage.before for stage in Stage] == [Stage.REQUESTED, *list(Stage)[:-1]]
