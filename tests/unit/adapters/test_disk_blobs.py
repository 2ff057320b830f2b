"""What the store on disk does when the disk does not do what it should."""

import errno
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.core.errors import ArchiveError, NotFound, Unavailable
from pacs_secure.core.identifiers import ObjectId, object_id

NAME = object_id(1_790_000_000_000, bytes(9) + b"\xab")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def blobs(root: Path) -> Iterator[DiskBlobs]:
    disk = DiskBlobs(root)
    yield disk
    disk.close()


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def failing(number: int) -> Callable[..., int]:
    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


@contextmanager
def limited_file_size(most: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_objects_lie_below_the_last_two_digits_of_their_id_for_the_owner_only(blobs: DiskBlobs, root: Path) -> None:
    blobs.put(NAME, [b"abc"])

    stored = root / "ab" / str(NAME)
    assert files(root) == [f"ab/{NAME}"]
    assert [path.stat().st_mode & 0o777 for path in (root, stored.parent, stored)] == [0o700, 0o700, 0o600]


def test_another_process_finds_what_was_put(blobs: DiskBlobs, root: Path) -> None:
    blobs.put(NAME, [b"abc"])
    other = DiskBlobs(root)

    with other.open(NAME) as blob:
        assert blob.read_at(0, 3) == b"abc"
    other.close()


def test_a_write_that_takes_less_than_it_is_given_is_continued(
    blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, bytes(content[:7])))

    assert blobs.put(NAME, [b"0123456789" * 10]) == 100
    monkeypatch.undo()
    with blobs.open(NAME) as blob:
        assert blob.read_at(0, 100) == b"0123456789" * 10


def test_a_read_that_gives_less_than_asked_is_continued(blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs.put(NAME, [b"0123456789"])
    read = os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, length, offset: read(descriptor, min(length, 3), offset))

    with blobs.open(NAME) as blob:
        assert (blob.read_at(2, 99), blob.read_at(0, 4)) == (b"23456789", b"0123")


def test_a_write_of_nothing_does_not_go_on_for_ever(
    blobs: DiskBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda *_: 0)

    with pytest.raises(Unavailable):
        blobs.put(NAME, [b"abc"])
    assert files(root) == []


def test_a_file_that_may_not_grow_further_leaves_nothing_behind(blobs: DiskBlobs, root: Path) -> None:
    with limited_file_size(100_000), pytest.raises(Unavailable):
        blobs.put(NAME, [bytes(60_000)] * 3)

    assert files(root) == []
    assert blobs.put(NAME, [b"later"]) == 5


@pytest.mark.parametrize("step", ["write", "fsync", "fstat", "link", "open"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_any_step_that_fails_leaves_nothing_behind(
    blobs: DiskBlobs, root: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    blobs.put(object_id(1, bytes(9) + b"\xab"), [b"opens the directory"])
    before = files(root)
    monkeypatch.setattr(os, step, failing(number))

    with pytest.raises(Unavailable):
        blobs.put(NAME, [b"abc"])

    monkeypatch.undo()
    assert files(root) == before


@pytest.mark.parametrize("failing_call", [1, 2])
def test_a_failed_fsync_is_not_tried_again_and_nothing_can_be_found(
    blobs: DiskBlobs, root: Path, monkeypatch: pytest.MonkeyPatch, failing_call: int
) -> None:
    blobs.put(object_id(1, bytes(9) + b"\xab"), [b"opens the directory"])
    before, calls, fsync = files(root), [], os.fsync

    def fail_once(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == failing_call:
            raise OSError(errno.EIO, "lost")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_once)

    with pytest.raises(Unavailable):
        blobs.put(NAME, [b"abc"])
    assert (len(calls), files(root)) == (failing_call, before)


def test_file_then_directory_are_synced_before_put_returns(
    blobs: DiskBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = {step: getattr(os, step) for step in ("fsync", "link")}

    def note(step: str) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            what = Path(f"/proc/self/fd/{arguments[0]}").readlink().name if step == "fsync" else "link"
            seen.append("file" if what.startswith(".tmp-") else what)
            return real[step](*arguments, **options)

        return call

    for step in real:
        monkeypatch.setattr(os, step, note(step))
    blobs.put(NAME, [b"abc"])

    assert seen == ["objects", "file", "link", "ab"]


def test_below_the_low_water_mark_nothing_is_taken(root: Path) -> None:
    blobs = DiskBlobs(root, least_free=1 << 62)

    with pytest.raises(Unavailable):
        blobs.put(NAME, [b"abc"])
    assert files(root) == []
    blobs.close()


def test_above_the_low_water_mark_everything_is_taken(root: Path) -> None:
    blobs = DiskBlobs(root, least_free=1)

    assert blobs.put(NAME, [b"abc"]) == 3
    blobs.close()


def test_a_directory_that_cannot_be_used_is_unavailable(blobs: DiskBlobs, root: Path) -> None:
    (root / "ab").write_bytes(b"a file where a directory should be")

    acts: list[Callable[[], object]] = [
        lambda: blobs.put(NAME, [b"abc"]),
        lambda: blobs.open(NAME).__enter__(),
        lambda: blobs.remove(NAME),
        lambda: list(blobs.names()),
    ]
    for act in acts:
        with pytest.raises(Unavailable):
            act()


def test_a_place_that_is_no_directory_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")

    with pytest.raises(Unavailable):
        DiskBlobs(tmp_path / "taken")


@pytest.mark.parametrize("step", ["fstat", "pread"])
def test_a_read_that_fails_is_unavailable(blobs: DiskBlobs, step: str) -> None:
    blobs.put(NAME, [b"abc"])
    caught = None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, step, failing(errno.EIO))
        try:
            with blobs.open(NAME) as blob:
                blob.read_at(0, 3)
        except Unavailable as error:
            caught = error

    assert caught


def test_a_file_that_comes_out_shorter_than_written_is_not_stored(
    blobs: DiskBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put(object_id(1, bytes(9) + b"\xab"), [b"opens the directory"])
    before = files(root)
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.ftruncate(descriptor, 2))

    with pytest.raises(Unavailable):
        blobs.put(NAME, [b"abc"])
    assert files(root) == before


def test_a_file_cut_short_while_it_is_open_reads_short(blobs: DiskBlobs, root: Path) -> None:
    blobs.put(NAME, [b"0123456789"])

    with blobs.open(NAME) as blob:
        os.truncate(root / "ab" / str(NAME), 4)
        assert blob.read_at(0, 10) == b"0123"


def test_a_link_in_an_objects_place_is_not_followed(blobs: DiskBlobs, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"elsewhere")
    (root / "ab").mkdir()
    (root / "ab" / str(NAME)).symlink_to(tmp_path / "secret")

    with pytest.raises(Unavailable), blobs.open(NAME):
        pass
    assert list(blobs.names()) == []


def test_strangers_files_are_not_listed(blobs: DiskBlobs, root: Path) -> None:
    blobs.put(NAME, [b"abc"])
    for stranger in ("lost+found", f".tmp-{uuid4()}", str(NAME).upper(), NAME.hex):
        (root / "ab" / stranger).write_bytes(b"")
    (root / "ab" / str(uuid4())).mkdir()

    assert [stored.object_id for stored in blobs.names()] == [NAME]


def test_only_stale_temporary_files_are_swept(blobs: DiskBlobs, root: Path) -> None:
    blobs.put(NAME, [b"abc"])
    stale, fresh = (root / "ab" / f".tmp-{uuid4()}" for _ in range(2))
    for path in (stale, fresh):
        path.write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    for path in (stale, root / "ab" / str(NAME)):
        os.utime(path, (two_hours_ago, two_hours_ago))

    assert blobs.sweep_temporary(timedelta(hours=1)) == 1
    assert files(root) == sorted([f"ab/{NAME}", f"ab/{fresh.name}"])


def test_a_sweep_that_fails_is_unavailable(blobs: DiskBlobs, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "ab").mkdir()
    (root / "ab" / f".tmp-{uuid4()}").write_bytes(b"half")
    monkeypatch.setattr(os, "unlink", failing(errno.EROFS))

    with pytest.raises(Unavailable):
        blobs.sweep_temporary(timedelta(seconds=-60))


def test_a_removal_that_fails_is_unavailable_and_says_no_name(
    blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put(NAME, [b"abc"])
    monkeypatch.setattr(os, "unlink", failing(errno.EIO))

    with pytest.raises(Unavailable) as caught:
        blobs.remove(NAME)
    assert str(NAME) not in str(caught.value)


def test_descriptors_do_not_pile_up(blobs: DiskBlobs) -> None:
    def attempt(name: ObjectId) -> None:
        with blobs.open(name):
            raise NotFound("on the way out")

    blobs.put(NAME, [b"abc"])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        for act in (lambda: blobs.put(NAME, [b"x"]), lambda: attempt(NAME)):
            with pytest.raises(ArchiveError):
                act()

    assert len(list(Path("/proc/self/fd").iterdir())) == before
