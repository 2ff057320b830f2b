"""Whatever is damaged in a set is found and named, and what is out of reach is no finding."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pacs_secure.adapters.sql import SqlBackups
from pacs_secure.archive.backup_sets import seal_manifest
from pacs_secure.core.backups import MANIFEST, OBJECTS, SNAPSHOT, read_manifest
from pacs_secure.core.errors import NotFound, Unavailable
from pacs_secure.ports import Shelf, Tombstone
from tests.fakes_keys import FakeKeyring
from tests.keeping import FakeVault, Kept, keep
from tests.unit.archive.instances import acts, data_set, store
from tests.world import disk_world


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    keyring = FakeKeyring()
    with disk_world(tmp_path / "archive", keyring, keyring, keyring, eraser=keyring) as world:
        made = keep(world, tmp_path / "backups", keyring)
        store(world, data_set(1), data_set(2))
        world.notary.attest()
        yield made
        made.place.close()


def problems(kept: Kept, name: str) -> list[str]:
    return [f"{finding.place}: {finding.problem}" for finding in kept.verify(name).verdict.findings]


def sign_again(kept: Kept, of: str, /, **changed: object) -> None:
    """Say another thing in the manifest, under the log's own key."""
    files = kept.place.get(of)
    told = json.loads(files.read(MANIFEST)) | changed
    seal_manifest(files, read_manifest(json.dumps(told).encode()), kept.signer)


def test_a_sound_set_restores_to_equal_roots_and_its_keys_open(kept: Kept) -> None:
    taken = kept.take()
    steps: list[int] = []
    proof = kept.proof.prove(kept.place, taken.manifest.name, steps.append)

    assert proof.verdict.sound
    assert proof.keys == len(list(SqlBackups(kept.world.database).named_keys()))
    assert proof.manifest == taken.manifest
    assert sum(steps) >= 2
    assert kept.snapshots.newest_verified() is None  # proving alone changes nothing
    kept.verify(taken.manifest.name)
    assert taken.manifest.vault is not None
    assert kept.snapshots.newest_verified() == taken.manifest.vault.taken_at


def test_verifying_is_on_record(kept: Kept) -> None:
    name = kept.take().manifest.name
    kept.verify(name)

    assert acts(kept.world)[-2:] == [("backup:verify", "begun"), ("backup:verify", "completed")]
    facts = kept.world.entries()[-1]["facts"]
    assert (facts["set"], facts["findings"]) == (name, 0)


def test_a_damaged_byte_is_found_wherever_it_is_and_its_file_is_named(kept: Kept) -> None:
    name = kept.take().manifest.name
    root = kept.folder(name).parent
    files = [file for file in sorted(root.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    assert len(files) > 10
    for file in files:
        whole = file.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 1}:
            broken = bytearray(whole)
            broken[place] ^= 1
            file.chmod(0o600)
            file.write_bytes(broken)
            said = " ".join(problems(kept, name))
            assert said, f"{file.relative_to(root)} at {place}"
            own = file.relative_to(root / name).as_posix() if file.is_relative_to(root / name) else file.name
            assert own in said or own.startswith("manifest"), said
        file.write_bytes(whole)
    assert kept.verify(name).verdict.sound


def test_a_missing_file_is_found_wherever_it_is(kept: Kept) -> None:
    name = kept.take().manifest.name
    root = kept.folder(name).parent
    for file in [file for file in sorted(root.rglob("*")) if file.is_file() and not file.name.startswith(".")]:
        if file.name == MANIFEST:
            continue  # without it there is no set
        aside = file.with_name(f".{file.name}.aside")
        file.rename(aside)
        assert problems(kept, name), file
        aside.rename(file)
    (root / name / MANIFEST).unlink()
    with pytest.raises(NotFound):
        kept.verify(name)


def test_a_manifest_of_somebody_else_is_believed_in_nothing(kept: Kept) -> None:
    name = kept.take().manifest.name
    files = kept.place.get(name)
    seal_manifest(files, read_manifest(files.read(MANIFEST)), FakeKeyring())

    (problem,) = problems(kept, name)
    assert problem.startswith("manifest: ")
    assert kept.verify(name).manifest is None


def test_what_was_signed_and_what_restores_must_be_equal(kept: Kept) -> None:
    taken = kept.take().manifest
    told = json.loads(taken.to_json())
    for part, change in (
        ("the table studies", {"tables": {**told["content"]["tables"], "studies": {"count": 2, "root": "00" * 32}}}),
        ("the root that it had", {"ledger": {"count": 1, "root": "00" * 32}}),
    ):
        sign_again(kept, taken.name, content={**told["content"], **change})
        assert any(part in problem for problem in problems(kept, taken.name))
    sign_again(kept, taken.name, content=told["content"], objects={"count": 2, "root": "00" * 32})
    assert problems(kept, taken.name) == ["object: the list of objects has another root than was signed"]
    sign_again(kept, taken.name, objects=told["objects"], name="20200101T000000000000Z")
    assert problems(kept, taken.name) == ["manifest: it is another set's"]


@pytest.mark.parametrize("kept_lines", [1, 3])
def test_rows_and_objects_must_name_each_other(kept: Kept, kept_lines: int) -> None:
    taken = kept.take().manifest
    files = kept.place.get(taken.name)
    lines = files.read(OBJECTS).splitlines(keepends=True)
    files.write(OBJECTS, b"".join([*lines, lines[-1]][:kept_lines]))
    sign_again(
        kept, taken.name, objects_list={**json.loads(taken.to_json())["objects_list"], **_said(kept, taken.name)}
    )

    assert any(
        ("name" in problem and "rows" in problem) or "no row" in problem for problem in problems(kept, taken.name)
    )


def _said(kept: Kept, name: str) -> dict[str, object]:
    digest = kept.place.get(name).digest(OBJECTS)
    return {"length": digest.length, "sha256": digest.sha256}


def test_the_published_checkpoint_must_be_of_this_ledger(kept: Kept, tmp_path: Path) -> None:
    taken = kept.take().manifest
    other = FakeKeyring()
    other._log_key = kept.signer._log_key  # type: ignore[attr-defined]
    with disk_world(tmp_path / "other", other, other, other) as world:
        store(world)
        world.notary.attest()
        note = world.house.engines.publisher.checkpoint()
    assert note is not None
    files = kept.place.get(taken.name)
    digest = files.write("ledger/checkpoint", note)
    sign_again(kept, taken.name, ledger_files=[{"name": digest.name, "length": digest.length, "sha256": digest.sha256}])

    assert problems(kept, taken.name) == ["checkpoint: the published checkpoint is not of this ledger"]


def test_a_key_that_the_snapshot_lacks_is_named_unless_it_was_forgotten(kept: Kept) -> None:
    engines = kept.world.house.engines
    keys = [key for key in SqlBackups(kept.world.database).named_keys() if key[1] is Shelf.STUDY]
    kept.keyring.erase(keys[0][0], Shelf.STUDY, [keys[0][2]])
    name = kept.take().manifest.name

    (problem,) = problems(kept, name)
    assert problem == f"vault: the snapshot lacks a key that the database names: study {keys[0][2]}"
    assert kept.snapshots.newest_verified() is None

    engines.tombstones.bury([Tombstone(keys[0][2], keys[0][0], Shelf.STUDY, datetime.now(UTC))])
    assert kept.verify(name).verdict.sound


def test_without_the_shares_no_snapshot_counts_as_verified(kept: Kept) -> None:
    kept.trial = None
    proof = kept.verify(kept.take().manifest.name)

    assert (proof.verdict.sound, proof.keys) == (True, None)
    assert kept.snapshots.newest_verified() is None


def test_a_snapshot_that_was_pruned_in_its_time_is_not_missed(kept: Kept) -> None:
    name = kept.take().manifest.name
    kept.place.get(name).remove(SNAPSHOT)
    assert problems(kept, name) == ["file: vault/snapshot is missing"]
    kept.ahead = kept.keeping.vault + timedelta(minutes=1)

    proof = kept.verify(name)
    assert (proof.verdict.sound, proof.keys) == (True, None)


def test_what_is_out_of_reach_says_nothing_of_what_it_holds(kept: Kept) -> None:
    class Away(FakeVault):
        def restored(self, snapshot: Path) -> Iterator[FakeKeyring]:  # type: ignore[override]
            raise Unavailable("there is no OpenBao on this machine")

    name = kept.take().manifest.name
    kept.trial = Away(FakeKeyring())  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        kept.verify(name)
    assert acts(kept.world)[-1] == ("backup:verify", "failed")


def test_there_are_never_more_findings_than_anybody_reads(kept: Kept) -> None:
    store(kept.world, *(data_set(3, number) for number in range(1, 130)))
    name = kept.take().manifest.name
    for stored in list(kept.place.objects.names()):
        kept.place.objects.remove(stored.object_id)

    assert len(problems(kept, name)) == 100
