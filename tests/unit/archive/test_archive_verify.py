"""Verifying: itself decided and recorded, and what is out of reach is no finding."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pacs_secure.archive.ledger_check import MOST_FINDINGS
from pacs_secure.archive.verify import Verify
from pacs_secure.core.access import Grant, Role
from pacs_secure.core.audit import Pace, Verdict
from pacs_secure.core.errors import Denied, Malformed, Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.core.instance import InstanceRow
from pacs_secure.ports import Shelf, Tombstone
from tests.builders import ELSEWHERE, HERE, grant, subject, young_object_id
from tests.unit.archive.instances import acts, data_set, store
from tests.world import World

DPO, OPERATOR = subject(Role.DPO), subject(Role.OPERATOR)


def verify_ledger(world: World) -> Verdict:
    verify: Verify = world.archive.verify
    return verify.check_ledger(DPO)


def verify_archive(world: World, *, deep: bool = True) -> Verdict:
    return world.archive.verify.check_archive(OPERATOR, deep=deep)


def test_reading_the_ledger_is_recorded_before_it_is_read(world: World) -> None:
    store(world)
    world.notary.attest()
    steps: list[int] = []
    verdict = world.archive.verify.check_ledger(DPO, steps.append)

    assert (verdict.checked, verdict.findings) == (3, ())
    assert steps == [1, 1, 1]
    assert acts(world)[2:] == [("ledger:verify", "begun"), ("ledger:verify", "completed")]
    assert world.entries()[-1]["facts"] == {"checked": 3, "findings": 0, "signatures": "verified"}


@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.ADMIN, Role.CLINICIAN])
def test_whoever_may_not_read_the_ledger_leaves_a_record(world: World, role: Role) -> None:
    with pytest.raises(Denied):
        world.archive.verify.check_ledger(subject(role))
    with pytest.raises(Denied):
        world.archive.verify.check_archive(subject(role), deep=True)
    assert acts(world) == [("ledger:verify", "refused"), ("archive:verify", "refused")]


def test_a_tampered_ledger_is_found_wanting_and_that_is_counted(world: World) -> None:
    store(world)
    world.notary.attest()
    world.ledger.kept[0], world.ledger.kept[1] = world.ledger.kept[1], world.ledger.kept[0]
    verdict = verify_ledger(world)

    assert verdict.findings[0].position == 0
    assert world.entries()[-1]["facts"]["findings"] == len(verdict.findings)


def test_a_ledger_that_cannot_be_read_to_its_end_has_no_verdict(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world)

    def broken(start: int, stop: int) -> Iterator[object]:
        yield world.ledger.kept[0]
        raise Unavailable("the disk is gone")

    monkeypatch.setattr(world.ledger, "entries", broken)
    with pytest.raises(Unavailable):
        verify_ledger(world)

    assert acts(world)[2:] == [("ledger:verify", "begun"), ("ledger:verify", "failed")]
    assert world.entries()[-1]["facts"]["error"] == "Unavailable"


def test_a_ledger_that_grows_and_is_signed_meanwhile_is_sound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world)
    world.notary.attest()
    newest = world.publisher.checkpoint

    def meanwhile() -> bytes | None:
        monkeypatch.setattr(world.publisher, "checkpoint", newest)
        store(world, data_set(2))
        world.notary.attest()
        return newest()

    monkeypatch.setattr(world.publisher, "checkpoint", meanwhile)

    assert verify_ledger(world).findings == ()


# --- objects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("deep", [False, True])
def test_an_untouched_archive_is_sound(world: World, deep: bool) -> None:  # noqa: FBT001
    store(world, data_set(1), data_set(2))
    steps: list[Pace] = []
    verdict = world.archive.verify.check_archive(OPERATOR, deep=deep, paced=steps.append)

    assert (verdict.checked, verdict.sound, [pace.objects for pace in steps]) == (2, True, [1, 2])
    assert verdict.pace is not None
    assert (verdict.pace.objects, verdict.pace.octets) == (2, deep * sum(map(len, world.blobs.stored.values())))
    assert verdict.told == {"swept": 0, "keys": 2, "keys_unnamed": 0}
    ended = world.entries()[-1]
    assert (ended["action"], ended["outcome"]) == ("archive:verify", "completed")
    assert (ended["facts"]["deep"], ended["facts"]["swept"]) == (str(deep).lower(), 0)


def test_a_data_set_that_is_not_the_one_received_is_found(world: World) -> None:
    store(world, data_set(1))
    (key, kept) = next(iter(world.records._instances.items()))
    world.records._instances[key] = replace(kept, row=replace(kept.row, data_set_fingerprint=bytes(32)))

    verdict = world.archive.verify.check_archive(OPERATOR, deep=True)

    assert [finding.place for finding in verdict.findings] == ["object"]
    assert "not the one that was received" in verdict.findings[0].problem


def remove(world: World) -> str:
    world.blobs.stored.clear()
    return "missing"


def cut(world: World) -> str:
    world.blobs.stored = {name: content[:-1] for name, content in world.blobs.stored.items()}
    return "length"


def damage(world: World) -> str:
    world.blobs.damage()
    return ""


def forget(world: World) -> str:
    world.house.drop_keys()
    for place in list(world.keyring._shelf):
        world.keyring.forget(place[2])
    return "forgotten"


@pytest.mark.parametrize("harm", [remove, cut])
@pytest.mark.parametrize("deep", [False, True])
def test_a_lost_or_cut_object_is_found_without_opening_it(world: World, harm: object, deep: bool) -> None:  # noqa: FBT001
    store(world)
    word = harm(world)  # type: ignore[operator]
    (finding,) = verify_archive(world, deep=deep).findings

    assert (finding.place, finding.position) == ("object", None)
    assert word in finding.problem


@pytest.mark.parametrize("harm", [damage, forget])
def test_a_changed_or_forgotten_object_is_found_when_it_is_opened(world: World, harm: object) -> None:
    store(world)
    word = harm(world)  # type: ignore[operator]

    assert verify_archive(world, deep=False).sound is (harm is damage)
    (finding,) = [found for found in verify_archive(world).findings if found.place == "object"]
    assert word in finding.problem


def test_each_finding_names_its_object_and_nobody(world: World) -> None:
    store(world, data_set(PatientName="Mustermann^Erika"))
    world.blobs.damage()
    (row,) = world.records._instances.values()
    (finding,) = verify_archive(world).findings

    assert finding.problem.startswith(str(row.row.sealed.object_id))
    assert "Muster" not in finding.problem


def test_findings_are_bounded(world: World) -> None:
    store(world, *(data_set(1, number) for number in range(1, MOST_FINDINGS + 3)))
    world.blobs.stored.clear()
    verdict = verify_archive(world, deep=False)

    assert (verdict.checked, len(verdict.findings)) == (MOST_FINDINGS + 2, MOST_FINDINGS)


@pytest.mark.parametrize("engine", ["keyring", "blobs"])
def test_what_is_out_of_reach_is_no_finding(world: World, engine: str) -> None:
    store(world)
    verify_archive(world)
    world.house.drop_keys()
    world.keyring.sealed, world.blobs.down = engine == "keyring", engine == "blobs"

    with pytest.raises(Unavailable):
        verify_archive(world)
    assert acts(world)[4:] == [("archive:verify", "begun"), ("archive:verify", "failed")]


# --- what happens meanwhile ---------------------------------------------------------------------


@pytest.mark.parametrize("deep", [False, True])
def test_a_key_that_was_forgotten_is_found_and_named_by_its_object(world: World, deep: bool) -> None:  # noqa: FBT001
    store(world)
    world.house.drop_keys()
    (row,) = (one.row for one in world.records._instances.values())
    world.keyring.forget(row.sealed.study_key_id)
    (finding,) = verify_archive(world, deep=deep).findings

    assert finding.problem.startswith(str(row.sealed.object_id))
    assert "key" in finding.problem


def test_a_key_is_looked_for_once_however_many_objects_name_it(world: World) -> None:
    store(world, data_set(1, 1), data_set(1, 2), data_set(1, 3))
    (key_id,) = {one.row.sealed.study_key_id for one in world.records._instances.values()}
    world.keyring.forget(key_id)
    before = world.keyring.opening

    assert len(verify_archive(world, deep=False).findings) == 3
    assert world.keyring.opening == before + 1


def test_a_study_stored_while_the_shelf_was_being_listed_is_no_finding(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world)
    listed = world.keyring.listed

    def meanwhile(of: Institution, shelf: Shelf) -> frozenset[KeyId]:
        found = listed(of, shelf)
        store(world, data_set(2, 1), data_set(2, 2))
        return found

    monkeypatch.setattr(world.keyring, "listed", meanwhile)
    verdict = verify_archive(world, deep=False)

    assert (verdict.checked, verdict.findings) == (3, ())


@pytest.mark.parametrize("what", ["object", "key"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_study_forgotten_while_it_was_looked_at_is_no_finding(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    deep: bool,  # noqa: FBT001
    what: str,
) -> None:
    store(world)
    world.house.drop_keys()
    rows = list(world.records.every_instance(grant()))

    def late(_proof: Grant) -> Iterator[InstanceRow]:
        for row in rows:
            world.keyring.forget(row.sealed.study_key_id)
            if what == "object":
                world.blobs.remove(row.sealed.object_id)
            world.records._instances.clear()
            world.records._studies.clear()
            yield row

    monkeypatch.setattr(world.records, "every_instance", late)

    assert verify_archive(world, deep=deep).findings == ()


@pytest.mark.parametrize("deep", [False, True])
def test_a_row_that_names_a_buried_key_and_still_stands_is_found(world: World, deep: bool) -> None:  # noqa: FBT001
    store(world)
    world.house.drop_keys()
    bury(world, datetime.now(UTC))
    forget(world)

    assert len([one for one in verify_archive(world, deep=deep).findings if one.place == "object"]) == 1


def bury(world: World, at: datetime) -> KeyId:
    (row,) = (one.row for one in world.records._instances.values())
    key_id = row.sealed.study_key_id
    world.house.engines.tombstones.bury([Tombstone(key_id, HERE, Shelf.STUDY, at)])
    return key_id


@pytest.mark.parametrize(("minutes", "found"), [(1, 0), (11, 1)])
def test_a_forgotten_key_that_is_on_the_shelf_again_is_found(world: World, minutes: int, found: int) -> None:
    store(world)
    key_id = bury(world, datetime.now(UTC) - timedelta(minutes=minutes))
    findings = verify_archive(world, deep=False).findings

    assert [(one.place, one.problem.split(":")[0]) for one in findings] == [("shelf", str(key_id))] * found


def test_several_verifications_at_once_agree_and_sweep_once(world: World) -> None:
    store(world, *(data_set(study) for study in range(1, 9)))
    dead = [young_object_id() for _ in range(5)]
    for name in dead:
        world.blobs.put(name, [b"ciphertext"])
        world.blobs._written[name] -= timedelta(days=2)
    with ThreadPoolExecutor(4) as several:
        verdicts = list(several.map(lambda _: verify_archive(world), range(4)))

    assert [(verdict.checked, verdict.findings) for verdict in verdicts] == [(8, ())] * 4
    assert set(dead).isdisjoint(world.blobs.stored)


def test_a_key_that_no_row_names_is_counted_and_no_finding(world: World) -> None:
    store(world)
    world.keyring.mint(HERE, Shelf.STUDY)
    verdict = verify_archive(world, deep=False)

    assert (verdict.findings, verdict.told["keys"], verdict.told["keys_unnamed"]) == ((), 2, 1)


def test_a_process_that_may_not_list_the_shelf_says_so(world: World) -> None:
    store(world)
    verify = world.archive.verify
    blind = replace(verify, store=replace(verify.store, keys=None))
    verdict = blind.check_archive(OPERATOR, deep=False)

    assert verdict.sound
    assert "not compared" in str(verdict.told["shelf"])


def test_the_keys_of_another_institution_are_looked_for_on_its_own_shelf(world: World) -> None:
    store(world, by=subject(Role.TECHNOLOGIST, of=ELSEWHERE))

    assert verify_archive(world, deep=False).sound


# --- the sweep ----------------------------------------------------------------------------------


def test_an_object_that_no_row_names_is_swept_after_a_day_and_that_is_counted(world: World) -> None:
    store(world)
    dead, fresh = young_object_id(), young_object_id()
    for name, age in ((dead, timedelta(days=1, seconds=1)), (fresh, timedelta(hours=23))):
        world.blobs.put(name, [b"ciphertext"])
        world.blobs._written[name] = datetime.now(UTC) - age
    verify_archive(world, deep=False)

    assert dead not in world.blobs.stored
    assert fresh in world.blobs.stored
    assert world.entries()[-1]["facts"]["swept"] == 1


@pytest.mark.parametrize("rows", [0, 1])
def test_an_index_that_knows_too_few_of_the_objects_sweeps_none(world: World, rows: int) -> None:
    if rows:
        store(world)
    names = [young_object_id() for _ in range(rows + 1)]
    for name in names:
        world.blobs.put(name, [b"ciphertext"])
        world.blobs._written[name] -= timedelta(days=2)

    verdict = world.archive.verify.check_archive(OPERATOR, deep=False)

    assert [finding.place for finding in verdict.findings] == ["index"]
    assert set(names) <= set(world.blobs.stored)
    assert world.entries()[-1]["facts"]["swept"] == 0


def test_what_a_row_names_is_never_swept_however_old(world: World) -> None:
    store(world)
    (name,) = world.blobs.stored
    world.blobs._written[name] -= timedelta(days=10_000)
    verify_archive(world)

    assert name in world.blobs.stored


def test_nothing_is_swept_when_the_rows_could_not_all_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world, data_set(1), data_set(2))
    for name in world.blobs.stored:
        world.blobs._written[name] -= timedelta(days=2)
    every = world.records.every_instance

    def torn(proof: Grant) -> Iterator[InstanceRow]:
        yield next(every(proof))
        raise Tampered("a stored frame index is none")

    monkeypatch.setattr(world.records, "every_instance", torn)
    with pytest.raises(Tampered):
        verify_archive(world)
    assert len(world.blobs.stored) == 2


@pytest.mark.parametrize("since", [datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC)])
def test_a_moment_before_every_ledger_is_none_and_leaves_no_act_open(world: World, since: datetime) -> None:
    before = len(world.entries())
    with pytest.raises(Malformed):
        world.archive.verify.check_ledger(DPO, since=since)

    assert len(world.entries()) == before
    assert world.archive.verify.check_ledger(DPO, since=datetime(1970, 1, 1, tzinfo=UTC)).findings == ()
