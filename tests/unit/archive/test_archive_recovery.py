"""After a crash: no act stays without an outcome."""

from datetime import UTC, datetime

import pytest

from pacs_secure.archive.recovery import Recovery
from pacs_secure.core.errors import Unavailable
from tests.builders import subject
from tests.unit.archive.instances import TECHNOLOGIST, acts, received, store, study_uid
from tests.world import World


def crash(world: World) -> None:
    """Leave one transfer and one delivery open, as a process that was killed does."""
    world.archive.ingest.begin(TECHNOLOGIST, None, {"protocol": "test"}).store(received())
    world.archive.retrieve.begin(subject(), None, study_uid(), details={})


def test_open_acts_are_closed_as_aborted_each_with_its_own_words(world: World) -> None:
    crash(world)
    recovery: Recovery = world.archive.recovery

    assert recovery.close_open_acts(datetime.now(UTC)) == 2
    begun, closed = world.entries()[:2], world.entries()[2:]
    assert acts(world)[2:] == [("study:create", "aborted"), ("study:read", "aborted")]
    for one, other in zip(begun, closed, strict=True):
        assert other["facts"] == {**one["facts"], "closed": "after a crash"}
        for same in ("act", "actor", "role", "study", "patient", "purpose", "rule", "policy", "details"):
            assert one[same] == other[same]


def test_what_an_open_act_had_stored_stays(world: World) -> None:
    crash(world)
    world.archive.recovery.close_open_acts(datetime.now(UTC))

    with world.archive.retrieve.begin(subject(), None, study_uid(), details={}) as retrieval:
        assert len(list(retrieval.data_set(retrieval.rows[0]))) == 1


def test_closing_twice_closes_nothing_more(world: World) -> None:
    crash(world)
    world.archive.recovery.close_open_acts(datetime.now(UTC))

    assert world.archive.recovery.close_open_acts(datetime.now(UTC)) == 0


def test_acts_that_ended_or_began_later_are_left_alone(world: World) -> None:
    store(world)
    before = datetime.now(UTC)
    crash(world)

    assert world.archive.recovery.close_open_acts(before) == 0
    assert len(world.entries()) == 4


def test_acts_are_closed_while_the_vault_is_away(world: World) -> None:
    crash(world)
    world.keyring.sealed = True
    world.house.drop_keys()

    assert world.archive.recovery.close_open_acts(datetime.now(UTC)) == 2


def test_without_a_ledger_nothing_is_closed_and_the_next_start_tries_again(world: World) -> None:
    crash(world)
    world.ledger.down = True
    with pytest.raises(Unavailable):
        world.archive.recovery.close_open_acts(datetime.now(UTC))
    world.ledger.down = False

    assert world.archive.recovery.close_open_acts(datetime.now(UTC)) == 2
