"""Files by relative names: whole or not at all, and never elsewhere."""

import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from pacs_secure.adapters.file_tree import FileTree
from pacs_secure.core.backups import FileDigest
from pacs_secure.core.errors import Malformed, NotFound, Unavailable

CONTENT = b"one\ntwo\n"
DIGEST = FileDigest("folder/file", len(CONTENT), sha256(CONTENT).hexdigest())


def test_a_file_is_written_read_measured_and_removed(tmp_path: Path) -> None:
    files = FileTree(tmp_path / "tree")
    assert list(files.names()) == []

    assert files.write("folder/file", CONTENT) == DIGEST == files.digest("folder/file")
    files.write("a", b"")
    with files.writing("folder/long") as stream:
        stream.write(CONTENT)
        assert "folder/long" not in files.names()

    assert list(files.names()) == ["a", "folder/file", "folder/long"]
    assert (files.read("folder/file"), files.length("folder/file")) == (CONTENT, len(CONTENT))
    assert list(files.lines("folder/long")) == [b"one\n", b"two\n"]
    assert files.path("other/new").parent.is_dir()
    files.remove("a")
    files.remove("a")
    assert list(files.names()) == ["folder/file", "folder/long"]


def test_what_is_hidden_is_being_written_or_a_lock(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".begun").mkdir()
    (tmp_path / ".begun" / "file").touch()

    assert list(FileTree(tmp_path).names()) == []


def test_a_long_file_that_failed_is_none(tmp_path: Path) -> None:
    files = FileTree(tmp_path)

    def write_until_full() -> None:
        with files.writing("long") as stream:
            stream.write(CONTENT)
            raise OSError(28, "the disk is full")

    with pytest.raises(Unavailable):
        write_until_full()
    assert list(files.names()) == []


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    files = FileTree(tmp_path)
    for ask in (files.read, files.digest, files.length, lambda name: list(files.lines(name))):
        with pytest.raises(NotFound):
            ask("gone")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../other", "a/../../b"])
def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(Malformed):
        FileTree(tmp_path).path(name)


def test_what_cannot_be_read_is_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(Unavailable):
        FileTree(tmp_path).read("folder/file")


def test_a_link_in_the_place_of_the_root_or_a_folder_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "archive" / "folder").mkdir(parents=True)
    (tmp_path / "archive" / "folder" / "file").write_bytes(CONTENT)
    (tmp_path / "tree").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "archive", target_is_directory=True)
    (tmp_path / "tree" / "folder").symlink_to(tmp_path / "archive" / "folder", target_is_directory=True)

    for files in (FileTree(tmp_path / "root"), FileTree(tmp_path / "tree")):
        for act in (files.read, files.digest, files.length, files.remove, files.path):
            with pytest.raises(Unavailable):
                act("folder/file")
        with pytest.raises(Unavailable):
            files.write("folder/file", b"")
        with pytest.raises(Unavailable):
            list(files.names())
    assert (tmp_path / "archive" / "folder" / "file").read_bytes() == CONTENT


def test_a_link_a_pipe_a_socket_or_a_folder_in_the_place_of_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    files = FileTree(tmp_path / "tree")
    files.path("folder/file")
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "tree" / "pipe")
    os.mknod(tmp_path / "tree" / "socket", stat.S_IFSOCK | 0o600)
    for name in ("link", "pipe", "socket", "folder"):
        with pytest.raises(NotFound):
            files.read(name)

    files.write("link", b"")
    assert list(files.names()) == ["link"]
    assert (tmp_path / "elsewhere").read_bytes() == CONTENT


def test_what_was_begun_by_a_link_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    (tmp_path / ".file.new").symlink_to(tmp_path / "elsewhere")
    FileTree(tmp_path).write("file", b"new")

    assert FileTree(tmp_path).read("file") == b"new"
    assert (tmp_path / "elsewhere").read_bytes() == CONTENT
