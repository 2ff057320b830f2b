"""A set is consistent, incremental, on record, and refused where it would not be whole."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from pacs_secure.adapters.disk_blobs import DiskBlob, DiskBlobs
from pacs_secure.adapters.file_tree import FileTree
from pacs_secure.adapters.sql import SqlBackups
from pacs_secure.archive import backup
from pacs_secure.archive.backup import ATTEMPTS, Backup, Keeping
from pacs_secure.core.access import Action, Role
from pacs_secure.core.backups import MANIFEST, OBJECTS, PUBLISHED, Content, HeldObject, NamedObject, Progress
from pacs_secure.core.errors import Denied, NotFound, Tampered, Unavailable
from pacs_secure.core.identifiers import ObjectId
from tests.builders import subject
from tests.fakes_keys import FakeKeyring
from tests.keeping import NOTE, OPERATOR, Kept, keep
from tests.unit.archive.instances import acts, data_set, store
from tests.world import DiskWorld, disk_world


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    keyring = FakeKeyring()
    with disk_world(tmp_path / "archive", keyring, keyring, keyring, eraser=keyring) as world:
        made = keep(world, tmp_path / "backups", keyring)
        store(world, data_set(1), data_set(1, 2), data_set(2))
        world.notary.attest()
        yield made
        made.place.close()


class Moving(SqlBackups):
    """A database from which something goes right after its moment was taken."""

    def __init__(self, world: DiskWorld, go: Callable[[], object]) -> None:
        super().__init__(world.database)
        self.go = go
        self.moments = 0

    def export(self, folder: Path, name: Callable[[NamedObject], object], progress: Progress) -> Content:
        content = super().export(folder, name, progress)
        self.moments += 1
        self.go()
        return content


def test_a_set_holds_everything_of_one_moment_and_is_on_record(kept: Kept) -> None:
    steps: list[int] = []
    taken = kept.backup.create(OPERATOR, None, kept.place, details=NOTE, progress=steps.append)
    manifest = taken.manifest

    assert (manifest.content.studies.count, manifest.objects.count, taken.copied) == (2, 3, 3)
    assert manifest.content.ledger.count == 4 + 1  # two acts of storing, and that the backup has begun
    assert manifest.objects_bytes == sum(stored.length for stored in kept.place.objects.names())
    assert manifest.vault is not None
    assert kept.place.names() == [manifest.name]
    assert sum(steps) >= manifest.objects.count
    assert acts(kept.world)[-2:] == [("backup:create", "begun"), ("backup:create", "completed")]
    facts = kept.world.entries()[-1]["facts"]
    assert {name: facts[name] for name in ("set", "studies", "objects", "copied")} == {
        "set": manifest.name,
        "studies": 2,
        "objects": 3,
        "copied": 3,
    }


def test_the_next_set_refers_to_what_is_there(kept: Kept) -> None:
    first = kept.take()
    store(kept.world, data_set(3))
    kept.world.notary.attest()
    second = kept.take()

    assert (first.copied, second.copied, second.manifest.objects.count) == (3, 1, 4)
    assert len(list(kept.place.objects.names())) == 4
    assert kept.verify(first.manifest.name).verdict.sound
    assert kept.verify(second.manifest.name).verdict.sound


def test_a_copy_that_was_cut_off_is_copied_again(kept: Kept) -> None:
    kept.take()
    (first, *_) = kept.place.objects.names()
    file = next((kept.world.directory.parent / "backups" / "objects").rglob(str(first.object_id)))
    file.chmod(0o600)
    file.write_bytes(b"cut")

    again = kept.take()

    assert again.copied == 1
    assert kept.verify(again.manifest.name).verdict.sound


def test_a_copy_that_was_removed_is_copied_again(kept: Kept) -> None:
    kept.take()
    (first, *_) = kept.place.objects.names()
    kept.place.objects.remove(first.object_id)

    again = kept.take()

    assert again.copied == 1
    assert kept.verify(again.manifest.name).verdict.sound


def test_what_an_interrupted_backup_copied_is_not_copied_again(kept: Kept) -> None:
    kept.signer = None  # type: ignore[assignment]  # after the copying nobody would sign
    with pytest.raises(Unavailable):
        kept.take()
    assert kept.place.names() == []
    assert acts(kept.world)[-1] == ("backup:create", "failed")

    keyring = kept.world.house.engines.signer
    assert keyring is not None
    kept.signer = keyring
    row = next(SqlBackups(kept.world.database).named_objects())
    with kept.world.house.engines.blobs.open(row.object_id) as blob:
        kept.place.objects.put(row.object_id, [blob.read_at(0, blob.length)])
    taken = kept.take()

    assert taken.copied == 2
    assert kept.verify(taken.manifest.name).verdict.sound


def test_when_an_object_goes_meanwhile_another_moment_is_taken(kept: Kept) -> None:
    row = next(SqlBackups(kept.world.database).named_objects())

    def go() -> None:
        if moving.moments == 1:
            with kept.world.house.engines.blobs.open(row.object_id) as blob:
                content.append(blob.read_at(0, blob.length))
            kept.world.house.engines.blobs.remove(row.object_id)
        elif moving.moments == 2:
            kept.world.house.engines.blobs.put(row.object_id, content)

    content: list[bytes] = []
    moving = Moving(kept.world, go)
    verb: Backup = replace(kept.backup, database=moving)
    taken = verb.create(OPERATOR, None, kept.place, details=NOTE)

    assert moving.moments == 2
    assert taken.manifest.objects.count == 3
    assert kept.verify(taken.manifest.name).verdict.sound


def test_a_row_without_its_object_is_a_finding_and_no_set(kept: Kept) -> None:
    row = next(SqlBackups(kept.world.database).named_objects())
    kept.world.house.engines.blobs.remove(row.object_id)
    moving = Moving(kept.world, lambda: None)

    with pytest.raises(Tampered, match="is missing"):
        replace(kept.backup, database=moving).create(OPERATOR, None, kept.place, details=NOTE)

    assert moving.moments == ATTEMPTS
    assert kept.place.names() == []


def test_an_object_that_is_shorter_than_its_row_says_is_a_finding(kept: Kept) -> None:
    row = next(SqlBackups(kept.world.database).named_objects())
    kept.world.house.engines.blobs.remove(row.object_id)
    kept.world.house.engines.blobs.put(row.object_id, [b"short"])

    with pytest.raises(Tampered, match="another length"):
        kept.take()


def test_only_operators_take_and_verify_sets(kept: Kept) -> None:
    name = kept.take().manifest.name
    for role in (Role.ADMIN, Role.DPO, Role.RADIOLOGIST):
        with pytest.raises(Denied):
            kept.backup.create(subject(role), None, kept.place, details=NOTE)
        with pytest.raises(Denied):
            kept.proof.verify(subject(role), None, kept.place, name, details=NOTE)
    assert kept.place.names() == [name]


def test_two_backups_at_once_are_one_too_many(kept: Kept) -> None:
    with kept.place.locked(), pytest.raises(Unavailable, match="under way"):
        kept.take()


def test_an_archive_that_has_published_nothing_is_backed_up_too(tmp_path: Path) -> None:
    keyring = FakeKeyring()
    with disk_world(tmp_path / "archive", keyring, keyring, keyring) as world:
        made = keep(world, tmp_path / "backups", keyring)
        made.vault = None
        taken = made.take()

        assert taken.manifest.vault is None
        assert taken.manifest.ledger_files == ()
        assert made.verify(taken.manifest.name).verdict.sound
        made.place.close()


def test_the_horizon_is_the_longer_of_both_lives() -> None:
    assert Keeping(timedelta(days=30), timedelta(days=14)).horizon == timedelta(days=30)
    assert Keeping(timedelta(days=7), timedelta(days=14)).horizon == timedelta(days=14)


class Vanishing(FileTree):
    """Published files of which partial tiles go while they are listed."""

    def read(self, name: str) -> bytes:
        if ".p/" in name:
            raise NotFound("there is no such file")
        return super().read(name)


def test_a_partial_tile_that_goes_meanwhile_is_not_missed(kept: Kept) -> None:
    verb = replace(kept.backup, published=Vanishing(kept.world.checkpoints))
    taken = verb.create(OPERATOR, None, kept.place, details=NOTE)

    assert not [name for name in kept.place.ledger.names() if ".p/" in name]
    assert kept.verify(taken.manifest.name).verdict.sound


def test_where_the_newest_set_cannot_be_read_everything_is_measured_anew(kept: Kept) -> None:
    first = kept.take()
    kept.place.get(first.manifest.name).write(PUBLISHED, b"no list")
    taken = kept.take()

    assert taken.copied == 0
    assert kept.verify(taken.manifest.name).verdict.sound


def objects_in(kept: Kept) -> list[Path]:
    below = kept.world.directory.parent / "backups" / "objects"
    return [file for file in below.rglob("*") if file.is_file()]


@pytest.mark.parametrize("name", [PUBLISHED, OBJECTS, MANIFEST])
@pytest.mark.parametrize("how", ["forged", "missing"])
def test_what_no_signed_set_vouches_for_is_compared_with_the_source(kept: Kept, name: str, how: str) -> None:
    first = kept.take().manifest.name
    files = kept.place.get(first)
    for file in objects_in(kept):
        file.chmod(0o600)
        file.write_bytes(bytes(file.stat().st_size))
    tiles = list(kept.place.ledger.names())
    for tile in tiles:
        kept.place.ledger.write(tile, bytes(kept.place.ledger.length(tile)))
    if how == "missing":
        files.remove(name)
    else:  # lists that say of the garbage what it is
        held = [
            HeldObject(ObjectId(UUID(file.name)), file.stat().st_size, sha256(file.read_bytes()).hexdigest())
            for file in objects_in(kept)
        ]
        said = {
            OBJECTS: "".join(one.line() for one in sorted(held, key=lambda one: one.object_id)),
            PUBLISHED: "".join(kept.place.ledger.digest(tile).line() for tile in tiles),
            MANIFEST: "{}",
        }
        files.write(name, said[name].encode())
    taken = kept.take()

    assert taken.copied == 3
    assert kept.verify(taken.manifest.name).verdict.sound


def test_an_older_set_vouches_where_the_newest_does_not(kept: Kept) -> None:
    kept.take()
    forged = kept.place.begin("99990101T000000000000Z")
    forged.write(MANIFEST, b"{}")
    kept.place.finish("99990101T000000000000Z")
    read: list[str] = []

    class Watched(DiskBlobs):
        @contextmanager
        def open(self, object_id: ObjectId) -> Iterator[DiskBlob]:
            read.append(str(object_id))
            with super().open(object_id) as blob:
                yield blob

    with closing(Watched(kept.world.objects)) as blobs:
        verb: Backup = replace(kept.backup, blobs=blobs)
        assert verb.create(OPERATOR, None, kept.place, details=NOTE).copied == 0
    assert read == []


def test_without_room_for_temporary_files_there_is_no_set(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "the disk is full")

    monkeypatch.setattr(backup, "TemporaryFile", full)
    with pytest.raises(Unavailable, match="no room"):
        kept.take()
    assert kept.place.names() == []


def test_a_published_file_that_is_missing_or_cut_off_is_copied_again(kept: Kept) -> None:
    kept.take()
    for number in range(300):
        kept.world.archive.guard.announce(kept.home, Action.SYSTEM_START, {"n": number})
    kept.world.notary.attest()
    kept.take()
    first, second = [name for name in kept.place.ledger.names() if ".p/" not in name][:2]
    kept.place.ledger.remove(first)
    kept.place.ledger.write(second, b"cut")
    taken = kept.take()

    assert kept.verify(taken.manifest.name).verdict.sound
