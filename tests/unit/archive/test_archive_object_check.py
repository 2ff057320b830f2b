"""One object against its row: what opens and is what was received must still be what the index says."""

from dataclasses import replace

import pytest

from pacs_secure.archive.object_check import ObjectCheck
from pacs_secure.core.access import Action, Grant, Role
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.core.identifiers import uid
from pacs_secure.core.instance import FrameIndex, InstanceRow
from pacs_secure.dicom.header import Header, Limits
from pacs_secure.dicom.reading import read_back
from tests.builders import ROOT, grant, subject
from tests.unit.archive.instances import data_set, store
from tests.world import World

VERIFYING: Grant = grant(subject(Role.OPERATOR), Action.ARCHIVE_VERIFY)


def check_of(world: World) -> ObjectCheck:
    check: ObjectCheck = world.archive.verify.store.objects
    return check


def kept(world: World, **pixels: object) -> InstanceRow:
    store(world, data_set(**pixels))  # type: ignore[arg-type]
    (one,) = world.records._instances.values()
    return one.row


def change(world: World, row: InstanceRow, **columns: object) -> InstanceRow:
    (key, one) = next(iter(world.records._instances.items()))
    changed = replace(row, **columns)  # type: ignore[arg-type]
    world.records._instances[key] = replace(one, row=changed)
    return changed


def test_an_object_with_frames_is_read_to_its_last_one(world: World) -> None:
    row = kept(world, pixels=bytes(range(60)), frames=3)

    assert check_of(world).read(VERIFYING, row) == ""
    assert check_of(world).look(row) == ""


def test_a_data_set_that_no_library_can_parse_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = kept(world)

    def broken(*_: object) -> Header:
        raise Malformed("the Data Set cannot be parsed")

    monkeypatch.setattr("pacs_secure.archive.object_check.read_back", broken)
    assert check_of(world).read(VERIFYING, row) == "the Data Set cannot be parsed"


def test_frames_that_are_not_where_the_index_says_are_found(world: World) -> None:
    row = kept(world, pixels=bytes(range(60)), frames=3)
    moved = change(world, row, frames=FrameIndex(row.frames.offsets, (20, 20, 18)))

    assert "frames" in check_of(world).read(VERIFYING, moved)


def test_a_series_of_another_instance_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = kept(world)

    def other(data: memoryview, syntax: str, limits: Limits) -> Header:
        return replace(read_back(data, syntax, limits), sop_instance_uid=uid(f"{ROOT}.9.9.9"))

    monkeypatch.setattr("pacs_secure.archive.object_check.read_back", other)
    assert "another instance" in check_of(world).read(VERIFYING, row)


def test_a_store_out_of_reach_says_nothing_of_its_objects(world: World) -> None:
    row = kept(world)
    world.blobs.down = True

    with pytest.raises(Unavailable):
        check_of(world).read(VERIFYING, row)
    with pytest.raises(Unavailable):
        check_of(world).look(row)
