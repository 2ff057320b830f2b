"""The database on PostgreSQL: how it is opened and reached, what races there, and what becomes of it in trouble."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import SqlDevices, SqlUsedTokens, postgres, retention_tables
from pacs_secure.adapters.sql.dialect import EngineDialect
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.postgres import Postgres
from pacs_secure.adapters.sql.presence import alive
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.adapters.sql.tables import APPEND_ONLY, SCHEMA_VERSION, metadata
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, Malformed, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.query import Level, Narrowing
from pacs_secure.ports import ForgettableKey, InstitutionKeys
from tests.builders import HERE, NOW, ROOT, device, draft, grant, indexed_instance, instance_row, permit, scope
from tests.postgres_fixture import PostgresServer, tamper

STUDY = f"{ROOT}.1"


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def several(postgres_url: str) -> Iterator[list[Database]]:
    """Three archives on one database, each with a writer of its own."""
    opened = [Database(postgres_url) for _ in range(3)]
    yield opened
    for one in opened:
        one.close()


def shown(connection: Connection, *names: str) -> list[str]:
    return [str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in names]


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("postgresql://db.example/archive?sslmode=require", "verified TLS"),
            ("postgresql://db.example/archive?sslmode=disable", "verified TLS"),
            ("postgresql://127.0.0.1,db.example/archive?sslmode=prefer", "verified TLS"),
            ("postgresql://archive:secret@127.0.0.1/archive", "password"),
            ("postgresql://127.0.0.1/archive?password=secret", "password"),
            ("postgresql://127.0.0.1/archive?options=-csynchronous_commit%3Doff", "says too much"),
            ("postgresql://127.0.0.1/archive?hostaddr=192.0.2.1", "says too much"),
            ("postgresql:///archive", "not where it is"),
            ("postgresql://127.0.0.1:port/archive?%", "is none"),
        ],
    )
    def test_one_that_promises_less_than_the_archive_does_is_refused(self, url: str, why: str) -> None:
        with pytest.raises(Unavailable, match=why) as refused:
            Database(url)
        assert "secret" not in str(refused.value)

    def test_another_machine_is_reached_by_verified_tls(self) -> None:
        chosen: EngineDialect = Postgres("postgresql://db.example,db2.example/archive", None)

        assert isinstance(chosen, Postgres)
        assert chosen._address == {
            "host": "db.example,db2.example",
            "port": ",",
            "dbname": "archive",
            "sslmode": "verify-full",
            "sslrootcert": "system",
        }

    def test_a_server_that_is_not_there_is_unavailable(self, tmp_path: Path) -> None:
        for url in ("postgresql://127.0.0.1:1/archive", f"postgresql:///archive?host={tmp_path}"):
            with pytest.raises(Unavailable):
                Database(url)

    def test_the_password_is_read_from_a_file_for_its_owner_only(self, postgres_url: str, tmp_path: Path) -> None:
        file = tmp_path / "password"
        with pytest.raises(Unavailable):
            Database(postgres_url, file)
        file.write_text("secret\n")
        file.chmod(0o640)
        with pytest.raises(Unavailable):
            Database(postgres_url, file)
        file.chmod(0o600)
        Database(postgres_url, file).close()

        assert Postgres(postgres_url, file)._password() == {"password": "secret"}


class TestOpening:
    def test_an_empty_database_is_given_its_tables_and_opens_again_as_it_was_left(self, bare_postgres_url: str) -> None:
        with closing(Database(bare_postgres_url)) as database:
            SqlLedger(database).append(draft())
            SqlRecords(database).add(permit(), indexed_instance(), None)
        with closing(Database(bare_postgres_url)) as database:
            assert SqlLedger(database).size() == 1
            assert len(list(SqlRecords(database).every_instance(grant()))) == 1

    def test_several_processes_may_open_an_empty_one_at_once(self, bare_postgres_url: str) -> None:
        with ThreadPoolExecutor(6) as threads:
            opened = list(threads.map(lambda _: Database(bare_postgres_url), range(6)))
        for one in opened:
            one.close()

        assert len({id(one) for one in opened}) == 6

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("UPDATE schema_version SET version = 99", f"schema version 99; this build needs {SCHEMA_VERSION}"),
            ("DELETE FROM schema_version", f"schema version none; this build needs {SCHEMA_VERSION}"),
            ("DROP TABLE schema_version", f"schema version none; this build needs {SCHEMA_VERSION}"),
        ],
    )
    def test_a_schema_of_another_version_is_refused(
        self, postgres_url: str, statement: LiteralString, message: str
    ) -> None:
        tamper(postgres_url, statement)

        with pytest.raises(Unavailable, match=message):
            Database(postgres_url)

    def test_a_database_of_somebody_else_is_refused_and_left_alone(self, bare_postgres_url: str) -> None:
        tamper(bare_postgres_url, "CREATE TABLE theirs (one int)")

        with pytest.raises(Unavailable):
            Database(bare_postgres_url)
        with psycopg.connect(bare_postgres_url) as shell:
            tables = shell.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert tables == [("theirs",)]

    def test_every_commit_is_durable_before_it_is_answered_and_nobody_waits_for_ever(self, database: Database) -> None:
        names = ("synchronous_commit", "transaction_isolation", "lock_timeout", "statement_timeout")
        idle = "idle_in_transaction_session_timeout"

        writing = database.write(lambda connection: shown(connection, *names, idle))
        with database.read() as connection:
            reading = shown(connection, "transaction_read_only", "statement_timeout", idle)
        assert writing == ["on", "read committed", "10s", "30s", "30s"]
        assert reading == ["on", "1min", "10min"]

    def test_texts_sort_by_their_bytes_whatever_the_servers_language(self, database: Database) -> None:
        wanted = text(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type LIKE 'character%' AND collation_name IS DISTINCT FROM 'C'"
        )
        with database.read() as connection:
            assert connection.execute(wanted).scalar_one() == 0

    def test_every_table_and_every_trigger_is_there(self, database: Database) -> None:
        with database.read() as connection:
            tables = set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
            triggers = set(connection.scalars(text("SELECT tgname FROM pg_trigger WHERE tgenabled = 'A'")))

        assert tables == set(metadata.tables)
        guarded = {f"{table.name}_refuses_change" for table in (*APPEND_ONLY, *retention_tables.APPEND_ONLY)}
        assert triggers == guarded | {f"{name}_refuses_removal" for name in retention_tables.MAY_GO}


class TestReading:
    def test_a_reader_cannot_write(self, database: Database) -> None:
        with pytest.raises(Unavailable), database.read() as connection:
            connection.execute(text("DELETE FROM series"))

    def test_a_reader_half_way_keeps_its_view_and_nobody_from_writing(self, database: Database) -> None:
        records = SqlRecords(database)
        for number in range(30):
            records.add(permit(), indexed_instance(instance=f"{STUDY}.1.{number}"), None)
        hits = records.search(scope(), Narrowing(Level.INSTANCE))
        next(hits)
        for number in range(30, 60):
            records.add(permit(), indexed_instance(instance=f"{STUDY}.1.{number}"), None)

        assert len(list(hits)) == 29
        assert len(list(records.search(scope(), Narrowing(Level.INSTANCE)))) == 60

    def test_a_value_that_no_column_holds_is_malformed(self, database: Database) -> None:
        for narrowing in (
            Narrowing(Level.STUDY, series_number=1 << 70),
            Narrowing(Level.STUDY, modalities=("\ud800",)),
            Narrowing(Level.STUDY, modalities=("C\0T",)),
        ):
            with pytest.raises(Malformed):
                list(SqlRecords(database).search(scope(), narrowing))
        for flawed in (indexed_instance(series_number=1 << 70), indexed_instance(department="\0")):
            with pytest.raises(Malformed):
                SqlRecords(database).add(permit(), flawed, None)
        assert SqlRecords(database).add(permit(), indexed_instance(), None) == "new"

    def test_a_closed_database_is_unavailable(self, postgres_url: str) -> None:
        database = Database(postgres_url)
        database.close()
        database.close()

        with pytest.raises(Unavailable):
            SqlLedger(database).size()
        with pytest.raises(Unavailable):
            SqlLedger(database).append(draft())

    def test_no_error_says_what_values_met(self, database: Database) -> None:
        one = device("CT1")

        def add(connection: Connection) -> None:
            wanted = text("INSERT INTO institutions VALUES (:name, :key, :key)")
            for _ in range(2):
                connection.execute(wanted, {"name": one.ae_title, "key": bytes(16)})

        told = []

        def work(connection: Connection) -> None:
            try:
                add(connection)
            except Exception as error:
                told.append(f"{error!r} {error} {error.__cause__!r} {error.__cause__}")
                raise

        with pytest.raises(ArchiveError):
            database.write(work)
        assert "duplicate key" in told[0]
        assert one.ae_title not in "".join(told)


class TestRaces:
    """Whoever comes second finds what the first one made, whatever the moment."""

    def test_first_instances_of_studies_patients_and_series_meet(self, several: list[Database]) -> None:
        def add(number: int) -> str:
            study, series = f"{ROOT}.{number // 12}", f"{ROOT}.{number // 12}.{number % 2}"
            row = instance_row(study, series, f"{series}.{number // 3}")
            return SqlRecords(several[number % 3]).add(permit(), indexed_instance(row=row), lambda _: draft())

        with ThreadPoolExecutor(9) as threads:
            added = list(threads.map(add, range(240)))

        kept = list(SqlRecords(several[0]).every_instance(grant()))
        hits = list(SqlRecords(several[0]).search(scope(), Narrowing(Level.STUDY)))
        assert added.count("new") == len(kept) == len({row.identity.sop_instance_uid for row in kept})
        assert sum(hit.instances_in_study for hit in hits) == len(kept)
        assert {hit.series_in_study for hit in hits} == {2}
        assert len({hit.stored.facts.patient_alias for hit in hits}) == 1

    def test_an_institution_has_the_keys_of_whoever_came_first(self, several: list[Database]) -> None:
        together = threading.Barrier(3)

        def adopt(database: Database) -> InstitutionKeys | None:
            proposed = InstitutionKeys(KeyId(uuid4()), KeyId(uuid4()))
            together.wait(10)
            return SqlRecords(database).institution_keys(HERE, proposed)

        with ThreadPoolExecutor(3) as threads:
            assert len(set(threads.map(adopt, several))) == 1

    def test_a_token_counts_once_among_all(self, several: list[Database]) -> None:
        def use(number: int) -> bool:
            return SqlUsedTokens(several[number % 3]).use(bytes([number // 6]) * 32, NOW.replace(year=2100), NOW)

        with ThreadPoolExecutor(6) as threads:
            assert sum(threads.map(use, range(60))) == 10

    def test_of_two_changes_of_a_device_one_is_told_that_it_came_late(self, several: list[Database]) -> None:
        before = device("CT1")
        SqlDevices(several[0]).enrol(permit(), before, draft())
        together = threading.Barrier(3)

        def change(database: Database) -> str:
            after = device("CT1", department=f"department {id(database)}")
            together.wait(10)
            try:
                SqlDevices(database).change(permit(), before, after, draft())
            except Conflict:
                return "late"
            return "changed"

        with ThreadPoolExecutor(3) as threads:
            assert sorted(threads.map(change, several)) == ["changed", "late", "late"]

    def test_writers_that_stand_in_each_others_way_both_come_through(self, several: list[Database]) -> None:
        one, other, _ = several
        wanted = text("UPDATE devices SET port = port + 1 WHERE ae_title = :title")
        for title in ("CT1", "CT2"):
            SqlDevices(one).enrol(permit(), device(title), draft())
        together = threading.Barrier(2)

        def work(titles: tuple[str, str]) -> str:
            tries: list[int] = []

            def change(connection: Connection) -> None:
                connection.execute(wanted, {"title": titles[0]})
                if not tries:
                    tries.append(1)
                    together.wait(10)
                connection.execute(wanted, {"title": titles[1]})

            (one if titles[0] == "CT1" else other).write(change)
            return "done"

        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(work, [("CT1", "CT2"), ("CT2", "CT1")])) == ["done", "done"]
        assert {found.port for found in SqlDevices(one).all()} == {11114}

    def test_several_archives_keep_one_chain(self, several: list[Database]) -> None:
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda number: SqlLedger(several[number % 3]).append(draft()), range(120)))

        several[0].settle()
        entries = list(SqlLedger(several[0]).entries(0, 999))
        assert [entry.index for entry in entries] == list(range(120))
        assert all(entry.prev_hash == before.leaf_hash for before, entry in pairwise(entries))


class TestPresence:
    def test_what_an_archive_that_is_alive_has_under_way_is_not_left_open(self, several: list[Database]) -> None:
        for one in several:
            one.author(lambda: ForgettableKey(KeyId(uuid4()), bytes(32)))
        begun = [draft(Outcome.BEGUN) for _ in several[:2]]
        for one, under_way in zip(several, begun, strict=False):
            SqlLedger(one).append(under_way)
        asking = SqlRecords(several[2])
        assert asking.open_acts(NOW.replace(year=2100)) == []

        several[0].close()
        assert asking.open_acts(NOW.replace(year=2100)) == begun[:1]

    def test_an_archive_that_lost_its_session_is_still_who_it_was(
        self, several: list[Database], postgres_server: PostgresServer
    ) -> None:
        one, other, _ = several
        one.author(lambda: ForgettableKey(KeyId(uuid4()), bytes(32)))
        SqlLedger(one).append(draft(Outcome.BEGUN))
        with postgres_server.shell() as shell:
            shell.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        SqlLedger(one).append(draft())

        assert len(one._writer.authorship.names) == 1
        assert SqlRecords(other).open_acts(NOW.replace(year=2100)) == []

    def test_nobody_speaks_up_on_a_file(self, tmp_path: Path) -> None:
        with closing(Database(tmp_path / "index.db")) as database, database.read() as connection:
            assert alive(connection, [KeyId(uuid4())]) == frozenset()


class TestTrouble:
    """Each time the service refuses, and goes on by itself when the trouble is over."""

    def test_a_lost_connection_costs_a_reader_one_answer_and_a_writer_none(
        self, postgres_server: PostgresServer, database: Database
    ) -> None:
        ledger = SqlLedger(database)
        ledger.append(draft())
        database.settle()
        assert ledger.size() == 1
        with postgres_server.shell() as shell:
            shell.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pacs-secure'"
            )

        ledger.append(draft())
        with pytest.raises(Unavailable):
            ledger.size()
        database.settle()
        assert ledger.size() == 2

    def test_the_first_write_after_an_outage_that_nobody_noticed_is_kept_once(
        self, postgres_server: PostgresServer, database: Database
    ) -> None:
        ledger = SqlLedger(database)
        ledger.append(draft())
        postgres_server.kill()
        postgres_server.start()

        ledger.append(draft())
        database.settle()
        assert ledger.size() == 2

    def test_a_server_that_is_away_is_unavailable_until_it_is_back(
        self, postgres_server: PostgresServer, database: Database
    ) -> None:
        ledger = SqlLedger(database)
        ledger.append(draft())
        postgres_server.stop()
        try:
            for _ in range(2):
                with pytest.raises(Unavailable):
                    ledger.append(draft())
                with pytest.raises(Unavailable):
                    ledger.size()
        finally:
            postgres_server.start()

        ledger.append(draft())
        database.settle()
        assert ledger.size() == 2

    def test_a_server_that_takes_no_changes_refuses_until_it_does(
        self, postgres_server: PostgresServer, database: Database, postgres_url: str
    ) -> None:
        ledger = SqlLedger(database)
        ledger.append(draft())
        name = postgres_url.partition("/archive_")[2].partition("?")[0]
        setting: LiteralString = "ALTER DATABASE archive_{} SET default_transaction_read_only = {}"
        with postgres_server.shell() as shell:
            shell.execute(psycopg.sql.SQL(setting).format(psycopg.sql.SQL(name), psycopg.sql.SQL("on")))
            database._engine.dispose()
            for _ in range(2):
                with pytest.raises(Unavailable):
                    ledger.append(draft())
            shell.execute(psycopg.sql.SQL(setting).format(psycopg.sql.SQL(name), psycopg.sql.SQL("off")))

        ledger.append(draft())
        database.settle()
        assert ledger.size() == 2

    def test_while_somebody_else_holds_the_table_writers_are_refused_and_readers_served(
        self, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(postgres._SESSION, "lock_timeout", "200ms")
        with closing(Database(postgres_url)) as database, closing(psycopg.connect(postgres_url)) as other:
            ledger = SqlLedger(database)
            ledger.append(draft())
            other.execute("LOCK TABLE audit_outbox IN EXCLUSIVE MODE")
            began = monotonic()
            with pytest.raises(Unavailable):
                ledger.append(draft())
            assert monotonic() - began < 5
            assert ledger.size() == 0
            other.rollback()

            ledger.append(draft())
            database.settle()
            assert ledger.size() == 2
