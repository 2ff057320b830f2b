"""A backup or a restore that breaks at whichever write leaves nothing half, and the next one is whole."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from errno import EIO, ENOSPC
from pathlib import Path

import pytest

from pacs_secure.core.errors import Unavailable
from tests.fakes_keys import FakeKeyring
from tests.keeping import OPERATOR, Kept, keep
from tests.unit.archive.instances import data_set, store
from tests.world import disk_world

EVERY = 3
"""Of the writes, every so manieth breaks in one round; they are all alike."""


class Disk:
    """Breaks the n-th time that anything is made durable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real: Callable[[int], None] = os.fsync
        self.breaks_at = 0
        self.count = 0
        monkeypatch.setattr(os, "fsync", self._fsync)

    def _fsync(self, descriptor: int) -> None:
        self.count += 1
        if self.count == self.breaks_at:
            raise OSError(ENOSPC if self.count % 2 else EIO, "the disk failed")
        self.real(descriptor)

    @contextmanager
    def breaking(self, at: int) -> Iterator[None]:
        self.count, self.breaks_at = 0, at
        try:
            yield
        finally:
            self.breaks_at = 0


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def kept(tmp_path: Path, keyring: FakeKeyring) -> Iterator[Kept]:
    with disk_world(tmp_path / "archive", keyring, keyring, keyring) as world:
        made = keep(world, tmp_path / "backups", keyring)
        store(world, data_set(1), data_set(2))
        world.notary.attest()
        yield made
        made.place.close()


def test_a_backup_that_breaks_is_no_set_and_the_next_is_whole(kept: Kept, disk: Disk) -> None:
    with disk.breaking(0):
        first = kept.take().manifest.name
    at, whole = 1, False
    while not whole:
        store(kept.world, data_set(10 + at))
        kept.world.notary.attest()
        before = kept.place.names()
        with disk.breaking(at):
            try:
                kept.take()
            except Unavailable:
                assert kept.place.names() == before
            else:
                whole = disk.count < at
        at += EVERY
    assert at > 10
    assert kept.verify(first).verdict.sound
    assert kept.verify(kept.take().manifest.name).verdict.sound


def test_a_restore_that_breaks_leaves_an_empty_index_and_is_called_again(
    kept: Kept, keyring: FakeKeyring, disk: Disk, tmp_path: Path
) -> None:
    name = kept.take().manifest.name
    with ExitStack() as stack:
        (tmp_path / "other").mkdir()
        world = stack.enter_context(disk_world(tmp_path / "other", keyring, keyring, keyring, eraser=keyring))
        other = keep(world, tmp_path / "backups", keyring)
        stack.callback(other.place.close)
        other.trial = None
        at, whole = 1, False
        while not whole:
            with disk.breaking(at):
                try:
                    other.restore(name)
                except Unavailable:
                    assert other.restoring.database.is_empty()
                    at += EVERY
                else:
                    whole = True
        assert at > 5
        assert world.archive.verify.check_archive(OPERATOR, deep=True).sound
        assert world.archive.verify.check_ledger(OPERATOR).sound
