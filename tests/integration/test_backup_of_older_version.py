"""A backup that an older version of the archive took is proven and restored by this one."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from sqlalchemy import create_engine, update

from pacs_secure.adapters.sql import SCHEMA_VERSION, migrations
from pacs_secure.adapters.sql.tables import schema_version
from pacs_secure.archive.backup_sets import seal_manifest
from pacs_secure.core.backups import Manifest
from tests.fakes_keys import FakeKeyring
from tests.keeping import OPERATOR, Kept, keep
from tests.unit.archive.instances import data_set, store
from tests.world import disk_world


def as_older_version(kept: Kept, manifest: Manifest) -> None:
    """Make of a set what a build of the oldest schema would have written."""
    files = kept.place.get(manifest.name)
    engine = create_engine(f"sqlite:///{files.path('database/index.db')}")
    with engine.begin() as connection:
        migrations.downgrade(connection, SCHEMA_VERSION, migrations.OLDEST)
        connection.execute(update(schema_version).values(version=migrations.OLDEST))
        known = set(connection.dialect.get_table_names(connection))
    engine.dispose()
    tables = {name: replace(one, root="00" * 32) for name, one in manifest.content.tables.items() if name in known}
    content = replace(manifest.content, schema=migrations.OLDEST, tables=tables)
    seal_manifest(files, replace(manifest, content=content, database=(files.digest("database/index.db"),)), kept.signer)


def test_it_is_proven_and_restored(tmp_path: Path) -> None:
    keyring = FakeKeyring()
    with disk_world(tmp_path / "before", keyring, keyring, keyring) as world:
        store(world, data_set(1), data_set(2))
        world.notary.attest()
        kept = keep(world, tmp_path / "backups", keyring)
        manifest = kept.take().manifest
        as_older_version(kept, manifest)
        assert kept.verify(manifest.name).verdict.findings == ()

    (tmp_path / "after").mkdir()
    with disk_world(tmp_path / "after", keyring, keyring, keyring, eraser=keyring) as world, closing(kept.place):
        replace(kept, world=world).restore(manifest.name)
        assert world.archive.verify.check_archive(OPERATOR, deep=True).sound
        assert world.archive.verify.check_ledger(OPERATOR).sound
