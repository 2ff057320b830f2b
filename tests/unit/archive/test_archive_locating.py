"""Finding a study for a verb: what is none, and what is not there, is on record before anyone hears of it."""

import pytest

from pacs_secure.archive.locating import located, refusing_malformed
from pacs_secure.core.access import AccessRequest, Action, Role
from pacs_secure.core.errors import Conflict, Malformed, NotFound
from tests.builders import subject
from tests.unit.archive.instances import acts, store, study_uid
from tests.world import World

REQUEST = AccessRequest(subject(Role.OFFICER), Action.STUDY_CLASSIFY, None)


def test_a_study_that_is_there_becomes_part_of_the_request(world: World) -> None:
    store(world)
    request, study = located(world.archive.facts, REQUEST, study_uid())

    assert request.study == study
    assert (study.study_instance_uid, request.private) == (study_uid(), {"study": study_uid()})


@pytest.mark.parametrize(("text", "error"), [("none", Malformed), (study_uid(), NotFound)])
def test_what_is_no_study_is_on_record(world: World, text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        located(world.archive.facts, REQUEST, text)

    assert acts(world) == [("study:classify", "refused")]


def test_other_errors_pass_without_a_record(world: World) -> None:
    with pytest.raises(Conflict), refusing_malformed(world.archive.guard, REQUEST):
        raise Conflict("something else")

    assert acts(world) == []
