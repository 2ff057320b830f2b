"""Sets lie each in a folder of its own, and get their names when they are whole."""

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
