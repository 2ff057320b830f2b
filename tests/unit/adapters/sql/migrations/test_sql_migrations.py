"""A schema of an older version becomes that of today: the same as made anew, with every row, or not at all."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg import sql
from sqlalchemy import Connection, Engine, create_engine, insert, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn

from pacs_secure.adapters.sql import migrations
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.migrations import frozen
from pacs_secure.adapters.sql.postgres import ROLE
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.adapters.sql.tables import SCHEMA_VERSION, metadata, schema_version, studies
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import uid
from tests.builders import HERE, ROOT, grant, indexed_instance, permit, viewer
from tests.postgres_fixture import ENGINES, PostgresServer, tamper

STUDY = uid(f"{ROOT}.1")
ROLES = (Path(__file__).parents[5] / "deploy" / "postgres" / "roles.sql").read_text(encoding="utf-8")


@pytest.fixture(params=ENGINES)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Return where a database in which nothing is may be opened, on one engine after the other."""
    if request.param == "postgres":
        return str(request.getfixturevalue("bare_postgres_url"))
    return tmp_path / "index.db"


@contextmanager
def engine_of(place: str | Path) -> Iterator[Engine]:
    """Lend an engine as somebody with a shell of it has."""
    url = f"sqlite:///{place}" if isinstance(place, Path) else place.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def make_old(place: str | Path, version: int) -> None:
    """Make the schema as a build of that version did, by the frozen revisions up to it."""
    with engine_of(place) as engine, engine.begin() as connection:
        migrations.upgrade(connection, migrations.BEFORE_ALL, version)
        connection.execute(insert(schema_version), {"version": version})


def described(place: str | Path) -> dict[str, object]:
    """Return all that makes a schema, but for the order of columns."""
    with engine_of(place) as engine, engine.connect() as connection:
        look = inspect(connection)
        tables = {
            name: {
                "columns": sorted(_column(connection, one) for one in look.get_columns(name)),
                "primary key": look.get_pk_constraint(name)["constrained_columns"],
                "foreign keys": sorted(map(_plain, look.get_foreign_keys(name))),
                "unique": sorted(map(_plain, look.get_unique_constraints(name))),
                "indexes": sorted(map(_plain, look.get_indexes(name))),
            }
            for name in look.get_table_names()
        }
        return {**tables, "more": _more(connection)}


def _column(connection: Connection, one: ReflectedColumn) -> str:
    kind = one["type"].compile(connection.dialect)
    return f"{one['name']} {kind} {one['nullable']} {one.get('default')} {one.get('autoincrement')}"


def _plain(told: Any) -> str:
    return str(sorted((key, _words(value)) for key, value in told.items() if key != "comment"))


def _words(value: object) -> str:
    return str({key: str(one) for key, one in value.items()} if isinstance(value, dict) else value)


def _more(connection: Connection) -> list[str]:
    """Return triggers, and how tables are kept, as the engine says it."""
    if connection.dialect.name == "sqlite":
        asked = "SELECT type || name || (sql LIKE '%WITHOUT ROWID%') || CASE type WHEN 'trigger' THEN sql ELSE '' END"
        asked += " FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1"
    else:
        asked = (
            "SELECT pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal UNION "
            "SELECT relname || ' ' || relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "ORDER BY 1"
        )
    return [str(row[0]) for row in connection.execute(text(asked))]


def version_of(place: str | Path) -> list[int]:
    with engine_of(place) as engine, engine.connect() as connection:
        return list(connection.scalars(text("SELECT version FROM schema_version")))


def test_an_older_schema_becomes_the_one_that_is_made_anew(
    bare: str | Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    make_old(bare, migrations.OLDEST)
    Database(bare).close()
    anew = tmp_path / "anew.db" if isinstance(bare, Path) else str(request.getfixturevalue("postgres_url"))
    Database(anew).close()

    assert described(bare) == described(anew)
    assert version_of(bare) == version_of(anew) == [SCHEMA_VERSION]


def test_the_revisions_say_all_that_the_tables_say(tmp_path: Path) -> None:
    """When this fails, tables changed: PYTHONPATH=. python tests/write_revision.py VERSION "why" writes it down."""
    make_old(tmp_path / "index.db", SCHEMA_VERSION)
    with engine_of(tmp_path / "index.db") as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
    assert [one.REVISION for one in migrations.REVISIONS] == list(range(migrations.OLDEST, SCHEMA_VERSION + 1))


def test_every_row_is_kept_and_what_is_new_has_its_first_value(bare: str | Path) -> None:
    with closing(Database(bare)) as database:
        SqlRecords(database).add(permit(), indexed_instance(), None, lambda _: b"proof")
        before = list(SqlRecords(database).every_instance(grant()))
    with engine_of(bare) as engine, engine.begin() as connection:
        migrations.downgrade(connection, SCHEMA_VERSION, migrations.OLDEST)
        connection.execute(schema_version.update(), {"version": migrations.OLDEST})
        assert "epoch" not in {column["name"] for column in inspect(connection).get_columns(studies.name)}

    with closing(Database(bare)) as database:
        records = SqlRecords(database)
        assert list(records.every_instance(grant())) == before
        (stored,) = records.studies(viewer(HERE), STUDY)
        assert (stored.facts.epoch, stored.proof) == (0, b"proof")


def test_down_and_up_again_is_the_same(bare: str | Path) -> None:
    Database(bare).close()
    before = described(bare)
    with engine_of(bare) as engine, engine.begin() as connection:
        migrations.downgrade(connection, SCHEMA_VERSION, migrations.OLDEST)
        migrations.upgrade(connection, migrations.OLDEST)
    Database(bare).close()

    assert described(bare) == before


def test_all_the_way_down_leaves_nothing(bare: str | Path) -> None:
    make_old(bare, SCHEMA_VERSION)
    with engine_of(bare) as engine, engine.begin() as connection:
        migrations.downgrade(connection, SCHEMA_VERSION, migrations.BEFORE_ALL)
        assert inspect(connection).get_table_names() == []


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, migrations.OLDEST - 1])
def test_a_newer_schema_and_one_from_before_migrations_are_refused(bare: str | Path, version: int) -> None:
    Database(bare).close()
    tamper(bare, "UPDATE schema_version SET version = ?", version)

    with pytest.raises(Unavailable, match=f"version {version}; this build needs {SCHEMA_VERSION}$"):
        Database(bare)
    assert version_of(bare) == [version]


def test_a_migration_that_fails_has_done_nothing(bare: str | Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_old(bare, migrations.OLDEST)
    before = described(bare)
    newest = migrations.REVISIONS[-1]
    upgrade: Callable[[], None] = newest.upgrade

    def failing() -> None:
        upgrade()
        raise OSError("the disk is full")

    monkeypatch.setattr(newest, "upgrade", failing)
    with pytest.raises(Unavailable):
        Database(bare)
    assert (described(bare), version_of(bare)) == (before, [migrations.OLDEST])

    monkeypatch.setattr(newest, "upgrade", upgrade)
    Database(bare).close()
    assert version_of(bare) == [SCHEMA_VERSION]


def test_whoever_only_looks_changes_nothing(bare: str | Path) -> None:
    for version in (0, migrations.OLDEST):
        if version:
            make_old(bare, version)
        with pytest.raises(Unavailable, match=f"version {version or 'none'}; this build needs"):
            Database(bare, as_it_is=True)
    assert version_of(bare) == [migrations.OLDEST]
    Database(bare).close()
    Database(bare, as_it_is=True).close()


def test_several_that_start_at_once_migrate_once(bare: str | Path, caplog: pytest.LogCaptureFixture) -> None:
    make_old(bare, migrations.OLDEST)
    with ThreadPoolExecutor(4) as threads:
        for one in threads.map(lambda _: Database(bare), range(4)):
            one.close()

    assert version_of(bare) == [SCHEMA_VERSION]
    assert caplog.text.count("was brought from schema version") == 1


def test_what_a_revision_writes_down_sorts_by_its_bytes_on_either_engine() -> None:
    with create_engine("sqlite://").connect() as sqlite:
        assert frozen.text(63).compile(sqlite.dialect) == "VARCHAR(63)"
    assert frozen.text(63).compile(create_engine("postgresql+psycopg://").dialect) == 'VARCHAR(63) COLLATE "C"'


class TestRoles:
    """On PostgreSQL the archive's own role may not change the schema, and gets its rights to what is new."""

    @pytest.fixture
    def urls(self, bare_postgres_url: str, postgres_server: PostgresServer) -> dict[str, str]:
        name = bare_postgres_url.partition("@/")[2].partition("?")[0]
        make_old(bare_postgres_url, migrations.OLDEST)
        with postgres_server.shell(name) as shell:
            shell.execute(ROLES.encode())
            for (table,) in shell.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
                shell.execute(sql.SQL("ALTER TABLE {} OWNER TO pacs_secure_owner").format(sql.Identifier(table)))
            shell.execute(ROLES.encode())
        return {role: postgres_server.url(name, role) for role in (ROLE, "pacs_secure_owner")}

    def test_the_archives_role_is_told_to_ask_the_owner_and_changes_nothing(self, urls: dict[str, str]) -> None:
        with pytest.raises(Unavailable, match="pacs-secure init"):
            Database(urls[ROLE])
        assert version_of(urls[ROLE]) == [migrations.OLDEST]

    def test_once_the_owner_has_the_archive_works_and_its_ledger_is_as_closed_as_before(
        self, urls: dict[str, str]
    ) -> None:
        Database(urls["pacs_secure_owner"]).close()
        with closing(Database(urls[ROLE])) as database:
            records = SqlRecords(database)
            records.add(permit(), indexed_instance(), None, lambda _: b"proof")
            assert records.studies(viewer(HERE), STUDY)[0].facts.epoch == 0
        asked = "SELECT has_table_privilege(:role, name, 'UPDATE') FROM unnest(ARRAY['ledger', 'checkpoints']) AS name"
        new = "SELECT has_table_privilege(:role, 'scrub_rounds', 'SELECT, INSERT, UPDATE, DELETE')"
        with engine_of(urls[ROLE]) as engine, engine.connect() as connection:
            assert set(connection.scalars(text(asked), {"role": ROLE})) == {False}
            assert connection.execute(text(new), {"role": ROLE}).scalar_one() is True
