"""Opening the database, and what becomes of it when the disk or another process is in the way."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint, event, text

from pacs_secure.adapters.sql import retention_tables, sqlite
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.adapters.sql.tables import APPEND_ONLY, metadata
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.core.query import Level, Narrowing
from tests.builders import HERE, ROOT, appended, draft, indexed_instance, permit, scope

STUDY = f"{ROOT}.1"
KEYS = (PrimaryKeyConstraint, UniqueConstraint)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some where" / "index?.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path)
    yield opened
    opened.close()


def pragma(database: Database, name: str) -> object:
    with database.read() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


class TestOpening:
    def test_it_is_made_where_it_is_missing_and_for_its_owner_only(self, path: Path, database: Database) -> None:
        SqlLedger(database).append(draft())

        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
            f"index?.db{ending}": 0o600 for ending in ("", "-wal", "-shm")
        }

    def test_every_commit_is_durable_before_it_is_answered(self, database: Database) -> None:
        settings = database.write(
            lambda connection: {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "temp_store", "trusted_schema")
            }
        )

        assert settings == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "temp_store": 2,
            "trusted_schema": 0,
        }

    def test_it_opens_again_as_it_was_left(self, path: Path) -> None:
        with closing(Database(path)) as database:
            entry = appended(SqlLedger(database), draft())
        with closing(Database(f"sqlite:///{path}")) as database:
            assert list(SqlLedger(database).entries(0, 9)) == [entry]

    def test_several_processes_may_open_an_empty_one_at_once(self, path: Path) -> None:
        together = threading.Barrier(6)
        failures: list[BaseException] = []

        def start() -> None:
            together.wait(10)
            try:
                Database(path).close()
            except BaseException as error:  # noqa: BLE001 - whatever it was, the test fails on it
                failures.append(error)

        threads = [threading.Thread(target=start) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert failures == []

    def test_two_databases_on_one_file_keep_one_chain(self, path: Path) -> None:
        with closing(Database(path)) as one, closing(Database(path)) as two:
            ledgers = [SqlLedger(one), SqlLedger(two)]
            threads = [
                threading.Thread(target=lambda ledger=ledger: [ledger.append(draft()) for _ in range(40)])
                for ledger in ledgers
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            entries = list(ledgers[0].entries(0, 99))

        assert [entry.index for entry in entries] == list(range(80))
        assert all(entry.prev_hash == before.leaf_hash for before, entry in pairwise(entries))

    @pytest.mark.parametrize("place", ["mysql://host/archive", "http://host/x", "sqlite:////dev/null/x", "/proc/no/x"])
    def test_what_is_no_place_for_it_is_unavailable(self, place: str) -> None:
        with pytest.raises(Unavailable):
            Database(place)

    @pytest.mark.parametrize("content", [b"x" * 5000, b"SQLite format 3\0" + b"\xff" * 5000])
    def test_a_file_that_is_no_database_is_unavailable_at_once_and_left_alone(self, path: Path, content: bytes) -> None:
        path.parent.mkdir()
        path.write_bytes(content)
        began = monotonic()

        with pytest.raises(Unavailable):
            Database(path)
        assert monotonic() - began < 5
        assert path.read_bytes() == content

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("UPDATE schema_version SET version = 99", "schema version 99; this build needs 4"),
            ("INSERT INTO schema_version VALUES (7)", "schema version 4, 7; this build needs 4"),
            ("DELETE FROM schema_version", "schema version none; this build needs 4"),
            ("DROP TABLE schema_version", "schema version none; this build needs 4"),
        ],
    )
    def test_a_schema_of_another_version_is_refused(self, path: Path, statement: str, message: str) -> None:
        Database(path).close()
        with closing(sqlite3.connect(path)) as other:
            other.execute(statement)
            other.commit()

        with pytest.raises(Unavailable, match=message):
            Database(path)

    def test_a_database_of_somebody_else_is_refused_and_left_alone(self, path: Path) -> None:
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE theirs (one)")
            with pytest.raises(Unavailable):
                Database(path)
            assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


class TestReading:
    def test_a_reader_cannot_write(self, database: Database) -> None:
        with pytest.raises(Unavailable), database.read() as connection:
            connection.execute(text("DELETE FROM series"))

    def test_a_reader_half_way_keeps_nobody_from_writing(self, database: Database) -> None:
        records = SqlRecords(database)
        for number in range(30):
            records.add(permit(), indexed_instance(instance=f"{STUDY}.1.{number}"), None)
        hits = records.search(scope(), Narrowing(Level.INSTANCE))
        next(hits)
        began = monotonic()
        for number in range(30, 60):
            records.add(permit(), indexed_instance(instance=f"{STUDY}.1.{number}"), None)

        assert monotonic() - began < 5
        assert len(list(hits)) == 29  # what it saw is what was there when it began
        assert len(list(records.search(scope(), Narrowing(Level.INSTANCE)))) == 60

    def test_whoever_reads_for_hours_keeps_no_snapshot(self, path: Path, database: Database) -> None:
        ledger = SqlLedger(database)
        for _ in range(3):
            ledger.append(draft())
        slow = ledger.entries(0, 3)
        next(slow)

        with closing(sqlite3.connect(path)) as other:
            busy, _, left = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, left) == (0, 0)
        assert len(list(slow)) == 2

    def test_a_value_that_no_column_holds_is_malformed(self, database: Database) -> None:
        for narrowing in (
            Narrowing(Level.STUDY, series_number=1 << 70),
            Narrowing(Level.STUDY, modalities=("\ud800",)),
        ):
            with pytest.raises(Malformed):
                list(SqlRecords(database).search(scope(), narrowing))
        with pytest.raises(Malformed):
            SqlRecords(database).add(permit(), indexed_instance(series_number=1 << 70), None)
        assert SqlRecords(database).add(permit(), indexed_instance(), None) == "new"

    def test_a_closed_database_is_unavailable(self, path: Path) -> None:
        database = Database(path)
        database.close()
        database.close()

        with pytest.raises(Unavailable):
            SqlLedger(database).size()
        with pytest.raises(Unavailable):
            SqlLedger(database).append(draft())


class TestTrouble:
    """Each time the service refuses, and goes on by itself when the trouble is over."""

    def test_while_another_process_holds_the_lock_writers_are_refused_and_readers_served(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.3)
        with closing(Database(path)) as database, closing(sqlite3.connect(path, isolation_level=None)) as other:
            ledger = SqlLedger(database)
            ledger.append(draft())
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(Unavailable):
                ledger.append(draft())
            assert ledger.size() == 1
            other.execute("ROLLBACK")

            assert appended(ledger, draft()).index == 1

    def test_a_database_that_turned_read_only_refuses_until_it_is_writable(self, database: Database) -> None:
        ledger = SqlLedger(database)
        ledger.append(draft())
        writing = database._engine

        def protect(connection: sqlite3.Connection, _: object) -> None:
            connection.execute("PRAGMA query_only=ON")

        writing.dispose()
        event.listen(writing, "connect", protect)
        for _ in range(2):
            with pytest.raises(Unavailable):
                ledger.append(draft())
        assert ledger.size() == 1
        event.remove(writing, "connect", protect)
        writing.dispose()

        assert appended(ledger, draft()).index == 1

    def test_pages_that_turned_to_noise_are_unavailable_and_come_back_with_the_file(self, path: Path) -> None:
        with closing(Database(path)) as database:
            records = SqlRecords(database)
            for number in range(200):
                records.add(permit(), indexed_instance(instance=f"{STUDY}.1.{number}"), None)
        whole = path.read_bytes()
        path.write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))

        with pytest.raises(Unavailable), closing(Database(path)) as database:
            list(SqlRecords(database).search(scope(), Narrowing(Level.INSTANCE)))
        path.write_bytes(whole)
        with closing(Database(path)) as database:
            assert len(SqlRecords(database).instances(HERE, indexed_instance().row.identity.study_instance_uid)) == 200

    def test_a_database_that_has_gone_does_not_come_back_empty(self, path: Path, database: Database) -> None:
        SqlLedger(database).append(draft())
        for file in path.parent.iterdir():
            file.unlink()
        database._readers.dispose()

        with pytest.raises(Unavailable):
            SqlLedger(database).size()
        assert not path.exists()

    def test_a_full_disk_is_refused_and_then_everything_goes_on(self, path: Path) -> None:
        answer = subprocess.run(
            [sys.executable, "-c", _FILL, str(path)],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(__file__).parents[4],
        )

        refused, kept, size = (int(word) for word in answer.stdout.split())
        assert refused >= 3
        assert size == kept + 1  # what was acknowledged, and one more once there was room
        with closing(Database(path)) as database:
            entries = list(SqlLedger(database).entries(0, size))
        assert [entry.index for entry in entries] == list(range(size))


_FILL = """
import resource, sys
from pathlib import Path
from pacs_secure.adapters.sql import Database, SqlLedger
from pacs_secure.core.errors import Unavailable
from tests.builders import appended, draft

database = Database(Path(sys.argv[1]))
ledger = SqlLedger(database)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
kept = refused = 0
while refused < 3:
    try:
        ledger.append(draft(facts={"note": "x" * 20_000}))
        kept += 1
    except Unavailable:
        refused += 1
assert ledger.size() == kept, (ledger.size(), kept)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
ledger.append(draft())
print(refused, kept, ledger.size())
database.close()
"""


class TestSqlite:
    def test_the_statistics_name_indexes_that_are_there(self, database: Database) -> None:
        with database.read() as connection:
            said = {row.idx: row.stat for row in connection.execute(text("SELECT idx, stat FROM sqlite_stat1"))}

        assert said == sqlite._STATISTICS

    def test_append_only_tables_refuse_every_other_change(self, database: Database) -> None:
        with database.read() as connection:
            triggers = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))

        assert triggers == {
            f"{table.name}_refuses_{verb}"
            for table in (*APPEND_ONLY, *retention_tables.APPEND_ONLY)
            for verb in ("update", "delete", "insert")
        }

    def test_every_foreign_key_has_an_index_to_follow_it_back(self, database: Database) -> None:
        """Removing a row must not walk the whole table that points at it."""
        for table in metadata.tables.values():
            led = {index.columns[0].name for index in table.indexes}
            led |= {one.columns[0].name for one in table.constraints if isinstance(one, KEYS)}
            pointing = {column.name for column in table.columns if column.foreign_keys}
            if table.name != "open_acts":  # whose entry is never removed
                assert pointing <= led, table.name
