"""Enrolling: decided, and recorded in the commit that makes the device known."""

import pytest

from pacs_secure.archive.enrolment import Enrolment
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Conflict, Denied, Unavailable
from tests.builders import ELSEWHERE, device, subject
from tests.unit.archive.instances import acts
from tests.world import World


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR])
def test_a_device_is_known_from_the_moment_that_it_is_on_record(world: World, role: Role) -> None:
    known: Enrolment = world.archive.enrolment
    known.enrol(subject(role), device("CT1", operations=["store", "find"]))

    assert [one.ae_title for one in world.devices.all()] == ["CT1"]
    (entry,) = world.entries()
    assert (entry["action"], entry["outcome"]) == ("device:enrol", "completed")
    assert entry["facts"] == {"ae_title": "CT1", "operations": "find,store"}


def test_whoever_may_not_enrol_leaves_a_record_and_no_device(world: World) -> None:
    with pytest.raises(Denied):
        world.archive.enrolment.enrol(subject(), device())

    assert world.devices.all() == []
    assert acts(world) == [("device:enrol", "refused")]


def test_nobody_enrols_for_another_institution(world: World) -> None:
    with pytest.raises(Denied):
        world.archive.enrolment.enrol(subject(Role.ADMIN), device(of=ELSEWHERE))
    assert world.devices.all() == []


def test_a_title_that_is_taken_is_a_conflict(world: World) -> None:
    world.archive.enrolment.enrol(subject(Role.ADMIN, of=ELSEWHERE), device(of=ELSEWHERE))

    with pytest.raises(Conflict):
        world.archive.enrolment.enrol(subject(Role.ADMIN), device(certificate="another"))


def test_without_a_ledger_no_device(world: World) -> None:
    world.ledger.down = True

    with pytest.raises(Unavailable):
        world.archive.enrolment.enrol(subject(Role.ADMIN), device())
    assert world.devices.all() == []
