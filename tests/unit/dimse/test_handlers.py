"""A visit to the archive, without a connection: what it answers and records before and after an association."""

import pytest

from pacs_secure.archive.refusals import Refusals
from pacs_secure.dimse.commands import C_ECHO_RQ, C_STORE_RQ, Request
from pacs_secure.dimse.handlers import Visit
from pacs_secure.dimse.household import Household
from pacs_secure.dimse.statuses import SOP_CLASS_NOT_SUPPORTED
from tests.builders import HERE
from tests.world import World


@pytest.fixture
def visit(world: World) -> Visit:
    refusals = Refusals(world.archive.guard)
    household = Household(world.archive, world.devices, refusals, "ARCHIVE", HERE, 5.0, lambda _: False, None)
    return Visit(household, "192.0.2.1", lambda: True)


def reasons(world: World) -> list[str]:
    return [entry["facts"]["reason"] for entry in world.entries()]


@pytest.mark.parametrize("field", [C_STORE_RQ, C_ECHO_RQ])
def test_nothing_is_served_before_a_context_is_accepted(visit: Visit, world: World, field: int) -> None:
    assert visit.serve(Request(1, field, 1), bytearray(b"x")) == SOP_CLASS_NOT_SUPPORTED
    assert world.blobs.stored == {}


def test_who_left_without_a_word_is_recorded_once(visit: Visit, world: World) -> None:
    visit.ended()

    assert reasons(world) == ["no association was asked for"]
    assert world.entries()[0]["address"] == "192.0.2.1"


def test_who_broke_the_protocol_is_recorded_for_that_alone(visit: Visit, world: World) -> None:
    visit.violated("a PDU cannot be decoded")
    visit.ended()

    assert reasons(world) == ["a PDU cannot be decoded"]
