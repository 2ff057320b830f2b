"""Forgettings in SQL: how often a study was forgotten, and rows that somebody else wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from pacs_secure.adapters.sql import Database, SqlForgettings, SqlLedger, SqlRecords
from pacs_secure.adapters.sql.epochs import current_epoch, epoch_of
from pacs_secure.core.identifiers import uid
from tests.builders import ELSEWHERE, HERE, ROOT
from tests.contract.test_forgettings_contract import STUDY, Kept


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "index.db")
    yield opened
    opened.close()


@pytest.fixture
def kept(database: Database) -> Kept:
    return Kept(SqlRecords(database), SqlLedger(database), SqlForgettings(database))


def test_an_epoch_is_that_of_the_study_or_of_its_last_fence(database: Database, kept: Kept) -> None:
    kept.add()
    kept.fence(kept.request())
    kept.add(epoch=1)

    with database.read() as connection:
        assert epoch_of(connection, HERE, STUDY) == 1
        assert current_epoch(connection, HERE, STUDY) == 1
        assert current_epoch(connection, ELSEWHERE, STUDY) == 0
        assert current_epoch(connection, HERE, uid(f"{ROOT}.9")) == 0


def test_of_a_study_that_is_there_its_own_row_counts(database: Database, kept: Kept) -> None:
    kept.add()
    database.write(lambda connection: connection.execute(text("UPDATE studies SET epoch = 4")))

    assert kept.records.epoch(HERE, STUDY) == 4
    assert kept.facts().epoch == 4


@pytest.mark.parametrize(
    "change", ["stage = 'eaten'", "key_ids = X'00'", "object_ids = X'0102'", "study_alias = X'00'"]
)
def test_a_row_that_is_none_is_counted_and_keeps_no_other_back(database: Database, kept: Kept, change: str) -> None:
    kept.add()
    kept.request()
    database.write(lambda connection: connection.execute(text(f"UPDATE forgettings SET {change}")))

    assert list(kept.forgettings.under_way()) == []
    assert kept.forgettings.malformed() == 1


def test_what_a_fence_removes_does_not_stay_in_the_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "index.db")
    kept = Kept(SqlRecords(database), SqlLedger(database), SqlForgettings(database))
    box = kept.add().row.metadata_box
    assert box in everything(tmp_path)
    kept.fence(kept.request())
    database.close()

    assert box not in everything(tmp_path)


def everything(below: Path) -> bytes:
    return b"".join(path.read_bytes() for path in below.iterdir() if path.is_file())
