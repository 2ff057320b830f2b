"""Backups are taken by what the settings say, and a set is found by its path."""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacs_secure.adapters.backup_directory import BackupDirectory
from pacs_secure.archive.backup_sets import note_proven
from pacs_secure.core.backups import MANIFEST
from pacs_secure.core.errors import NotFound, Unavailable
from pacs_secure.safekeeping import known, place_of, read_shares

ONE, TWO = "20260504T120000000000Z", "20260505T120000000000Z"


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    with closing(BackupDirectory(tmp_path / "backups")) as place:
        for name in (ONE, TWO):
            place.begin(name).write(MANIFEST, b"{}")
            place.finish(name)
    return tmp_path / "backups"


def test_a_set_is_named_by_its_folder_or_is_the_newest_of_its_place(backups: Path) -> None:
    for path, name in ((backups / ONE, ONE), (backups / TWO, TWO), (backups, TWO)):
        with place_of(path) as (place, found):
            assert found == name
            assert place.names() == [ONE, TWO]


def test_what_is_no_set_is_not_found(backups: Path, tmp_path: Path) -> None:
    (backups / "20260506T120000000000Z").mkdir()
    BackupDirectory(tmp_path / "empty").close()
    for path in (backups / "20260506T120000000000Z", tmp_path / "gone" / ONE, tmp_path / "empty"):
        with pytest.raises(NotFound), place_of(path):
            pass


def test_shares_are_for_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "unseal.json"
    file.write_text(json.dumps({"shares": ["one", "two"], "root_token": "not looked at"}))
    file.chmod(0o600)
    assert read_shares(file) == ("one", "two")
    assert read_shares(None) == ()

    file.chmod(0o640)
    with pytest.raises(Unavailable, match="others"):
        read_shares(file)
    file.chmod(0o600)
    file.write_text("no shares")
    for wrong in (file, tmp_path / "gone"):
        with pytest.raises(Unavailable, match="cannot be read"):
            read_shares(wrong)


def test_a_place_says_of_itself_what_was_taken_and_proven(backups: Path, tmp_path: Path) -> None:
    told = known(backups)
    assert told is not None
    assert (told.name, told.taken_at.isoformat(), told.proven_at) == (TWO, "2026-05-05T12:00:00+00:00", None)
    with closing(BackupDirectory(backups)) as place:
        note_proven(place.get(ONE), datetime(2026, 5, 6, tzinfo=UTC))
    told = known(backups)
    assert told is not None
    assert told.proven_at == datetime(2026, 5, 6, tzinfo=UTC)
    assert told.proven_of == datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert known(tmp_path / "gone") is None
