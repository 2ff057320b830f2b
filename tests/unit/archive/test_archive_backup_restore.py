"""An empty place becomes the archive that was; what was forgotten stays so, and nothing is written over."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pacs_secure.archive.backup_proof import Proof, ProveBackup
from pacs_secure.archive.backup_restore import RestoreBackup
from pacs_secure.archive.backup_sets import digest_of_blob, objects_of
from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.core.access import Role
from pacs_secure.core.backups import OBJECTS, PUBLISHED, Progress
from pacs_secure.core.errors import Conflict, Denied, NotFound, Tampered, Unavailable
from pacs_secure.core.forgetting import Stage
from pacs_secure.core.identifiers import Uid
from pacs_secure.ports import Shelf, Tombstone
from pacs_secure.ports.backups import BackupPlace, DatabaseBackups
from tests.builders import HERE, new_object_id, subject
from tests.fakes_keys import FakeKeyring
from tests.keeping import NOTE, OPERATOR, Kept, keep
from tests.unit.archive.instances import acts, data_set, store, study_uid
from tests.world import DiskWorld, disk_world

Open = Callable[[str], Kept]


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def another(tmp_path: Path, keyring: FakeKeyring) -> Iterator[Open]:
    """Open archives beside each other that have the vault and the tombstones in common."""
    with ExitStack() as stack:

        def make(name: str) -> Kept:
            (tmp_path / name).mkdir()
            (tmp_path / name / "tombstones").symlink_to(tmp_path / "tombstones")
            world = stack.enter_context(disk_world(tmp_path / name, keyring, keyring, keyring, eraser=keyring))
            made = keep(world, tmp_path / "backups", keyring)
            stack.callback(made.place.close)
            return made

        (tmp_path / "tombstones").mkdir()
        yield make


def studies(world: DiskWorld) -> set[str]:
    records = world.house.engines.records
    return {uid for uid in map(study_uid, range(1, 10)) if records.instances(HERE, Uid(uid))}


def opens(world: DiskWorld) -> bool:
    return world.archive.verify.check_archive(OPERATOR, deep=True).sound


@pytest.fixture
def before(another: Open) -> Kept:
    kept = another("before")
    store(kept.world, data_set(1), data_set(1, 2), data_set(2))
    kept.world.notary.attest()
    return kept


def test_an_empty_place_becomes_the_archive_that_was(before: Kept, another: Open) -> None:
    name = before.take().manifest.name
    after = another("after")
    done = after.restore(name)

    assert (done.forgotten, done.keys) == (0, 0)
    assert studies(after.world) == {study_uid(1), study_uid(2)}
    assert opens(after.world)
    assert acts(after.world)[:5] == acts(before.world)[:5]
    assert ("backup:restore", "completed") in acts(after.world)
    after.world.notary.attest()
    assert after.world.archive.verify.check_ledger(OPERATOR).sound


@pytest.mark.parametrize("there", ["rows", "objects", "ledger"])
def test_where_something_is_nothing_is_written_over(before: Kept, another: Open, there: str) -> None:
    name = before.take().manifest.name
    after = another("after")
    if there == "rows":
        store(after.world, data_set(7))
        for stored in list(after.world.house.engines.blobs.names()):
            after.world.house.engines.blobs.remove(stored.object_id)
    elif there == "objects":
        after.world.house.engines.blobs.put(new_object_id(), [b"another"])
    else:
        (after.world.checkpoints).mkdir()
        (after.world.checkpoints / "checkpoint").write_bytes(b"another")
    mark = after.world.entries()

    with pytest.raises(Conflict):
        after.restore(name)
    assert after.world.entries() == mark


def test_objects_that_survived_are_kept_newer_ones_too(before: Kept, another: Open) -> None:
    name = before.take().manifest.name
    store(before.world, data_set(3))
    after = another("after")
    objects = after.world.house.engines.blobs
    survived = list(before.world.house.engines.blobs.names())[1:]
    for stored in survived:
        with before.world.house.engines.blobs.open(stored.object_id) as blob:
            objects.put(stored.object_id, [blob.read_at(0, blob.length)])

    after.restore(name, keep_objects=True)

    assert studies(after.world) == {study_uid(1), study_uid(2)}
    assert opens(after.world)
    assert {stored.object_id for stored in survived} <= {stored.object_id for stored in objects.names()}


def test_what_an_interrupted_restore_brought_is_known_and_what_it_damaged_is_brought_anew(
    before: Kept, another: Open
) -> None:
    name = before.take().manifest.name
    after = another("after")
    first, second, *_ = before.world.house.engines.blobs.names()
    with before.world.house.engines.blobs.open(first.object_id) as blob:
        after.world.house.engines.blobs.put(first.object_id, [blob.read_at(0, blob.length)])
    after.world.house.engines.blobs.put(second.object_id, [bytes(second.length)])
    published = before.place.ledger
    some = next(iter(published.names()))
    after.restoring.published.write(some, published.read(some))

    after.restore(name)

    assert opens(after.world)


def test_what_was_forgotten_since_does_not_come_back_with_an_older_set(
    before: Kept, another: Open, keyring: FakeKeyring
) -> None:
    snapshot = keyring.snapshot()
    name = before.take().manifest.name
    engines = before.world.house.engines
    keys = {row.sealed.study_key_id for row in engines.records.instances(HERE, Uid(study_uid(1)))}
    engines.tombstones.bury([Tombstone(key_id, HERE, Shelf.STUDY, datetime.now(UTC)) for key_id in keys])
    keyring.erase(HERE, Shelf.STUDY, keys)

    keyring.restore(keyring.snapshot() | snapshot)  # an older snapshot of the vault brings the key back
    after = another("after")
    done = after.restore(name)

    assert (done.forgotten, done.keys) == (1, len(keys))
    assert studies(after.world) == {study_uid(2)}
    assert len(list(after.world.house.engines.blobs.names())) == 1
    assert keyring.fetch(HERE, Shelf.STUDY, keys) == {}
    assert opens(after.world)


def test_a_set_that_is_not_what_was_signed_restores_nothing(before: Kept, another: Open) -> None:
    name = before.take().manifest.name
    files, after = before.place.get(name), another("after")
    files.write(OBJECTS, b"")

    with pytest.raises(Tampered):
        after.restore(name)
    assert after.restoring.database.is_empty()
    assert list(after.world.house.engines.blobs.names()) == []


def test_without_the_vault_nothing_is_restored(before: Kept, another: Open, keyring: FakeKeyring) -> None:
    name = before.take().manifest.name
    after = another("after")
    nobody = replace(after.restoring, signer=None)
    with pytest.raises(Unavailable, match="signs"):
        nobody.restore(OPERATOR, None, after.place, name, details=NOTE)
    keyring.sealed = True
    with pytest.raises(Unavailable):
        after.restore(name)
    assert after.restoring.database.is_empty()


def test_only_operators_restore_and_only_what_is_there(before: Kept, another: Open) -> None:
    name = before.take().manifest.name
    after = another("after")
    with pytest.raises(NotFound):
        after.restore("20200101T000000000000Z")
    for role in (Role.ADMIN, Role.DPO, Role.RADIOLOGIST):
        with pytest.raises(Denied):
            after.restoring.restore(subject(role), None, after.place, name, details=NOTE)


def test_pictures_that_came_after_the_set_and_survived_a_restore_are_findings_and_stay(
    before: Kept, another: Open
) -> None:
    name = before.take().manifest.name
    store(before.world, data_set(3), data_set(4))  # and the sender heard Success
    after = another("after")
    shutil.copytree(before.world.objects, after.world.objects, dirs_exist_ok=True)
    after.restore(name, keep_objects=True)
    files = [path for path in after.world.objects.rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (time.time(), time.time() - timedelta(days=2).total_seconds()))
    store(after.world, data_set(5))

    verdict = after.world.archive.verify.check_archive(OPERATOR, deep=True)
    assert ([one.place for one in verdict.findings], verdict.told["swept"]) == (["store"] * 2, 0)
    assert all(path.exists() for path in files)


@pytest.mark.parametrize("asked", ["before the set", "after the set"])
def test_a_study_whose_forgetting_the_set_knows_half_stays_forgotten_and_its_epoch_does_not_fall(
    before: Kept, another: Open, asked: str
) -> None:
    forget = before.world.archive.forget
    if asked == "before the set":
        forget.request(OPERATOR, None, study_uid(1), details=NOTE)
    name = before.take().manifest.name
    forget.request(OPERATOR, None, study_uid(1), details=NOTE)
    forget.carry_on(OPERATOR, None, details=NOTE)
    later = replace(forget, now=lambda: forget.now() + LONGEST_MEMORY + timedelta(seconds=1))
    assert [one.stage for one in later.carry_on(OPERATOR, None, details=NOTE)] == [Stage.SWEPT]

    after = another("after")
    after.restore(name)
    engines = after.world.house.engines
    assert after.world.archive.forget.carry_on(OPERATOR, None, details=NOTE) == []
    assert after.world.house.unburied.look() == 0
    assert [engines.records.epoch(HERE, Uid(study_uid(number))) for number in (1, 2)] == [1, 0]
    store(after.world, data_set(1, 9))  # which is another study of the same name
    assert studies(after.world) == {study_uid(1), study_uid(2)}


def change_database(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "database" / "index.db")) as database, database:
        database.execute("UPDATE studies SET department = 'another'")


def write_over(folder: Path) -> None:
    for file in (file for file in folder.rglob("*") if file.is_file()):
        file.chmod(0o600)
        file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize("what", ["objects", "list of objects", "published", "list of published", "checkpoint"])
def test_what_changes_between_proof_and_copy_is_not_restored(
    before: Kept, another: Open, tmp_path: Path, what: str
) -> None:
    name = before.take().manifest.name
    after = another("after")
    files = after.place.get(name)
    held = {one.sha256 for one in objects_of(files)}
    changes = {
        "objects": lambda: write_over(tmp_path / "backups" / "objects"),
        "list of objects": lambda: files.write(OBJECTS, b"".join(list(files.lines(OBJECTS))[1:])),
        "published": lambda: write_over(tmp_path / "backups" / "ledger"),
        "list of published": lambda: files.write(PUBLISHED, b""),
        "checkpoint": lambda: files.write("ledger/checkpoint", b"another"),
    }
    with pytest.raises(Tampered, match="changed after it was proven"):
        changing(after, changes[what]).restore(OPERATOR, None, after.place, name, details=NOTE)
    assert after.restoring.database.is_empty()
    for stored in after.world.house.engines.blobs.names():
        with after.world.house.engines.blobs.open(stored.object_id) as blob:
            assert digest_of_blob(blob) in held


def changing(after: Kept, change: Callable[[], object]) -> RestoreBackup:
    """Restore a set that somebody changes as soon as it was proven."""

    class Changing(ProveBackup):
        @contextmanager
        def restored(
            self, place: BackupPlace, name: str, progress: Progress = lambda _: None
        ) -> Iterator[tuple[Proof, DatabaseBackups | None]]:
            with super().restored(place, name, progress) as proven:
                change()
                yield proven

    proof = after.proof
    parts = {field.name: getattr(proof, field.name) for field in fields(proof)}
    return replace(after.restoring, proof=Changing(**parts))


def test_the_database_that_is_loaded_is_the_one_that_was_proven(before: Kept, another: Open) -> None:
    name = before.take().manifest.name
    after = another("after")
    folder = before.folder(name)
    changing(after, lambda: change_database(folder)).restore(OPERATOR, None, after.place, name, details=NOTE)

    assert opens(after.world)
