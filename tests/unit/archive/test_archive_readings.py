"""What the ledger tells of somebody's reads."""

from datetime import timedelta
from uuid import uuid4

from pacs_secure.archive.readings import Reading, readings
from pacs_secure.core.access import Action, Door
from pacs_secure.core.audit import Draft, Outcome
from tests.builders import NOW, draft
from tests.fakes import MemoryLedger

A_MINUTE = timedelta(minutes=1)


def told(*drafts: Draft) -> list[Reading]:
    ledger = MemoryLedger()
    for one in drafts:
        ledger.append(one)
    return readings(ledger.entries(0, 99), lambda at: at < NOW + A_MINUTE)


def test_the_entries_of_one_act_are_one_read() -> None:
    act = uuid4()
    begun = draft(Outcome.BEGUN, act=act, at=NOW, facts={"objects": 3})
    ended = draft(Outcome.COMPLETED, act=act, at=NOW + 2 * A_MINUTE, facts={"objects": 3, "bytes": 700})

    assert told(begun, ended) == [Reading(NOW, act, Door.WEB, Outcome.COMPLETED, 3, 700)]


def test_a_read_under_way_is_told_as_such() -> None:
    (reading,) = told(draft(Outcome.BEGUN, at=NOW, facts={"objects": 1, "bytes": "no number"}))

    assert (reading.outcome, reading.objects, reading.octets) == (Outcome.BEGUN, 1, 0)


def test_other_acts_and_other_times_are_left_out() -> None:
    assert told(draft(action=Action.SHARE_LIST, at=NOW), draft(at=NOW + A_MINUTE)) == []
