"""Refusals are recorded, and a flood of them is counted instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pacs_secure.archive.refusals import Refusals
from pacs_secure.core.access import AccessRequest, Action, Door, Role, Subject
from pacs_secure.core.errors import Unavailable
from tests.builders import HERE

REQUEST = AccessRequest(
    Subject("stranger", Role.STRANGER, HERE, "", Door.DIMSE, "192.0.2.1"),
    Action.ASSOCIATION_OPEN,
    None,
    details={"reason": "a reason"},
)


@dataclass
class Recorder:
    """Stands where the Guard stands."""

    down: bool = False
    entries: list[tuple[AccessRequest, dict[str, str | int]]] = field(default_factory=list)
    now: float = 0.0

    def refuse(self, request: AccessRequest, facts: Mapping[str, str | int]) -> None:
        if self.down:
            raise Unavailable
        self.entries.append((request, dict(facts)))

    def clock(self) -> float:
        return self.now


def test_a_refusal_is_recorded_as_the_door_says_it() -> None:
    recorder = Recorder()

    assert Refusals(recorder).record(REQUEST, {"error": "Unauthenticated"})

    assert recorder.entries == [(REQUEST, {"error": "Unauthenticated"})]


def test_a_flood_gets_so_many_entries_a_second_and_the_next_counts_the_others() -> None:
    recorder = Recorder()
    refusals = Refusals(recorder, 2, recorder.clock)

    for _ in range(10):
        refusals.record(REQUEST)
    refusals.count()
    recorder.now = 0.5
    refusals.record(REQUEST)

    assert [facts for _, facts in recorder.entries] == [{}, {}, {"others": 9}]


def test_what_the_ledger_could_not_take_is_counted_into_the_next_entry() -> None:
    recorder = Recorder(down=True)
    refusals = Refusals(recorder)

    assert not refusals.record(REQUEST)
    assert not refusals.record(REQUEST)
    recorder.down = False
    assert refusals.record(REQUEST)

    assert [facts for _, facts in recorder.entries] == [{"others": 2}]


def test_while_the_ledger_is_out_of_reach_what_is_only_counted_is_not_said_to_be_recorded() -> None:
    recorder = Recorder(down=True)
    refusals = Refusals(recorder, 1, recorder.clock)

    assert [refusals.record(REQUEST), refusals.record(REQUEST)] == [False, False]
    recorder.down, recorder.now = False, 1.0
    assert [refusals.record(REQUEST), refusals.record(REQUEST)] == [True, True]
    assert [facts for _, facts in recorder.entries] == [{"others": 2}]


def test_when_the_door_closes_what_was_only_counted_is_recorded_once() -> None:
    recorder = Recorder()
    refusals = Refusals(recorder)
    refusals.count()

    refusals.flush(REQUEST)
    refusals.flush(REQUEST)

    assert [facts for _, facts in recorder.entries] == [{"others": 1}]
