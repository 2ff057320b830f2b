"""Files that are on the disk when a call returns."""

import os
from pathlib import Path

import pytest

from pacs_secure.adapters.durable_files import make_directory, replace_file, sync_directory


def test_a_file_stands_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "below" / "it"
    replace_file(target, b"first")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", _full)
        with pytest.raises(OSError, match="No space"):
            replace_file(target, b"second")

    assert target.read_bytes() == b"first"
    replace_file(target, b"third")
    assert [path.name for path in target.parent.iterdir()] == ["it"]
    assert target.read_bytes() == b"third"


def test_directories_are_made_for_the_owner_and_the_group_only(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").stat().st_mode & 0o007 == 0
    sync_directory(tmp_path / "a")


def _full(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")
