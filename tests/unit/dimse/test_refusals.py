"""Refusals are recorded, and a flood of them is counted instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pacs_secure.core.access import AccessRequest, Action
from pacs_secure.core.errors import Unavailable
from pacs_secure.dimse.identity import stranger
from pacs_secure.dimse.refusals import Refusals
from tests.builders import HERE

SOMEONE = stranger(HERE, "192.0.2.1")


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


def test_a_refusal_says_why_and_keeps_what_may_name_someone_apart() -> None:
    recorder = Recorder()

    Refusals(recorder).record(SOMEONE, "a reason", {"calling_ae_title": "DR_WEBER"})

    ((request, facts),) = recorder.entries
    assert (request.action, request.subject) == (Action.ASSOCIATION_OPEN, SOMEONE)
    assert request.details == {"protocol": "A-ASSOCIATE", "reason": "a reason"}
    assert request.private == {"calling_ae_title": "DR_WEBER"}
    assert facts == {}


def test_a_flood_gets_so_many_entries_a_second_and_the_next_counts_the_others() -> None:
    recorder = Recorder()
    refusals = Refusals(recorder, 2, recorder.clock)

    for _ in range(10):
        refusals.record(SOMEONE, "a reason")
    refusals.count()
    recorder.now = 0.5
    refusals.record(SOMEONE, "a reason")

    assert [facts for _, facts in recorder.entries] == [{}, {}, {"others": 9}]


def test_what_the_ledger_could_not_take_is_counted_into_the_next_entry() -> None:
    recorder = Recorder(down=True)
    refusals = Refusals(recorder)

    refusals.record(SOMEONE, "a reason")
    refusals.record(SOMEONE, "a reason")
    recorder.down = False
    refusals.record(SOMEONE, "a reason")

    assert [facts for _, facts in recorder.entries] == [{"others": 2}]


def test_when_the_door_closes_what_was_only_counted_is_recorded_once() -> None:
    recorder = Recorder()
    refusals = Refusals(recorder)
    refusals.count()

    refusals.flush(SOMEONE)
    refusals.flush(SOMEONE)

    assert [facts for _, facts in recorder.entries] == [{"others": 1}]
