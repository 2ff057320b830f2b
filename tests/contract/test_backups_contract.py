"""A database as a whole: exported as one moment saw it, told by equal roots wherever it is, and filled once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from pacs_secure.adapters.sql import Database
from pacs_secure.adapters.sql.backup_files import TableFiles
from pacs_secure.adapters.sql.backups import SqlBackups, SqlScratch
from pacs_secure.adapters.sql.rebuild_tables import rebuilds
from pacs_secure.adapters.sql.rebuilds import SqlRebuilds
from pacs_secure.adapters.sql.row_codec import encode_row
from pacs_secure.adapters.sql.tables import schema_version
from pacs_secure.core.access import Action
from pacs_secure.core.backups import Content, NamedObject
from pacs_secure.core.errors import Conflict, Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, Uid
from pacs_secure.ports import Shelf
from tests.builders import HERE, NOW, draft
from tests.fakes_keys import FakeKeyring
from tests.postgres_fixture import ENGINES, place_of
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import DiskWorld, disk_world


@pytest.fixture(params=ENGINES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DiskWorld]:
    keyring = FakeKeyring()
    database = Database(place_of(request, tmp_path))
    with disk_world(tmp_path / "archive", keyring, keyring, keyring, database=database) as made:
        store(made, data_set(1, PatientName="Mustermann^Erika"), data_set(2))
        for number in range(300):
            made.archive.guard.announce(HERE, Action.SYSTEM_START, {"n": number})
        made.database.settle()
        yield made


def quiet(_: int) -> None:
    pass


def nothing(*_: object) -> bool:
    return False


def export(world: DiskWorld, folder: Path) -> tuple[Content, list[NamedObject]]:
    folder.mkdir()
    named: list[NamedObject] = []
    return SqlBackups(world.database).export(folder, named.append, quiet), named


def test_what_a_moment_held_is_equal_wherever_it_is_restored(world: DiskWorld, tmp_path: Path) -> None:
    steps: list[int] = []
    content, named = export(world, tmp_path / "set")
    world.archive.guard.announce(HERE, Action.SYSTEM_STOP, {})
    world.database.settle()

    assert SqlBackups(world.database).content(steps.append).tables != content.tables
    assert sum(steps) > 300
    assert content.studies.count == 2
    assert content.ledger == SqlBackups(world.database).ledger(content.ledger.count)
    with SqlScratch(tmp_path).restored(tmp_path / "set", quiet) as restored:
        there = restored.content(quiet)
        assert (there.tables, there.ledger, there.studies) == (content.tables, content.ledger, content.studies)
        assert list(restored.named_objects()) == named == sorted(named, key=lambda one: one.object_id)
        assert {shelf for _, shelf, _ in restored.named_keys()} == set(Shelf) - {Shelf.WRITER}
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("pacs-secure-")) == []


def test_nothing_of_a_person_stands_in_it_in_clear(world: DiskWorld, tmp_path: Path) -> None:
    export(world, tmp_path / "set")
    for file in (tmp_path / "set").iterdir():
        assert b"Mustermann" not in file.read_bytes()


@contextmanager
def another(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[Database]:
    folder.mkdir()
    place: str | Path = folder / "other.db" if engine == "sqlite" else request.getfixturevalue("bare_postgres_url")
    database = Database(place)
    try:
        yield database
    finally:
        database.close()


@pytest.mark.parametrize("to", ENGINES)
def test_an_empty_database_of_either_engine_is_filled_and_goes_on(
    request: pytest.FixtureRequest, world: DiskWorld, tmp_path: Path, to: str
) -> None:
    content, _ = export(world, tmp_path / "set")
    with another(request, to, tmp_path / "other") as database:
        other = SqlBackups(database)
        assert other.is_empty()
        other.load(tmp_path / "set", nothing, quiet)
        there = other.content(quiet)
        assert (there.tables, there.ledger) == (content.tables, content.ledger)
        assert not other.is_empty()
        with pytest.raises(Conflict):
            other.load(tmp_path / "set", nothing, quiet)
        keyring = FakeKeyring()
        with disk_world(tmp_path / "elsewhere", keyring, keyring, keyring, database=database) as second:
            second.house.engines.ledger.append(draft())
            second.database.settle()
            assert second.house.engines.ledger.size() == content.ledger.count + 1


def test_a_study_that_was_forgotten_since_does_not_come_back(
    request: pytest.FixtureRequest, world: DiskWorld, tmp_path: Path
) -> None:
    content, named = export(world, tmp_path / "set")
    (first, *_) = world.house.engines.records.instances(HERE, Uid(study_uid(1)))
    there = (HERE, Shelf.STUDY, first.sealed.study_key_id)
    with another(request, "sqlite", tmp_path / "other") as database:
        other = SqlBackups(database)
        gone = other.load(tmp_path / "set", lambda *place: place == there, quiet)

        assert (gone.studies, gone.objects) == (1, (first.sealed.object_id,))
        assert other.content(quiet).studies.count == content.studies.count - 1
        assert [one.object_id for one in other.named_objects()] == [
            one.object_id for one in named if one.object_id != first.sealed.object_id
        ]
        assert other.content(quiet).ledger == content.ledger


def test_a_study_stays_whose_key_was_forgotten_under_the_same_name_elsewhere(
    request: pytest.FixtureRequest, world: DiskWorld, tmp_path: Path
) -> None:
    content, _ = export(world, tmp_path / "set")

    def elsewhere(of: Institution, shelf: Shelf, _: KeyId) -> bool:
        return (of, shelf) != (HERE, Shelf.STUDY)

    with another(request, "sqlite", tmp_path / "other") as database:
        assert SqlBackups(database).load(tmp_path / "set", elsewhere, quiet).studies == 0
        assert SqlBackups(database).content(quiet).tables == content.tables


@pytest.mark.parametrize("under_way", [False, True])
def test_a_restore_leaves_its_mark_unless_a_rebuild_is_under_way_in_what_it_brings(
    request: pytest.FixtureRequest, world: DiskWorld, tmp_path: Path, *, under_way: bool
) -> None:
    begun = {"begun_at": NOW - timedelta(hours=1), "finished_at": None if under_way else NOW}
    world.database.write(lambda connection: connection.execute(insert(rebuilds), begun))
    export(world, tmp_path / "set")
    with another(request, "sqlite", tmp_path / "other") as database:
        SqlBackups(database).load(tmp_path / "set", nothing, quiet, NOW + timedelta(hours=1))
        newest = SqlRebuilds(database).newest()

    assert newest is not None
    assert newest.finished_at == (None if under_way else NOW + timedelta(hours=1))


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + bytes(5000)])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.db").write_bytes(content)
    with pytest.raises(Tampered), SqlScratch().restored(tmp_path, quiet):
        pass


def test_a_table_that_is_cut_off_or_anothers_is_refused(tmp_path: Path) -> None:
    files = TableFiles(tmp_path)
    files.keep(schema_version, encode_row([3, 4]))
    files.close()
    (tmp_path / "schema_version.rows").rename(tmp_path / "institutions.rows")
    with pytest.raises(Tampered, match="not of its table"), SqlScratch().restored(tmp_path, quiet):
        pass
    (tmp_path / "institutions.rows").write_bytes(b"\0\0\0\x09cut")
    with pytest.raises(Tampered, match="cut off"), SqlScratch().restored(tmp_path, quiet):
        pass


def test_a_place_that_is_gone_takes_nothing(world: DiskWorld, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        SqlBackups(world.database).export(tmp_path / "gone", lambda _: None, quiet)
