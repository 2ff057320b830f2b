"""What of a study is its own: proven row by row, and never by the word of a row."""

from dataclasses import replace

import pytest

from pacs_secure.archive.own_objects import Own, OwnObjects
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import uid
from pacs_secure.core.instance import InstanceRow
from pacs_secure.ports import Shelf
from tests.builders import HERE
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import World


def own_of(world: World) -> OwnObjects:
    own: OwnObjects = world.archive.forget.own
    return own


def rows_of(world: World, study: int = 1) -> list[InstanceRow]:
    return list(world.records.instances(HERE, uid(study_uid(study))))


def test_what_the_archive_stored_is_proven_and_looked_at_once(world: World) -> None:
    store(world, data_set(1, 1), data_set(1, 2))
    rows = rows_of(world)
    own = own_of(world).look(HERE, rows, Own())

    assert set(own.objects()) == {row.sealed.object_id for row in rows}
    assert set(own.keys()) == {row.sealed.study_key_id for row in rows}
    assert own.covers(frozenset(own.keys()), own.objects())
    assert not Own().covers(frozenset(own.keys()), ())
    assert not Own().covers(frozenset(), own.objects())
    for row in rows:
        world.blobs.remove(row.sealed.object_id)
    assert own_of(world).look(HERE, rows, own) == own


def test_every_row_is_proven_not_one_a_key(world: World) -> None:
    store(world, data_set(1, 1), data_set(1, 2))
    first, second = rows_of(world)
    swapped = replace(first, sealed=replace(first.sealed, object_id=second.sealed.object_id))

    with pytest.raises(Tampered):
        own_of(world).look(HERE, [swapped, second], Own())


def test_what_lies_under_a_lost_key_is_looked_at_and_does_not_go(world: World) -> None:
    store(world, data_set(1, 1))
    (row,) = rows_of(world)
    world.keyring.forget(row.sealed.study_key_id)
    own = own_of(world).look(HERE, [row], Own())

    assert (own.keys(), own.objects()) == ((), ())
    assert own.covers(frozenset({row.sealed.study_key_id}), [row.sealed.object_id])


@pytest.mark.parametrize("missing", [False, True], ids=["names another", "is missing"])
def test_a_key_that_is_not_on_the_shelf_and_that_its_object_does_not_name_is_tampered(
    world: World,
    missing: bool,  # noqa: FBT001
) -> None:
    store(world, data_set(1, 1))
    (row,) = rows_of(world)
    other = world.keyring.mint(HERE, Shelf.INDEX).key_id
    if missing:
        world.keyring.forget(row.sealed.study_key_id)
        world.blobs.remove(row.sealed.object_id)
    else:
        row = replace(row, sealed=replace(row.sealed, study_key_id=other))

    with pytest.raises(Tampered):
        own_of(world).look(HERE, [row], Own())
