"""Sets lie each in a folder of its own, and get their names when they are whole."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from pacs_secure.adapters.backup_directory import BackupDirectory
from pacs_secure.core.backups import MANIFEST
from pacs_secure.core.errors import NotFound, Unavailable

ONE, TWO = "20260504T120000000000Z", "20260505T120000000000Z"


def test_a_set_is_there_when_it_is_finished_and_not_before(tmp_path: Path) -> None:
    with closing(BackupDirectory(tmp_path / "backups")) as place:
        for name in (TWO, ONE):
            begun = place.begin(name)
            begun.write(MANIFEST, b"{}")
            assert name not in place.names()
            place.finish(name)

        assert place.names() == [ONE, TWO]
        assert place.get(ONE).read(MANIFEST) == b"{}"
        place.remove(ONE)
        place.remove(ONE)
        assert place.names() == [TWO]
        with pytest.raises(NotFound):
            place.get(ONE)
    assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o700


def test_what_an_interrupted_set_left_goes_with_the_next(tmp_path: Path) -> None:
    with closing(BackupDirectory(tmp_path)) as place:
        place.begin(ONE).write("database/index.db", b"half")
        place.begin(TWO)

        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".begun")] == [f".begun-{TWO}"]


def test_one_changes_a_place_at_a_time(tmp_path: Path) -> None:
    with closing(BackupDirectory(tmp_path)) as place, closing(BackupDirectory(tmp_path)) as other:
        with place.locked(), pytest.raises(Unavailable), other.locked():
            pass
        with other.locked():
            pass


def test_a_place_is_made_only_for_whoever_means_to(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        BackupDirectory(tmp_path / "gone", make=False)
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        BackupDirectory(tmp_path / "file" / "below")
    with closing(BackupDirectory(tmp_path)) as place, pytest.raises(Unavailable):
        place.finish(ONE)


def test_a_link_is_no_set_and_nothing_behind_it_goes(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / MANIFEST).write_bytes(b"{}")
    with closing(BackupDirectory(tmp_path / "backups")) as place:
        (tmp_path / "backups" / ONE).symlink_to(tmp_path / "archive", target_is_directory=True)

        assert place.names() == []
        with pytest.raises(Unavailable):
            place.remove(ONE)
    assert (tmp_path / "archive" / MANIFEST).exists()


def test_what_is_no_lock_holds_nobody(tmp_path: Path) -> None:
    with closing(BackupDirectory(tmp_path)) as place:
        os.mkfifo(tmp_path / ".lock")
        with pytest.raises(Unavailable), place.locked():
            pass
        (tmp_path / ".lock").unlink()
        (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(Unavailable), place.locked():
            pass
    assert not (tmp_path / "elsewhere").exists()
