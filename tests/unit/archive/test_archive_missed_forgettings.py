"""A forgetting whose row is gone, or was made to say that it is done, is missed: the ledger tells of it."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.archive.missed_forgettings import MissedForgettings
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Tampered
from pacs_secure.core.forgetting import Forgetting, Stage
from tests.builders import ELSEWHERE, HERE, subject
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import World

OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")
Harm = Callable[[dict[UUID, Forgetting], Forgetting], object]


def removed(kept: dict[UUID, Forgetting], one: Forgetting) -> None:
    del kept[one.forgetting_id]


def swept(kept: dict[UUID, Forgetting], one: Forgetting) -> None:
    kept[one.forgetting_id] = replace(one, stage=Stage.SWEPT)


def moved(kept: dict[UUID, Forgetting], one: Forgetting) -> None:
    kept[one.forgetting_id] = replace(one, institution=ELSEWHERE)


def missed(world: World) -> MissedForgettings:
    made: MissedForgettings = world.archive.forget.missed
    return made


def alarms(world: World) -> list[str]:
    return [entry["facts"]["alarm"] for entry in world.entries() if entry["action"] == "system:alarm"]


@pytest.mark.parametrize("harm", [removed, swept, moved])
@pytest.mark.parametrize("fenced", [False, True], ids=["requested", "fenced"])
def test_a_forgetting_whose_row_is_gone_or_says_something_else_is_an_alarm_and_tampered(
    world: World,
    harm: Harm,
    fenced: bool,  # noqa: FBT001
) -> None:
    store(world, data_set(1, 1), data_set(2, 1))
    verb = world.archive.forget
    one, _ = (verb.request(OPERATOR, None, study_uid(study), details={}) for study in (1, 2))
    if fenced:
        verb.carry_on(OPERATOR, None, details={})
    assert missed(world).count() == missed(world).count(HERE) == missed(world).count(ELSEWHERE) == 0
    harm(world.forgettings.kept, world.forgettings.kept[one.forgetting_id])

    assert (missed(world).count(), missed(world).count(HERE), missed(world).count(ELSEWHERE)) == (1, 1, 0)
    for late in (verb, replace(verb, now=lambda: verb.now() + LONGEST_MEMORY * 2)):
        with pytest.raises(Tampered):
            late.carry_on(OPERATOR, None, details={})
    assert set(alarms(world)) == {"forgettings are missing"}
    assert len(list(world.tombstones.all())) == 1
    world.house.unburied.look()
    assert alarms(world)[-1] == "forgettings are missing"


def test_a_start_goes_on_where_the_ledger_is_not_what_was_recorded(world: World) -> None:
    store(world, data_set(1, 1))
    world.ledger.kept[1] = replace(world.ledger.kept[1], leaf_hash=bytes(32))

    assert world.house.unburied.look() == 0
    assert alarms(world) == ["forgettings are missing"]
