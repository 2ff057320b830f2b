"""A manifest says one thing in one way, and whatever is none is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from pacs_secure.core.backups import (
    INDEX_TABLES,
    Content,
    FileDigest,
    HeldObject,
    Manifest,
    Tally,
    VaultSnapshot,
    read_files,
    read_manifest,
    read_objects,
)
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import ObjectId

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
TABLES = {name: Tally(number, f"{number:064x}") for number, name in enumerate((*INDEX_TABLES, "ties"))}
FILE = FileDigest("database/index.db", 9, "ab" * 32)
MANIFEST = Manifest(
    name="20260504T120000000000Z",
    taken_at=NOON,
    archive="1",
    institution="north",
    origin="north.example/ledger",
    content=Content("sqlite", 3, TABLES, Tally(7, "cd" * 32)),
    database=(FILE,),
    objects=Tally(2, "ef" * 32),
    objects_bytes=10,
    objects_list=replace(FILE, name="objects.list"),
    published=replace(FILE, name="ledger/published.list"),
    ledger_files=(replace(FILE, name="ledger/checkpoint"),),
    expires_at=NOON + timedelta(days=30),
)
SNAPSHOT = VaultSnapshot(replace(FILE, name="vault/snapshot"), NOON, NOON + timedelta(days=14))
HELD = HeldObject(ObjectId(UUID(int=7)), 10, "ab" * 32)


@pytest.mark.parametrize("vault", [None, SNAPSHOT])
def test_what_is_written_is_read_again(vault: VaultSnapshot | None) -> None:
    manifest = replace(MANIFEST, vault=vault)

    assert read_manifest(manifest.to_json()) == manifest
    assert read_manifest(manifest.to_json()).to_json() == manifest.to_json()


def test_every_file_of_the_set_is_named_once() -> None:
    names = [one.name for one in replace(MANIFEST, vault=SNAPSHOT).files()]

    assert names == [
        "database/index.db", "objects.list", "ledger/published.list", "ledger/checkpoint", "vault/snapshot",
    ]  # fmt: skip
    assert [one.name for one in MANIFEST.files()] == names[:-1]


def test_the_root_of_the_studies_is_over_everything_that_says_of_them() -> None:
    content = MANIFEST.content
    other = {**TABLES, "ties": Tally(9, "00" * 32)}

    assert replace(content, tables=other).studies == content.studies
    for name in INDEX_TABLES:
        changed = replace(content, tables={**TABLES, name: Tally(TABLES[name].count, "00" * 32)})
        assert (changed.studies.root != content.studies.root) is (TABLES[name].root != "00" * 32)


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        json.dumps({**json.loads(MANIFEST.to_json()), "version": 2}).encode(),
        json.dumps({**json.loads(MANIFEST.to_json()), "taken_at": "yesterday"}).encode(),
        json.dumps({**json.loads(MANIFEST.to_json()), "objects": 3}).encode(),
        json.dumps({**json.loads(MANIFEST.to_json()), "more": 3}).encode(),
        json.dumps({**json.loads(MANIFEST.to_json()), "vault": {"file": 3}}).encode(),
    ],
    ids=["empty", "no text", "a list", "nothing", "a later version", "no time", "no tally", "more", "no snapshot"],
)
def test_what_is_no_manifest_is_refused(written: bytes) -> None:
    with pytest.raises(Tampered):
        read_manifest(written)


def test_a_manifest_says_nothing_that_it_could_not_read_again() -> None:
    with pytest.raises(TypeError):
        replace(MANIFEST, archive=object()).to_json()  # type: ignore[arg-type]


def test_lists_are_read_as_they_are_written() -> None:
    published = FileDigest("checkpoints/a name", 4, "ab" * 32)

    assert list(read_objects([HELD.line().encode()] * 2)) == [HELD, HELD]
    assert list(read_files([published.line().encode()])) == [published]


@pytest.mark.parametrize("line", [b"\xff\n", b"one two\n", b"x 1 ab\n", b"ab x name\n", b"\n"])
def test_what_is_no_line_of_a_list_is_refused(line: bytes) -> None:
    with pytest.raises(Tampered):
        list(read_objects([line]))
    if line != b"x 1 ab\n":
        with pytest.raises(Tampered):
            list(read_files([line]))


def test_what_does_not_restore_is_named_and_what_was_brought_up_to_a_newer_schema_is_counted() -> None:
    content = MANIFEST.content
    other = replace(content, tables={**TABLES, "ties": Tally(9, "00" * 32), "more": Tally(0, "00" * 32)})
    brought_up = replace(other, schema=4, tables={name: Tally(one.count, "11" * 32) for name, one in TABLES.items()})

    assert content.differences(content) == []
    assert content.differences(other) == ["more", "ties"]
    assert content.differences(brought_up) == []
    assert content.differences(replace(other, schema=4)) == ["ties"]
    assert other.differences(brought_up) == ["more", "ties"]
