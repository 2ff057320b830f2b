"""What the ledger tells of forgettings: believed when it says more is to go, and by signature when it says less."""

from dataclasses import replace
from typing import Any

import pytest

from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.archive.spoken_forgettings import SpokenForgettings
from pacs_secure.core.access import Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import Tampered
from pacs_secure.crypto.tlog import read_draft
from tests.builders import ELSEWHERE, HERE, subject
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import World, memory_world

OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")


def spoken(world: World, *, signed: bool = True) -> SpokenForgettings:
    forget = world.archive.forget
    made = SpokenForgettings(forget.writer_key if signed else lambda _: None, 0)
    made.follow(world.ledger.entries(0, world.ledger.size()))
    return made


def carry_on(world: World) -> None:
    verb = world.archive.forget
    for late in (verb, replace(verb, now=lambda: verb.now() + LONGEST_MEMORY * 2)):
        late.carry_on(OPERATOR, None, details={})


def request(world: World) -> Any:
    return world.archive.forget.request(OPERATOR, None, study_uid(), details={}).study_alias


def say(world: World, **changes: Any) -> None:
    """Repeat the entry that a study is to be forgotten, with other words."""
    entry = next(one for one in world.ledger.kept if b'"study:forget"' in one.content)
    world.ledger.append(replace(read_draft(entry.content), **changes))


def test_what_was_asked_for_is_under_way_until_it_is_done(world: World) -> None:
    store(world, data_set(1, 1))
    alias = request(world)
    told = spoken(world)
    assert (told.under_way(HERE), told.under_way(ELSEWHERE)) == ([alias], [])
    assert told.houses() == {HERE}
    carry_on(world)

    told.follow(world.ledger.entries(told.place, world.ledger.size()))
    assert (told.under_way(HERE), told.houses()) == ([], frozenset())
    with pytest.raises(Tampered):
        told.follow(world.ledger.entries(0, 1))


def test_that_it_is_done_is_believed_by_signature_only(world: World) -> None:
    store(world, data_set(1, 1))
    alias = request(world)
    carry_on(world)

    assert spoken(world, signed=False).under_way(HERE) == [alias]


def test_of_other_words_nothing_is_made(world: World) -> None:
    store(world, data_set(1, 1))
    alias = request(world)
    say(world, outcome=Outcome.REFUSED, facts={"stage": "swept"})
    say(world, study_alias=None, facts={"stage": "swept"})

    assert spoken(world).under_way(HERE) == [alias]


def test_a_rebuild_where_nothing_was_under_way_changes_nothing(world: World) -> None:
    store(world, data_set(1, 1))
    world.notary.attest()
    lost = memory_world(of=world)
    lost.archive.rebuild.run(OPERATOR)

    assert spoken(lost).houses() == frozenset()


@pytest.mark.parametrize(("signed", "left"), [(True, 0), (False, 1)])
def test_what_was_under_way_is_to_be_asked_for_again_after_a_rebuild(world: World, signed: bool, left: int) -> None:  # noqa: FBT001
    store(world, data_set(1, 1))
    request(world)
    world.notary.attest()
    lost = memory_world(of=world)
    lost.archive.rebuild.run(OPERATOR)
    assert len(spoken(lost, signed=signed).under_way(HERE)) == left
