"""Taking in: every numbered step may fail, and none leaves a row without its object or a Success without both."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from pacs_secure.archive.ingest import Received
from pacs_secure.archive.left_over import LONGEST_PUT
from pacs_secure.core.access import AccessRequest, Permit, Purpose, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, Denied, Hidden, Malformed, OverLimit, Unavailable
from pacs_secure.core.identifiers import ObjectId, uid
from pacs_secure.dicom.limits import Limits
from pacs_secure.ports import Added
from tests.builders import HERE, subject
from tests.data_sets import EXPLICIT
from tests.unit.archive.instances import (
    SECONDARY_CAPTURE,
    TECHNOLOGIST,
    acts,
    data_set,
    instance_uid,
    received,
    store,
    study_uid,
)
from tests.world import World


def rows(world: World) -> list[ObjectId]:
    return [indexed.row.sealed.object_id for indexed in world.records._instances.values()]


def attempt(world: World, content: Received | None = None) -> ArchiveError:
    with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception, pytest.raises(ArchiveError) as failed:
        reception.store(content or received())
    return failed.value


def test_an_instance_that_was_accepted_has_its_object_its_row_and_its_record(world: World) -> None:
    (stored,) = store(world)

    assert stored.added is Added.NEW
    assert (stored.identity.institution, stored.identity.sop_instance_uid) == (HERE, instance_uid())
    assert rows(world) == list(world.blobs.stored)
    assert acts(world) == [("study:create", "begun"), ("study:create", "completed")]


def test_no_byte_of_it_lies_in_the_store_in_clear(world: World) -> None:
    content = data_set(PatientName="Mustermann^Erika", pixels=bytes(range(256)) * 16)
    store(world, content)

    (stored,) = world.blobs.stored.values()
    assert len(stored) > 100
    assert not any(content[start : start + 16] in stored for start in range(0, len(content), 8))


def test_an_act_is_accounted_for_study_by_study(world: World) -> None:
    contents = [data_set(1, 1), data_set(1, 2), data_set(2, 1)]
    store(world, *contents)

    accounts = {entry["study"]: entry["facts"] for entry in world.entries() if entry["outcome"] == "completed"}
    assert len(accounts) == 2
    first = next(account for account in accounts.values() if account["new"] == 2)
    digests = sorted(world.fingerprint(content) for content in contents[:2])
    assert first == {
        "protocol": "test",
        "new": 2,
        "duplicates": 0,
        "bytes": sum(map(len, contents[:2])),
        "fingerprint": sha256(b"".join(digests)).hexdigest(),
    }


def test_the_policy_is_asked_once_an_act_and_study(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    decide = world.archive.guard.decide

    def count(request: AccessRequest) -> Permit:
        asked.append(request.action)
        return decide(request)

    monkeypatch.setattr(world.archive.guard, "decide", count)
    store(world, data_set(1, 1), data_set(1, 2), data_set(2, 1), data_set(2, 2))

    assert asked == ["study:create"] * 2


def test_the_same_bytes_again_are_a_success_and_kept_once(world: World) -> None:
    store(world)
    (again,) = store(world)

    assert again.added is Added.DUPLICATE
    assert rows(world) == list(world.blobs.stored)
    assert world.entries()[-1]["facts"]["duplicates"] == 1


def test_other_bytes_under_a_taken_uid_are_a_conflict_and_leave_nothing(world: World) -> None:
    store(world)
    error = attempt(world, received(data_set(PatientName="Other")))

    assert type(error) is Conflict
    assert rows(world) == list(world.blobs.stored)
    assert acts(world)[-1] == ("study:create", "refused")
    assert world.entries()[-1]["facts"]["error"] == "Conflict"


def forget(world: World, epoch: int = 1) -> None:
    """Fence the study as somebody else would."""
    world.records.remove(HERE, uid(study_uid()), epoch)


def test_what_comes_in_behind_a_fence_begins_another_study_under_another_key(world: World) -> None:
    with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
        reception.store(received(data_set(1, 1)))
        (old,) = world.records._instances.values()
        forget(world)
        for instance in (1, 2):
            assert reception.store(received(data_set(1, instance))).added is Added.NEW

    new = [indexed.row.sealed for indexed in world.records._instances.values()]
    assert len(new) == 2
    assert old.row.sealed.study_key_id not in {sealed.study_key_id for sealed in new}
    assert rows(world) == [object_id for object_id in world.blobs.stored if object_id != old.row.sealed.object_id]
    told = [(entry["study"], entry["outcome"], entry["facts"].get("new")) for entry in world.entries()]
    first, second = told[0][0], told[-1][0]
    assert first != second
    assert told == [
        (first, "begun", None),
        (first, "completed", 1),
        (second, "begun", None),
        (second, "completed", 2),
    ]


def test_a_fence_before_the_first_instance_is_in_is_noticed_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world)
    put = world.blobs.put
    fences = iter((1, 2))

    def fenced_meanwhile(object_id: ObjectId, pieces: Iterable[bytes]) -> int:
        length = put(object_id, pieces)
        for epoch in fences:
            if epoch == 1:
                forget(world, epoch)
            else:
                world.records.epochs[HERE, uid(study_uid())] = epoch
            break
        return length

    monkeypatch.setattr(world.blobs, "put", fenced_meanwhile)
    (stored,) = store(world, data_set(1, 2))

    assert stored.added is Added.NEW
    assert world.records.epoch(HERE, uid(study_uid())) == 2
    assert len(rows(world)) == 1
    assert len(world.blobs.stored) == 2
    assert acts(world)[-2:] == [("study:create", "begun"), ("study:create", "completed")]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (Received(b"", EXPLICIT), Malformed),
        (Received(data_set()[:-3], EXPLICIT), Malformed),
        (Received(data_set(), "not a uid"), Malformed),
        (Received(data_set(), EXPLICIT, sop_class_uid="1.2.3"), Malformed),
        (Received(data_set(), EXPLICIT, study_instance_uid=study_uid(2)), Malformed),
        (Received(data_set(), EXPLICIT, study_instance_uid="x"), Malformed),
    ],
)
def test_what_the_archive_cannot_vouch_for_is_refused_and_leaves_nothing(
    world: World, content: Received, error: type[ArchiveError]
) -> None:
    assert type(attempt(world, content)) is error
    assert not world.blobs.stored
    assert not rows(world)
    assert acts(world) == [("study:create", "refused")]


def test_what_was_announced_is_accepted_when_it_is_true(world: World) -> None:
    told = Received(data_set(), EXPLICIT, sop_class_uid=SECONDARY_CAPTURE + "\0", study_instance_uid=study_uid())
    with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
        assert reception.store(told).added is Added.NEW


def test_the_limits_of_the_scanner_are_the_archive_s(world: World) -> None:
    object.__setattr__(world.archive.ingest, "limits", Limits(elements=3))

    assert type(attempt(world)) is OverLimit


def test_whoever_may_not_store_is_denied_before_anything_is_sealed(world: World) -> None:
    with (
        world.archive.ingest.begin(subject(Role.CLINICIAN), None, {}) as reception,
        pytest.raises(Denied),
    ):
        reception.store(received())

    assert not world.blobs.stored
    assert world.keyring.minted == 4  # the institution's own keys, one for the record's details, and its writer's
    assert acts(world) == [("study:create", "refused")]


def test_a_refusal_of_the_guard_is_recorded_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def hide(_: object) -> None:
        raise Hidden("no such object")

    monkeypatch.setattr(world.archive.guard, "decide", hide)

    assert type(attempt(world)) is Hidden
    assert world.entries() == []


def test_the_purpose_that_was_named_is_the_one_recorded(world: World) -> None:
    with (
        world.archive.ingest.begin(TECHNOLOGIST, Purpose.OPERATIONS, {}) as reception,
        pytest.raises(Denied),
    ):
        reception.store(received())

    assert world.entries()[0]["purpose"] == "HOPERAT"


# --- failpoints at every numbered step ----------------------------------------------------------


class PowerCutError(Exception):
    """Nothing of the archive catches this."""


def cut(*_: Any, **__: Any) -> Any:
    raise PowerCutError


def cut_after(act: Callable[..., Any]) -> Callable[..., Any]:
    def done(*given: Any, **named: Any) -> Any:
        act(*given, **named)
        raise PowerCutError

    return done


STEPS: dict[str, Callable[[World, pytest.MonkeyPatch], None]] = {
    "in 2 scan": lambda _, patch: patch.setattr("pacs_secure.archive.ingest.scan", cut),
    "in 3 decide": lambda world, patch: patch.setattr(world.archive.guard, "decide", cut),
    "in 4 seal": lambda world, patch: patch.setattr(world.keyring, "mint", cut),
    "in 5 put": lambda world, patch: patch.setattr(world.blobs, "put", cut),
    "after 5 put": lambda world, patch: patch.setattr(world.blobs, "put", cut_after(world.blobs.put)),
    "in 6 index": lambda world, patch: patch.setattr(world.records, "add", cut),
    "in 7 record": lambda world, patch: patch.setattr(world.ledger, "append", cut),
    "after 7 record": lambda world, patch: patch.setattr(world.records, "add", cut_after(world.records.add)),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_power_cut_leaves_no_row_without_its_object_and_no_success_without_both(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store(world, data_set(9))  # the institution has its keys
    before = set(rows(world))
    reception = world.archive.ingest.begin(TECHNOLOGIST, None, {})
    with monkeypatch.context() as patch:
        STEPS[step](world, patch)
        with pytest.raises(PowerCutError):
            reception.store(received())

    added = set(rows(world)) - before
    assert set(rows(world)) <= set(world.blobs.stored)
    assert bool(added) == (step == "after 7 record")
    left = set(world.blobs.stored) - set(rows(world))
    assert bool(left) == (step in {"after 5 put", "in 6 index", "in 7 record"})
    # Sent again it is a success, and what was left over stands in nobody's way.
    (stored,) = store(world)
    assert stored.added is (Added.DUPLICATE if added else Added.NEW)
    assert set(rows(world)) <= set(world.blobs.stored)


def test_an_object_that_was_put_so_long_ago_that_it_may_be_swept_gets_no_row_and_no_success(world: World) -> None:
    ingest = world.archive.ingest
    reception = replace(ingest, now=lambda: ingest.now() + LONGEST_PUT + timedelta(seconds=1)).begin(
        TECHNOLOGIST, None, {}
    )
    with pytest.raises(Unavailable, match="send it again"):
        reception.store(received())

    assert (rows(world), world.blobs.stored) == ([], {})


def test_an_object_that_no_row_names_is_swept_after_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world, data_set(2))
    (named,) = world.blobs.stored
    with monkeypatch.context() as patch:
        patch.setattr(world.records, "add", cut)
        with pytest.raises(PowerCutError):
            world.archive.ingest.begin(TECHNOLOGIST, None, {}).store(received())
    (left,) = world.blobs.stored.keys() - {named}
    operator = subject(Role.OPERATOR)

    world.archive.verify.check_archive(operator, deep=False)
    assert left in world.blobs.stored
    world.blobs._written[left] = datetime.now(UTC) - timedelta(days=1, minutes=1)
    world.archive.verify.check_archive(operator, deep=False)
    assert world.blobs.stored.keys() == {named}
    assert world.entries()[-1]["facts"]["swept"] == 1


def away(world: World, engine: str) -> None:
    if engine == "vault":
        world.keyring.sealed = True
        world.house.drop_keys()
    else:
        setattr(getattr(world, engine), "down", True)  # noqa: B010 - four engines, one word


@pytest.mark.parametrize("engine", ["vault", "blobs", "records", "ledger"])
def test_while_an_engine_is_away_nothing_is_accepted(world: World, engine: str) -> None:
    store(world, data_set(9))
    before = set(rows(world))
    away(world, engine)

    assert type(attempt(world)) is Unavailable
    assert set(rows(world)) == before
    if engine != "ledger":
        assert world.entries()[-1]["facts"]["error"] == "Unavailable"


def test_a_failure_that_cannot_be_recorded_is_told_all_the_same(world: World) -> None:
    store(world, data_set(9))
    world.ledger.down = True

    assert type(attempt(world, Received(b"", EXPLICIT))) is Malformed


def test_an_object_that_cannot_be_removed_after_a_conflict_is_left_to_the_sweep(world: World) -> None:
    store(world)
    add = world.records.add

    def conflict(*given: Any) -> Added:
        world.blobs.down = True
        return add(*given)

    object.__setattr__(world.records, "add", conflict)
    error = attempt(world, received(data_set(PatientName="Other")))
    world.blobs.down = False

    assert type(error) is Unavailable
    assert set(rows(world)) < set(world.blobs.stored)


# --- how an act ends ----------------------------------------------------------------------------


def test_an_act_that_breaks_off_is_aborted_and_keeps_what_it_brought(world: World) -> None:
    def break_off() -> None:
        with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
            reception.store(received())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()

    assert acts(world) == [("study:create", "begun"), ("study:create", "aborted")]
    assert len(rows(world)) == 1


def test_an_act_ends_once(world: World) -> None:
    reception = world.archive.ingest.begin(TECHNOLOGIST, None, {})
    reception.store(received())
    reception.close(Outcome.COMPLETED)
    reception.close(Outcome.ABORTED)

    assert acts(world) == [("study:create", "begun"), ("study:create", "completed")]


def test_an_act_that_brought_nothing_leaves_no_record(world: World) -> None:
    with world.archive.ingest.begin(TECHNOLOGIST, None, {}):
        pass

    assert world.entries() == []


def test_a_study_of_which_nothing_was_accepted_has_no_account(world: World) -> None:
    store(world)
    attempt(world, received(data_set(PatientName="Other")))

    assert acts(world)[2:] == [("study:create", "refused")]


def test_many_may_send_the_same_at_once_and_it_is_kept_once(world: World) -> None:
    added: list[Added] = []

    def send() -> None:
        added.extend(one.added for one in store(world))

    threads = [threading.Thread(target=send) for _ in range(8)]
    run(threads)

    assert sorted(added) == ["duplicate"] * 7 + ["new"]
    assert rows(world) == list(world.blobs.stored)


def run(threads: Iterable[threading.Thread]) -> None:
    threads = list(threads)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
