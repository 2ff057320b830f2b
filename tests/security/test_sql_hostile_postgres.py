"""Somebody with a role in the server: what the archive's own role may do, what its owner's, and what files betray."""

from contextlib import closing
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from pacs_secure.adapters.sql import (
    Database,
    SqlBackups,
    SqlDevices,
    SqlLedger,
    SqlRecords,
    SqlRetention,
    SqlUsedTokens,
)
from pacs_secure.adapters.sql.tables import metadata
from pacs_secure.archive.indexing import index
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import uid
from pacs_secure.crypto.index_seal import IndexSeal
from tests.builders import NOW, ROOT, device, draft, instance_row, permit
from tests.postgres_fixture import PostgresServer, tamper
from tests.security.test_sql_hostile_database import described

STUDY = uid(f"{ROOT}.1")
ROLES = (Path(__file__).parents[2] / "deploy" / "postgres" / "roles.sql").read_text(encoding="utf-8")
CANARIES = ("DOE^JOHN", "PAT-4711", "19700102", "ACC-0815", "REFERRER^ANY", "HEAD INJURY")


def recorded(url: str) -> tuple[list[object], list[bytes]]:
    with closing(Database(url)) as database:
        database.settle()
        ledger = SqlLedger(database)
        return list(ledger.entries(0, 9)), list(ledger.checkpoints())


class TestLedgerRows:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        with closing(Database(postgres_url)) as database:
            ledger = SqlLedger(database)
            for _ in range(3):
                ledger.append(draft())
            ledger.add_checkpoint(3, b"note")
        return postgres_url

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE ledger SET content = '' WHERE entry_index = 1",
            "UPDATE ledger SET entry_index = 9 WHERE entry_index = 2",
            "DELETE FROM ledger WHERE entry_index = 2",
            "TRUNCATE ledger CASCADE",
            "INSERT INTO ledger VALUES (0, '', '', '') ON CONFLICT (entry_index) DO UPDATE SET content = ''",
            "MERGE INTO ledger USING (SELECT 2 AS it) AS one ON entry_index = it WHEN MATCHED THEN DELETE",
            "SET session_replication_role = replica; DELETE FROM ledger",
            "UPDATE checkpoints SET note = ''",
            "DELETE FROM checkpoints",
            "TRUNCATE checkpoints",
        ],
    )
    def test_no_statement_changes_what_was_recorded_not_even_the_owners(
        self, url: str, statement: LiteralString
    ) -> None:
        before = recorded(url)

        with pytest.raises(RestrictViolation, match="append-only"), psycopg.connect(url) as shell:
            shell.execute(statement)
        assert recorded(url) == before

    def test_triggers_that_were_taken_away_or_asleep_are_back_after_a_start(self, url: str) -> None:
        tamper(url, "DROP TRIGGER ledger_refuses_change ON ledger")
        tamper(url, "DROP TRIGGER ledger_refuses_removal ON ledger")
        tamper(url, "ALTER TABLE checkpoints DISABLE TRIGGER checkpoints_refuses_change")
        Database(url).close()

        for statement in ("DELETE FROM ledger", "DELETE FROM checkpoints"):
            with pytest.raises(RestrictViolation):
                tamper(url, statement)


class TestRoles:
    @pytest.fixture
    def urls(self, bare_postgres_url: str, postgres_server: PostgresServer) -> dict[str, str]:
        """Install as the owner, and return the addresses of owner and archive."""
        name = bare_postgres_url.partition("@/")[2].partition("?")[0]
        urls = {role: postgres_server.url(name, role) for role in ("pacs_secure_owner", "pacs_secure")}
        with postgres_server.shell(name) as shell:
            shell.execute(ROLES.encode())
            Database(urls["pacs_secure_owner"]).close()
            shell.execute(ROLES.encode())
        return urls

    def test_the_archive_may_take_a_backup_and_the_owner_restores_it(
        self, urls: dict[str, str], postgres_server: PostgresServer, tmp_path: Path
    ) -> None:
        with closing(Database(urls["pacs_secure"])) as database:
            indexed = index(IndexSeal(bytes(range(32))), instance_row(), described(), "radiology")
            SqlRecords(database).add(permit(), indexed, lambda _: draft(Outcome.BEGUN))
            content = SqlBackups(database).export(tmp_path, lambda _: None, lambda _: None)
        other = postgres_server.create()
        with postgres_server.shell(other) as shell:
            shell.execute(ROLES.encode())
        with closing(Database(postgres_server.url(other, "pacs_secure_owner"))) as database:
            with postgres_server.shell(other) as shell:
                shell.execute(ROLES.encode())
            SqlBackups(database).load(tmp_path, lambda *_: False, lambda _: None)
            assert SqlBackups(database).content(lambda _: None).tables == content.tables
        with closing(Database(postgres_server.url(other, "pacs_secure"))) as database:
            SqlLedger(database).append(draft())
            database.settle()
            assert SqlLedger(database).size() == 2
        postgres_server.drop(other)

    def test_the_archive_works_with_what_it_is_given(self, urls: dict[str, str]) -> None:
        with closing(Database(urls["pacs_secure"])) as database:
            indexed = index(IndexSeal(bytes(range(32))), instance_row(), described(), "radiology")
            assert SqlRecords(database).add(permit(), indexed, lambda _: draft(Outcome.BEGUN)) == "new"
            SqlDevices(database).enrol(permit(), device(), draft())
            assert SqlUsedTokens(database).use(bytes(32), NOW, NOW)
            assert len(SqlRecords(database).open_acts(NOW.replace(year=2100))) == 1
            SqlLedger(database).add_checkpoint(2, b"note")
            assert SqlLedger(database).size() == 2

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE ledger SET content = ''",
            "DELETE FROM ledger",
            "TRUNCATE ledger",
            "DROP TABLE ledger",
            "DROP TRIGGER ledger_refuses_change ON ledger",
            "ALTER TABLE ledger DISABLE TRIGGER ALL",
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "SET session_replication_role = replica",
            "SET ROLE pacs_secure_owner",
            "GRANT DELETE ON ledger TO pacs_secure; DELETE FROM ledger",
            "UPDATE checkpoints SET note = ''",
            "DELETE FROM checkpoints",
            "UPDATE audit_outbox SET said = ''",
            "TRUNCATE audit_outbox",
            "UPDATE schema_version SET version = 9",
            "CREATE TABLE another (one int)",
        ],
    )
    def test_the_archives_role_cannot_change_what_was_recorded_nor_the_rules(
        self, urls: dict[str, str], statement: LiteralString
    ) -> None:
        with pytest.raises(InsufficientPrivilege) as refused, psycopg.connect(urls["pacs_secure"]) as shell:
            shell.execute(statement)
        assert refused.value.sqlstate == "42501"

    def test_the_keeper_removes_nothing_that_no_certificate_names(
        self, urls: dict[str, str], postgres_server: PostgresServer
    ) -> None:
        with closing(Database(urls["pacs_secure"])) as database:
            SqlLedger(database).append(draft())
        name = urls["pacs_secure"].partition("@/")[2].partition("?")[0]
        keeper = postgres_server.url(name, "pacs_secure_keeper")

        with pytest.raises(RestrictViolation, match="append-only"):
            tamper(keeper, "DELETE FROM ledger")
        with pytest.raises(InsufficientPrivilege):
            tamper(keeper, "UPDATE ledger SET content = ''")

    def test_the_keeper_removes_what_a_certificate_names(
        self, urls: dict[str, str], postgres_server: PostgresServer
    ) -> None:
        name = urls["pacs_secure"].partition("@/")[2].partition("?")[0]
        with closing(Database(urls["pacs_secure"])) as database:
            for _ in range(260):
                SqlLedger(database).follow(draft())
            SqlRetention(database).certify(permit(), 0, 256, b"note", draft())
            database.settle()
            with pytest.raises(Unavailable):
                SqlRetention(database).expire(permit(), 256)
        with closing(Database(postgres_server.url(name, "pacs_secure_keeper"))) as database:
            assert SqlRetention(database).expire(permit(), 256) == 256
            assert SqlRetention(database).first() == 256
            assert len(list(SqlLedger(database).leaf_hashes(0, 999))) == 261

    def test_nobody_else_is_let_in(self, urls: dict[str, str], postgres_server: PostgresServer) -> None:
        with postgres_server.shell() as shell:
            shell.execute("DROP ROLE IF EXISTS stranger")
            shell.execute("CREATE ROLE stranger LOGIN")
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(urls["pacs_secure"].replace("pacs_secure@", "stranger@"))
            shell.execute("DROP ROLE stranger")

    def test_every_table_is_the_owners_and_the_archive_has_no_more_than_it_needs(self, urls: dict[str, str]) -> None:
        wanted: LiteralString = (
            "SELECT table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type) "
            "FROM information_schema.role_table_grants WHERE grantee = 'pacs_secure' GROUP BY 1"
        )
        with psycopg.connect(urls["pacs_secure_owner"]) as shell:
            owners = set(shell.execute("SELECT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall())
            given: dict[str, str] = dict(shell.execute(wanted).fetchall())

        narrow = {
            "ledger": "INSERT SELECT",
            "checkpoints": "INSERT SELECT",
            "retention_certificates": "INSERT SELECT",
            "retained_tiles": "INSERT SELECT",
            "audit_outbox": "DELETE INSERT SELECT",
            "audit_set_aside": "INSERT SELECT",
            "schema_version": "SELECT",
        }
        assert owners == {("pacs_secure_owner",)}
        assert given == dict.fromkeys(metadata.tables, "DELETE INSERT SELECT UPDATE") | narrow

    def test_a_ledger_that_refuses_no_changes_does_not_open_for_the_archive(
        self, urls: dict[str, str], postgres_server: PostgresServer
    ) -> None:
        name = urls["pacs_secure"].partition("@/")[2].partition("?")[0]
        tamper(postgres_server.url(name), "DROP TRIGGER ledger_refuses_change ON ledger")

        with pytest.raises(Unavailable):
            Database(urls["pacs_secure"])

    def test_an_archive_that_may_change_the_ledger_is_told_so(
        self, urls: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        Database(urls["pacs_secure"]).close()
        assert "roles.sql" not in caplog.text

        Database(urls["pacs_secure_owner"]).close()
        assert "roles.sql" in caplog.text

    def test_what_the_roles_are_given_and_lose_again_nobody_ever_holds(
        self, urls: dict[str, str], postgres_server: PostgresServer
    ) -> None:
        """As ``psql -f`` runs the file, statement by statement, when it ends in the middle."""
        name = urls["pacs_secure"].partition("@/")[2].partition("?")[0]
        broad = "ON ALL TABLES IN SCHEMA public TO pacs_secure;"
        begun, _, _ = ROLES.partition(broad)
        asked = "SELECT has_table_privilege('pacs_secure', 'ledger', 'UPDATE')"
        head, begin, rest = begun.partition("BEGIN;")
        with closing(psycopg.connect(postgres_server.url(name), autocommit=True)) as shell:
            for statement in (head + begin, rest + broad):
                shell.execute(statement)
            with psycopg.connect(postgres_server.url(name)) as another:
                assert another.execute(asked).fetchone() == (False,)
        with psycopg.connect(postgres_server.url(name)) as another:
            assert another.execute(asked).fetchone() == (False,)


class TestFiles:
    def test_nothing_personal_stands_in_any_file_of_the_server(
        self, postgres_url: str, postgres_server: PostgresServer
    ) -> None:
        """SEC-01: tables, indexes, the write-ahead log and what the server logs of an error."""
        with closing(Database(postgres_url)) as database:
            records = SqlRecords(database)
            for number in range(20):
                row = instance_row(instance=f"{STUDY}.1.{number}")
                indexed = index(IndexSeal(bytes(range(32))), row, described(), "radiology")
                records.add(permit(), indexed, lambda facts: draft(Outcome.BEGUN, study=facts))
        with postgres_server.shell() as shell:
            shell.execute("CHECKPOINT")
        files = {file: file.read_bytes() for file in postgres_server.directory.rglob("*") if file.is_file()}

        assert any(STUDY.encode() in content for file, content in files.items() if file.parent.parent.name == "base")
        assert any(STUDY.encode() in content for file, content in files.items() if file.parent.name == "pg_wal")
        for file, content in files.items():
            assert [canary for canary in CANARIES if canary.encode() in content] == [], file
