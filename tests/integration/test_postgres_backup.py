"""A backup of an archive on PostgreSQL: proven on this machine alone, restored into another PostgreSQL."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pacs_secure.adapters.sql import Database, SqlBackups
from pacs_secure.core.errors import Conflict
from pacs_secure.core.identifiers import Uid
from tests.builders import HERE
from tests.fakes_keys import FakeKeyring
from tests.keeping import OPERATOR, keep
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import disk_world

ROLES = (Path(__file__).parents[2] / "deploy" / "postgres" / "roles.sql").read_text(encoding="utf-8")

pytestmark = pytest.mark.real


def test_a_set_is_proven_without_the_server_and_restored_into_another(
    postgres_url: str, bare_postgres_url: str, tmp_path: Path
) -> None:
    keyring = FakeKeyring()
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    (tmp_path / "after" / "tombstones").symlink_to(tmp_path / "before" / "tombstones")
    database = Database(postgres_url)
    with disk_world(tmp_path / "before", keyring, keyring, keyring, database=database) as world:
        store(world, data_set(1), data_set(2))
        database.settle()
        world.notary.attest()
        store(world, data_set(3))  # what is said of it waits for its place
        kept = keep(world, tmp_path / "backups", keyring)
        manifest = kept.take().manifest
        waiting = manifest.content.tables["audit_outbox"].count
        proof = kept.verify(manifest.name)

    assert (manifest.content.engine, manifest.content.studies.count, proof.verdict.findings) == ("postgresql", 3, ())
    assert waiting > 0

    other = Database(bare_postgres_url)
    with disk_world(tmp_path / "after", keyring, keyring, keyring, eraser=keyring, database=other) as world:
        restored = replace(kept, world=world)
        restored.restore(manifest.name)
        with pytest.raises(Conflict):
            restored.restore(manifest.name)
        other.settle()
        world.notary.attest()

        assert SqlBackups(other).content(lambda _: None).studies == manifest.content.studies
        assert world.house.engines.ledger.size() >= manifest.content.ledger.count + waiting
        assert world.archive.verify.check_archive(OPERATOR, deep=True).sound
        assert world.archive.verify.check_ledger(OPERATOR).sound
        store(world, data_set(4))
        assert world.house.engines.records.instances(HERE, Uid(study_uid(4)))
    with closing(kept.place):
        pass


def test_the_role_that_the_archive_runs_as_restores_and_sets_no_sequence(
    postgres_url: str, bare_postgres_url: str, tmp_path: Path
) -> None:
    keyring = FakeKeyring()
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    (tmp_path / "after" / "tombstones").symlink_to(tmp_path / "before" / "tombstones")
    database = Database(postgres_url)
    with disk_world(tmp_path / "before", keyring, keyring, keyring, database=database) as world:
        store(world, data_set(1), data_set(2))
        database.settle()
        world.notary.attest()
        kept = keep(world, tmp_path / "backups", keyring)
        name = kept.take().manifest.name

    Database(bare_postgres_url).close()
    with psycopg.connect(bare_postgres_url, autocommit=True) as shell:
        shell.execute(ROLES)
    url = bare_postgres_url.replace("postgres@", "pacs_secure@")
    other = Database(url)
    with disk_world(tmp_path / "after", keyring, keyring, keyring, eraser=keyring, database=other) as world:
        replace(kept, world=world).restore(name)
        store(world, data_set(3))
        other.settle()
        assert world.house.engines.records.instances(HERE, Uid(study_uid(3)))
        assert world.archive.verify.check_archive(OPERATOR, deep=True).sound
    with psycopg.connect(url) as shell, pytest.raises(psycopg.errors.InsufficientPrivilege):
        shell.execute("SELECT setval('studies_id_seq', 1)")
    kept.place.close()
