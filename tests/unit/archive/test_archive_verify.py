"""Verifying: itself decided and recorded, and what is out of reach is no finding."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pacs_secure.archive.ledger_check import MOST_FINDINGS
from pacs_secure.archive.verify import Verify
from pacs_secure.core.access import Grant, Role
from pacs_secure.core.audit import Verdict
from pacs_secure.core.errors import Denied, Malformed, Tampered, Unavailable
from pacs_secure.core.instance import InstanceRow
from tests.builders import new_object_id, subject
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
    steps: list[int] = []
    verdict = world.archive.verify.check_archive(OPERATOR, deep=deep, progress=steps.append)

    assert (verdict.checked, verdict.sound, steps) == (2, True, [1, 1])
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

    assert verify_archive(world, deep=False).sound
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


# --- the sweep ----------------------------------------------------------------------------------


def test_an_object_that_no_row_names_is_swept_after_a_day_and_that_is_counted(world: World) -> None:
    store(world)
    dead, fresh = new_object_id(), new_object_id()
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
    names = [new_object_id() for _ in range(rows + 1)]
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
