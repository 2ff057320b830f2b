"""What of a study is its own: proven row by row, and never by the word of a row."""

from dataclasses import replace
from uuid import uuid4

import pytest

from pacs_secure.archive.own_objects import Own, OwnObjects
from pacs_secure.core.access import StoredFacts
from pacs_secure.core.errors import Conflict, Tampered
from pacs_secure.core.identifiers import KeyId, uid
from pacs_secure.core.instance import InstanceRow
from pacs_secure.ports import Doomed, Shelf
from tests.builders import HERE, study_facts
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import World


def own_of(world: World) -> OwnObjects:
    own: OwnObjects = world.archive.forget.own
    return own


def rows_of(world: World, study: int = 1) -> list[InstanceRow]:
    return list(world.records.instances(HERE, uid(study_uid(study))))


def doomed(rows: list[InstanceRow]) -> Doomed:
    key_ids, object_ids = ({row.sealed.study_key_id for row in rows}, tuple(row.sealed.object_id for row in rows))
    facts = StoredFacts(study_facts(study_uid()), bytes(32))
    return Doomed(
        facts, frozenset(key_ids), object_ids, lambda some: [row for row in rows if row.sealed.object_id in some]
    )


def test_what_the_archive_stored_is_proven_and_looked_at_once(world: World) -> None:
    store(world, data_set(1, 1), data_set(1, 2))
    rows = rows_of(world)
    own = own_of(world).look(HERE, rows, Own())

    assert set(own.objects()) == {row.sealed.object_id for row in rows}
    assert set(own.keys()) == {row.sealed.study_key_id for row in rows}
    assert own_of(world).look_in_commit(doomed(rows), own) == own
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
    assert own_of(world).look_in_commit(doomed([row]), own) == own


def test_what_came_in_since_under_a_known_key_is_proven_in_the_commit(world: World) -> None:
    store(world, data_set(1, 1))
    own = own_of(world).look(HERE, rows_of(world), Own())
    store(world, data_set(1, 2))
    rows = rows_of(world)

    whole = own_of(world).look_in_commit(doomed(rows), own)
    assert set(whole.objects()) == {row.sealed.object_id for row in rows}
    world.blobs.remove(rows[1].sealed.object_id)
    with pytest.raises(Tampered):
        own_of(world).look_in_commit(doomed(rows), own)


def test_under_a_new_key_or_in_a_crowd_they_are_looked_at_outside_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world, data_set(1, 1))
    own = own_of(world).look(HERE, rows_of(world), Own())
    store(world, data_set(1, 2))
    rows = rows_of(world)
    other = [*rows, replace(rows[1], sealed=replace(rows[1].sealed, study_key_id=KeyId(uuid4())))]
    with pytest.raises(Conflict):
        own_of(world).look_in_commit(doomed(other), own)
    hidden = replace(doomed(other), key_ids=doomed(rows).key_ids)
    with pytest.raises(Conflict):
        own_of(world).look_in_commit(hidden, own)
    monkeypatch.setattr("pacs_secure.archive.own_objects.MOST_LATE", 0)
    with pytest.raises(Conflict):
        own_of(world).look_in_commit(doomed(rows), own)


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
