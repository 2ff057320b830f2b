"""Reading the ledger as audit events: the same few, on record, and no employee shows by a lasting name."""

from datetime import timedelta
from uuid import uuid4

import pytest

from pacs_secure.archive import audit_events
from pacs_secure.archive.audit_events import AskedEvents
from pacs_secure.core.access import Action, Role
from pacs_secure.core.audit_events import Deed
from pacs_secure.core.errors import Denied, Malformed, NotFound
from pacs_secure.messages.occurrence import Occurrence
from tests.builders import ELSEWHERE, subject
from tests.unit.archive.instances import acts, data_set, store
from tests.world import World

DPO = subject(Role.DPO)
NOTE = {"protocol": "FHIR"}


def find(world: World, **asked: object) -> list[Occurrence]:
    return list(world.archive.audit_events.search(DPO, None, AskedEvents(**asked), NOTE).events)  # type: ignore[arg-type]


def indices(world: World, **asked: object) -> list[int]:
    return [one.index for one in find(world, **asked)]


def test_everything_is_found_newest_first_and_that_is_on_record(world: World) -> None:
    store(world)

    assert indices(world) == [1, 0]
    assert acts(world)[2:] == [("ledger:read", "begun"), ("ledger:read", "completed")]
    assert world.entries()[-1]["facts"]["results"] == 2


def test_persons_are_numbers_that_hold_within_one_answer(world: World) -> None:
    store(world)

    found = find(world)

    assert [one.who for one in found] == ["technologist 1", "technologist 1"]
    assert not [one for one in found if one.draft.actor in one.who]
    one = world.archive.audit_events.read(DPO, None, 0, NOTE)
    assert one.who == "technologist 1"


def test_two_persons_of_one_answer_are_two_numbers(world: World) -> None:
    store(world)
    find(world)

    assert [one.who for one in find(world)] == ["dpo 1", "dpo 1", "technologist 2", "technologist 2"]


def test_a_search_for_a_patient_stands_in_the_ledger_as_one_about_them(world: World) -> None:
    store(world)
    patient = find(world)[0].draft.patient_alias
    assert find(world, patient=uuid4()) == []
    assert "patient" not in world.entries()[-1]
    find(world, patient=patient)

    assert world.entries()[-1]["patient"] == str(patient)


def test_what_is_wanted_narrows(world: World) -> None:
    store(world)
    store(world, data_set(2))
    (first, second) = [one.draft for one in find(world, action=Action.STUDY_CREATE)][::2]

    assert {one.draft.act for one in find(world, study=second.study_alias)} == {second.act}
    assert {one.draft.act for one in find(world, patient=first.patient_alias)} >= {first.act}
    assert {one.event.deed for one in find(world, deed=Deed.CREATE)} == {Deed.CREATE}
    assert find(world, since=first.at + timedelta(days=1)) == []
    assert find(world, until=second.at - timedelta(days=1)) == []


def test_pages_follow_each_other_without_gap_or_repetition(world: World) -> None:
    store(world)
    store(world, data_set(2))
    verb = world.archive.audit_events
    seen: list[int] = []
    after: int | None = None
    asked = AskedEvents(deed=Deed.EXECUTE, count=1)
    for _ in range(9):
        page = verb.search(DPO, None, AskedEvents(deed=asked.deed, count=1, after=after), NOTE)
        seen += [one.index for one in page.events]
        after = page.after
        if after is None:
            break

    assert seen == [2, 0]


def test_a_search_that_finds_little_says_where_to_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_events, "MOST_SCANNED", 2)
    monkeypatch.setattr(audit_events, "_AT_ONCE", 1)
    store(world)

    page = world.archive.audit_events.search(DPO, None, AskedEvents(action=Action.STUDY_ERASE), NOTE)
    assert (page.events, page.after) == ([], None)
    page = world.archive.audit_events.search(DPO, None, AskedEvents(deed=Deed.DELETE), NOTE)
    assert (page.events, page.after) == ([], 2)


@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.ADMIN, Role.OFFICER])
def test_nobody_else_reads_it(world: World, role: Role) -> None:
    with pytest.raises(Denied):
        world.archive.audit_events.search(subject(role), None, AskedEvents(), NOTE)
    with pytest.raises(Denied):
        world.archive.audit_events.read(subject(role), None, 0, NOTE)
    assert acts(world) == [("ledger:read", "refused")] * 2


def test_institutions_are_strictly_apart(world: World) -> None:
    store(world)
    elsewhere = subject(Role.DPO, of=ELSEWHERE)

    verb = world.archive.audit_events
    assert verb.search(elsewhere, None, AskedEvents(), NOTE).events == []
    own = verb.search(elsewhere, None, AskedEvents(), NOTE).events
    assert {one.draft.institution for one in own} == {ELSEWHERE}
    with pytest.raises(NotFound):
        world.archive.audit_events.read(elsewhere, None, 0, NOTE)


@pytest.mark.parametrize("count", [0, 501])
def test_a_page_has_a_size(world: World, count: int) -> None:
    with pytest.raises(Malformed):
        find(world, count=count)
    assert acts(world) == [("ledger:read", "refused")]


def test_a_period_ends_after_it_begins(world: World) -> None:
    store(world)
    at = find(world)[0].draft.at

    with pytest.raises(Malformed):
        find(world, since=at, until=at)
