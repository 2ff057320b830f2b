"""Tombstones that somebody took away: the proven rows of the forgettings bring them back, and nothing else does."""

from dataclasses import replace
from uuid import uuid4

import pytest

from pacs_secure.archive.burying import Burying
from pacs_secure.archive.proofs import of_forgetting
from pacs_secure.archive.unburied import Unburied
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.forgetting import Forgetting, Stage
from pacs_secure.core.identifiers import KeyId, uid
from pacs_secure.ports import Shelf, Tombstone
from tests.builders import HERE, NOW
from tests.unit.archive.instances import study_uid
from tests.world import World


def forgotten(world: World, stage: Stage = Stage.SWEPT, *, proven: bool = True) -> list[KeyId]:
    """Keep a forgetting of two keys, which are on the shelf as if a snapshot had them back."""
    keys = [world.keyring.mint(HERE, Shelf.STUDY).key_id for _ in range(2)]
    one = Forgetting(uuid4(), HERE, uid(study_uid()), uuid4(), uuid4(), "radiology", NOW, stage, 1, NOW, tuple(keys))
    proof = of_forgetting(world.archive.forget.seals.index(HERE), one) if proven else bytes(32)
    world.forgettings.kept[one.forgetting_id] = replace(one, proof=proof)
    return keys


def watch(world: World, *, may_erase: bool = True) -> Unburied:
    eraser = Burying(world.keyring, world.tombstones, lambda: NOW) if may_erase else None
    seals = world.archive.forget.seals
    return Unburied(
        world.archive.guard, world.forgettings, world.tombstones, eraser, seals, world.archive.forget.missed, HERE
    )


def alarms(world: World) -> list[str]:
    return [entry["facts"]["alarm"] for entry in world.entries() if entry["action"] == "system:alarm"]


def test_what_has_its_tombstone_is_left_alone(world: World) -> None:
    keys = forgotten(world)
    world.tombstones.bury([Tombstone(key_id, HERE, Shelf.STUDY, NOW) for key_id in keys])

    assert watch(world).look() == 0
    assert alarms(world) == []


@pytest.mark.parametrize("stage", [Stage.FORGOTTEN, Stage.SWEPT])
def test_what_lacks_its_tombstone_is_said_buried_and_deleted(world: World, stage: Stage) -> None:
    keys = [*forgotten(world, stage), *forgotten(world, stage)]
    world.tombstones.bury([Tombstone(keys[0], HERE, Shelf.STUDY, NOW)])

    assert watch(world).look() == 3
    assert {one.key_id for one in world.tombstones.all()} == set(keys)
    assert world.keyring.lying(HERE, Shelf.STUDY, keys) == {keys[0]}
    assert alarms(world) == ["tombstones are missing"]
    assert watch(world).look() == 0


def test_what_is_not_forgotten_yet_is_not_buried(world: World) -> None:
    keys = forgotten(world, Stage.DRAINED)

    assert watch(world).look() == 0
    assert world.keyring.lying(HERE, Shelf.STUDY, keys) == set(keys)


def test_who_may_not_bury_is_not_ready(world: World) -> None:
    keys = forgotten(world)

    with pytest.raises(Unavailable, match="missing"):
        watch(world, may_erase=False).look()
    assert world.keyring.lying(HERE, Shelf.STUDY, keys) == set(keys)
    assert alarms(world) == ["tombstones are missing"]


def test_by_a_row_that_the_archive_did_not_write_nothing_is_buried(world: World) -> None:
    forged, real = forgotten(world, proven=False), forgotten(world)

    assert watch(world).look() == 2
    assert world.keyring.lying(HERE, Shelf.STUDY, [*forged, *real]) == set(forged)
    assert alarms(world) == ["tombstones are missing", "forgettings are forged"]
