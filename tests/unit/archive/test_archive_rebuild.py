"""Rebuilding in memory: the safer side, what cannot be known, several institutions, and who may."""

import time
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest

from pacs_secure.archive import rebuild as module
from pacs_secure.archive.adoption import NO_DEPARTMENT
from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.archive.rebuild import Rebuild
from pacs_secure.archive.seals import Recoverer
from pacs_secure.archive.store_check import NOBODYS
from pacs_secure.core.access import Action, Role, Safeguard, Subject
from pacs_secure.core.audit import Verdict
from pacs_secure.core.errors import Conflict, Denied, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.core.rebuilding import Seen
from pacs_secure.ports import Shelf
from tests.builders import ELSEWHERE, HERE, grant, new_object_id, subject, viewer
from tests.fakes_blobs import MemoryBlobs
from tests.unit.archive.instances import TECHNOLOGIST, acts, data_set, instance_uid, received, store, study_uid
from tests.world import World, memory_world

OPERATOR = subject(Role.OPERATOR)
NOTE = {"protocol": "test"}


def lost(world: World, *contents: bytes, by: Subject = TECHNOLOGIST) -> World:
    """Store, publish, and lose the database; return the archive with an empty one."""
    if contents:
        store(world, *contents, by=by)
    world.notary.attest()
    world.house.drop_keys()
    return memory_world(of=world)


def rebuilt(world: World, by: Subject = OPERATOR) -> Verdict:
    verb: Rebuild = world.archive.rebuild
    return verb.run(by)


def test_every_study_comes_back_restricted_and_in_no_department(world: World) -> None:
    anew = lost(world, data_set(1), data_set(1, 2), data_set(2, PatientID="P2"))
    verdict = rebuilt(anew)

    assert (verdict.checked, verdict.findings, verdict.told["adopted"], verdict.told["studies"]) == (3, (), 3, 2)
    for study in (1, 2):
        (stored,) = anew.records.studies(viewer(), study_uid(study))  # type: ignore[arg-type]
        assert stored.facts.safeguards == {Safeguard.RESTRICTED}
        assert stored.facts.department == NO_DEPARTMENT


@pytest.mark.parametrize("pixels", [bytes(range(60)), Random(7).randbytes(6000)], ids=["packed", "plain"])
def test_rows_are_what_they_were_but_for_act_and_milliseconds(world: World, pixels: bytes) -> None:
    anew = lost(world, data_set(1, pixels=pixels, frames=3))
    rebuilt(anew)
    ((before,), (after,)) = ([one.row for one in archive.records._instances.values()] for archive in (world, anew))

    assert abs(after.received_at - before.received_at).total_seconds() < 1
    same = {"received_at": before.received_at, "act": before.act, "metadata_box": before.metadata_box}
    known = anew.fingerprint(data_set(1, pixels=pixels, frames=3))
    assert after.data_set_fingerprint == known
    assert replace(after, **same) == replace(before, data_set_fingerprint=known)  # type: ignore[arg-type]
    operator = subject(Role.OPERATOR)
    assert anew.archive.verify.check_archive(operator, deep=True).findings == ()


def test_each_study_is_on_record_once_with_the_commit_that_brought_it(world: World) -> None:
    anew = lost(world, data_set(1), data_set(1, 2), data_set(2))
    before = world.ledger.size()
    rebuilt(anew)

    assert acts(anew)[before:] == [
        ("archive:rebuild", "begun"),
        ("archive:rebuild", "completed"),
        ("archive:rebuild", "completed"),
        ("archive:rebuild", "completed"),
    ]
    assert [entry.get("study") is not None for entry in anew.entries()[before:]] == [False, True, True, False]


def test_acts_are_not_remembered_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ACTS", 1)
    anew = lost(world, data_set(1), data_set(2), data_set(1, 2))
    verdict = rebuilt(anew)

    assert (verdict.told["adopted"], verdict.told["studies"]) == (3, 3)


def test_whoever_watches_sees_how_far_it_is(world: World) -> None:
    anew = lost(world, *(data_set(study) for study in range(1, 4)))
    seen: list[Seen] = []
    entries: list[int] = []
    anew.archive.rebuild.run(OPERATOR, seen.append, entries.append)

    assert [(one.objects, one.of) for one in seen] == [(1, 3), (2, 3), (3, 3)]
    assert sum(entries) == world.ledger.size()


@pytest.mark.parametrize("role", [Role.ADMIN, Role.DPO, Role.OFFICER, Role.RADIOLOGIST])
def test_nobody_else_may(world: World, role: Role) -> None:
    anew = lost(world, data_set())
    with pytest.raises(Denied):
        rebuilt(anew, subject(role))
    assert acts(anew) == [("archive:rebuild", "refused")]
    assert anew.house.engines.rebuilds.newest() is None


def test_the_pictures_of_each_institution_go_back_to_it(world: World) -> None:
    store(world, data_set(1))
    anew = lost(world, data_set(2), by=subject(Role.TECHNOLOGIST, of=ELSEWHERE))
    verdict = rebuilt(anew)

    assert (verdict.findings, verdict.told["adopted"], verdict.told["pseudonyms"]) == ((), 2, "go on")
    assert len(anew.records.instances(HERE, study_uid(1))) == 1  # type: ignore[arg-type]
    assert len(anew.records.instances(ELSEWHERE, study_uid(2))) == 1  # type: ignore[arg-type]


def test_an_object_on_another_institutions_shelf_is_not_let_in(world: World) -> None:
    store(world, data_set(1))
    ((name, _),) = world.blobs.stored.items()
    (row,) = (one.row for one in world.records._instances.values())
    key_id = row.sealed.study_key_id
    world.keyring.copy((HERE, Shelf.STUDY, key_id), (ELSEWHERE, Shelf.STUDY, key_id))
    place = (ELSEWHERE, Shelf.STUDY, key_id)
    world.keyring._shelf[place] = (place, world.keyring._shelf[place][1])
    del world.keyring._shelf[HERE, Shelf.STUDY, key_id]
    verdict = rebuilt(lost(world))

    (finding,) = verdict.findings
    assert finding.problem.startswith(str(name))
    assert "another institution" in finding.problem


def test_a_process_that_may_not_list_the_shelf_finds_its_own_institutions_keys(world: World) -> None:
    anew = lost(world, data_set(1), data_set(2))
    (first, *_) = sorted(world.blobs.stored)
    key_id = next(
        one.row.sealed.study_key_id for one in world.records._instances.values() if one.row.sealed.object_id == first
    )
    world.keyring.forget(key_id)
    verb = anew.archive.rebuild
    blind = replace(verb, keys=None, institutions=replace(verb.institutions, keys=None))
    verdict = blind.run(OPERATOR)

    assert (verdict.told["adopted"], verdict.told["keyless"], verdict.told["pseudonyms"]) == (1, 1, "begin anew")


def test_a_key_that_goes_while_its_object_is_opened_is_a_key_that_went(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew = lost(world, data_set(1))
    (row,) = (one.row for one in world.records._instances.values())
    listed = anew.keyring.listed

    def late(of: Institution, shelf: Shelf) -> frozenset[KeyId]:
        found = listed(of, shelf)
        if shelf is Shelf.STUDY:
            anew.keyring.forget(row.sealed.study_key_id)
        return found

    monkeypatch.setattr(anew.keyring, "listed", late)
    assert rebuilt(anew).told["keyless"] == 1


def test_equal_bytes_stored_twice_are_one_picture(world: World) -> None:
    store(world, data_set(1))
    world.records._instances.clear()
    world.records._studies.clear()
    verdict = rebuilt(lost(world, data_set(1)))

    assert (verdict.told["adopted"], verdict.told["duplicates"], verdict.findings) == (1, 1, ())


def test_other_bytes_under_the_same_uid_are_a_finding_and_the_older_stays(world: World) -> None:
    store(world, data_set(1, PatientID="OLD"))
    world.records._instances.clear()
    world.records._studies.clear()
    anew = lost(world, data_set(1, PatientID="NEW"))
    verdict = rebuilt(anew)

    assert (verdict.told["adopted"], len(verdict.findings)) == (1, 1)
    (kept,) = anew.records._instances.values()
    assert kept.row.sealed.object_id == min(world.blobs.stored)


def test_findings_are_bounded_and_all_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FINDINGS", 2)
    anew = lost(world)
    for _ in range(4):
        world.blobs.put(new_object_id(), [b"not an object"])
    verdict = rebuilt(anew)

    assert (len(verdict.findings), verdict.told["wanting"], verdict.checked) == (2, 4, 4)


def test_an_outage_leaves_what_was_done_and_is_on_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    anew = lost(world, data_set(1), data_set(2))
    naming, calls = anew.records.naming_objects, iter(range(9))

    def failing(names: object) -> object:
        if next(calls) == 1:
            raise Unavailable("the index is gone")
        return naming(names)  # type: ignore[arg-type]

    monkeypatch.setattr(anew.records, "naming_objects", failing)
    with pytest.raises(Unavailable):
        rebuilt(anew)
    assert acts(anew)[-1] == ("archive:rebuild", "failed")
    verdict = rebuilt(anew)

    assert (verdict.told["known"], verdict.told["adopted"]) == (1, 1)
    with pytest.raises(Conflict):
        rebuilt(anew)


def test_a_store_out_of_reach_says_nothing_of_its_objects(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    anew = lost(world, data_set(1))

    def gone(_name: object) -> None:
        raise Unavailable("the disk is gone")

    monkeypatch.setattr(world.blobs, "open", gone)
    with pytest.raises(Unavailable):
        rebuilt(anew)
    verdict = anew.archive.verify.check_archive(OPERATOR, deep=False)
    assert [finding.place for finding in verdict.findings] == ["index"]


def test_an_object_under_another_ones_name_is_a_finding(world: World) -> None:
    anew = lost(world, data_set(1))
    name = new_object_id()
    world.blobs.put(name, [next(iter(world.blobs.stored.values()))])
    verdict = rebuilt(anew)

    (finding,) = verdict.findings
    assert finding.problem == f"{name}: the object is another one than its name says"


def test_a_data_set_that_is_not_the_labelled_one_is_a_finding(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    anew = lost(world, data_set(1))
    monkeypatch.setattr("pacs_secure.archive.adoption.sha256", lambda _: sha256(b"another"))
    (finding,) = rebuilt(anew).findings
    assert "not the one that was received" in finding.problem


def test_nothing_is_recovered_by_a_grant_for_something_else(world: World) -> None:
    store(world, data_set(1))
    recoverer = world.archive.rebuild.adoption.recoverer
    (name,) = world.blobs.stored
    for grant_ in (grant(), grant(OPERATOR, Action.ARCHIVE_VERIFY)):
        with pytest.raises(Denied):
            recoverer.key_of(grant_, name)
        with pytest.raises(Denied):
            recoverer.open(grant_, HERE, name)


def test_what_a_rebuild_left_is_never_swept_and_stays_a_finding(world: World) -> None:
    from datetime import timedelta

    anew = lost(world, data_set(1))
    strange = new_object_id()
    world.blobs.put(strange, [b"perhaps a picture"])
    rebuilt(anew)
    world.blobs._written[strange] -= timedelta(days=5)
    verdict = anew.archive.verify.check_archive(OPERATOR, deep=False)

    assert [one.problem for one in verdict.findings] == [f"{strange}: {NOBODYS}"]
    assert (strange in world.blobs.stored, verdict.told["swept"]) == (True, 0)


def test_an_instance_of_another_name_than_its_label_says_is_a_finding(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacs_secure.dicom.header import Header, Limits, scan

    anew = lost(world, data_set(1))

    def other(data: memoryview, syntax: str, limits: Limits) -> Header:
        header = scan(data, syntax, limits)
        return replace(header, sop_instance_uid=instance_uid(9))  # type: ignore[arg-type]

    monkeypatch.setattr("pacs_secure.archive.adoption.scan", other)
    (finding,) = rebuilt(anew).findings
    assert "another instance" in finding.problem


def test_what_one_store_lacks_or_has_damaged_comes_from_the_other(world: World) -> None:
    store(world, *(data_set(study) for study in range(1, 5)))
    second = MemoryBlobs()
    second.stored = dict(world.blobs.stored)
    second._written = dict(world.blobs._written)
    names = sorted(world.blobs.stored)
    world.blobs.remove(names[0])
    world.blobs.stored[names[1]] = world.blobs.stored[names[1]][:-5]
    second.remove(names[2])
    world.blobs.stored[names[3]] = b"x"
    second.stored[names[3]] = b"y"
    anew = lost(world)
    verb = anew.archive.rebuild
    stores = [world.blobs, second]
    recoverer = Recoverer(verb.adoption.recoverer._keys, stores)
    verdict = replace(verb, stores=stores, adoption=replace(verb.adoption, recoverer=recoverer)).run(OPERATOR)

    assert verdict.told["adopted"] == 3
    (finding,) = verdict.findings
    assert finding.problem.startswith(str(names[3]))


def test_what_a_crash_left_of_a_study_that_was_forgotten_stays_out_of_a_rebuilt_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = memory_world()
    store(world, data_set(1), data_set(2))
    world.house.drop_keys()

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(world.records, "add", cut)
        with pytest.raises(KeyboardInterrupt):
            world.archive.ingest.begin(TECHNOLOGIST, None, {}).store(received(data_set(1, 2)))
    (left,) = world.blobs.stored.keys() - {one.row.sealed.object_id for one in world.records._instances.values()}
    world.house.drop_keys()
    forget = world.archive.forget
    forget.request(OPERATOR, None, study_uid(1), details=NOTE)
    forget.carry_on(OPERATOR, None, details=NOTE)
    replace(forget, now=lambda: forget.now() + LONGEST_MEMORY).carry_on(OPERATOR, None, details=NOTE)
    time.sleep(0.002)  # what comes now is made in another millisecond
    store(world, data_set(1, 3))  # another study of the same UID

    anew = lost(world)
    verdict = rebuilt(anew)
    assert [one.problem for one in verdict.findings] == [f"{left}: its study was forgotten: it stays out of the index"]
    assert {
        row.identity.sop_instance_uid for row in anew.records.every_instance(grant(OPERATOR, Action.ARCHIVE_VERIFY))
    } == {
        instance_uid(1, 3),
        instance_uid(2, 1),
    }
    assert left in anew.blobs.stored
