"""Sets and snapshots go in their time, and nothing goes that a set still needs."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure.archive.backup_pruning import Pruned, prune
from pacs_secure.core.access import Action
from pacs_secure.core.backups import MANIFEST, SIGNATURE, SNAPSHOT
from pacs_secure.core.errors import Unavailable
from tests.fakes_keys import FakeKeyring
from tests.keeping import NOTE, OPERATOR, Kept, keep
from tests.unit.archive.instances import data_set, store
from tests.world import ORIGIN, disk_world


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    keyring = FakeKeyring()
    with disk_world(tmp_path / "archive", keyring, keyring, keyring) as world:
        made = keep(world, tmp_path / "backups", keyring)
        store(world, data_set(1))
        world.notary.attest()
        yield made
        made.place.close()


def test_a_vault_snapshot_goes_before_its_set_does(kept: Kept) -> None:
    old = kept.take().manifest.name
    kept.ahead = timedelta(days=14, minutes=1)
    taken = kept.take()

    assert taken.pruned == Pruned(0, 1, 0)
    assert SNAPSHOT not in kept.place.get(old).names()
    assert SNAPSHOT in kept.place.get(taken.manifest.name).names()
    assert kept.take().pruned == Pruned()
    assert kept.verify(old).verdict.sound


def test_a_set_goes_with_what_no_other_set_refers_to(kept: Kept) -> None:
    engines = kept.world.house.engines
    only_old = kept.take()
    row = next(iter(kept.place.objects.names()))
    store(kept.world, data_set(2))
    kept.world.notary.attest()
    with kept.world.database._engine.begin() as connection:
        for table in ("instances", "series", "name_tokens", "study_modalities", "studies"):
            where = "object_id = :it" if table == "instances" else None
            sql = f"DELETE FROM {table}" + (f" WHERE {where}" if where else " WHERE 0")
            connection.exec_driver_sql(sql, {"it": row.object_id.bytes} if where else {})
    engines.blobs.remove(row.object_id)
    kept.ahead = timedelta(days=30, minutes=1)
    taken = kept.take()

    assert taken.pruned == Pruned(1, 0, 1)
    assert kept.place.names() == [taken.manifest.name] != [only_old.manifest.name]
    assert row.object_id not in {stored.object_id for stored in kept.place.objects.names()}
    assert kept.verify(taken.manifest.name).verdict.sound


def test_the_newest_set_stays_whatever_its_time(kept: Kept) -> None:
    name = kept.take().manifest.name

    later = kept.now() + timedelta(days=4000)
    assert prune(kept.place, later, ORIGIN, kept.signer.public_key()) == Pruned()
    assert kept.verify(name).verdict.sound


def test_where_a_manifest_cannot_be_read_nothing_is_swept(kept: Kept) -> None:
    first, second = kept.take().manifest.name, kept.take().manifest.name
    kept.place.get(first).write(MANIFEST, b"{}")
    stray = store(kept.world, data_set(9))
    kept.ahead = timedelta(days=31)
    taken = kept.take()

    assert stray
    assert taken.pruned == Pruned(1, 0, 0)
    assert kept.place.names() == [first, taken.manifest.name]
    assert second not in kept.place.names()


def test_published_files_go_with_the_last_set_that_refers_to_them(kept: Kept) -> None:
    kept.take()
    partial = [name for name in kept.place.ledger.names() if ".p/" in name]
    for number in range(300):
        kept.world.archive.guard.announce(kept.home, Action.SYSTEM_START, {"n": number})
    kept.world.notary.attest()
    kept.ahead = timedelta(days=31)
    taken = kept.take()

    assert partial
    assert not set(partial) & set(kept.place.ledger.names())
    assert kept.verify(taken.manifest.name).verdict.sound


def test_the_newest_proven_set_stays_until_another_is_proven(kept: Kept) -> None:
    proven = kept.take().manifest.name
    kept.verify(proven)
    kept.take()
    kept.ahead = timedelta(days=45)  # a clock that is wrong
    unproven = kept.take()

    assert unproven.pruned.sets == 1
    assert kept.place.names() == [proven, unproven.manifest.name]
    assert SNAPSHOT in kept.place.get(proven).names()
    kept.verify(unproven.manifest.name)
    pruned = kept.backup.prune(OPERATOR, None, kept.place, details=NOTE)
    assert pruned.sets == 1
    assert kept.place.names() == [unproven.manifest.name]
    facts = kept.world.entries()[-1]["facts"]
    assert {name: facts[name] for name in pruned.told()} == {"pruned": 1, "snapshots": 0, "swept": 0}


def test_a_set_from_the_future_takes_no_place_of_what_stays(kept: Kept) -> None:
    proven = kept.take().manifest.name
    kept.verify(proven)
    kept.ahead = timedelta(days=3650)
    ahead = kept.take().manifest.name
    kept.ahead = timedelta()
    kept.verify(ahead)
    kept.ahead = timedelta(days=31)

    assert kept.backup.prune(OPERATOR, None, kept.place, details=NOTE) == Pruned()
    assert kept.place.names() == [proven, ahead]


def test_that_nothing_was_pruned_is_not_put_on_record(kept: Kept) -> None:
    kept.take()
    before = len(kept.world.entries())

    assert kept.backup.prune(OPERATOR, None, kept.place, details=NOTE) == Pruned()
    assert len(kept.world.entries()) == before


@pytest.mark.parametrize("forged", ["expires_at", "name"])
def test_what_nobody_signed_makes_no_set_go(kept: Kept, forged: str) -> None:
    old, young = (kept.take().manifest.name for _ in range(2))
    files = kept.place.get(old)
    if forged == "name":  # the manifest of a set whose time has come, over that of another
        kept.ahead = timedelta(days=31)
        for name in (MANIFEST, SIGNATURE):
            files.write(name, kept.place.get(young).read(name))
    else:
        told = json.loads(files.read(MANIFEST)) | {"expires_at": "2000-01-01T00:00:00+00:00"}
        files.write(MANIFEST, json.dumps(told).encode())
    kept.take()

    assert old in kept.place.names()
    assert SNAPSHOT in files.names()


@pytest.mark.parametrize("where", ["ledger", "objects", "a set"])
def test_a_link_in_the_place_of_sets_makes_nothing_of_the_archive_go(kept: Kept, tmp_path: Path, where: str) -> None:
    old = kept.take().manifest.name
    kept.take()
    linked = tmp_path / "backups" / (old if where == "a set" else where)
    linked.rename(tmp_path / "moved")
    linked.symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / MANIFEST).write_bytes((tmp_path / "moved" / MANIFEST).read_bytes() if where == "a set" else b"")
    before = {file for file in (tmp_path / "archive").rglob("*") if file.is_file()}
    kept.ahead = timedelta(days=31)
    with suppress(Unavailable):
        kept.take()

    assert {file for file in (tmp_path / "archive").rglob("*") if file.is_file()} >= before
    assert (tmp_path / MANIFEST).exists()
