"""What officers are told: kept with the act, in order, until somebody has read it; in memory and in SQL alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pacs_secure.adapters.sql import SqlLedger
from pacs_secure.adapters.sql.notices import SqlNotices
from pacs_secure.core.access import Action
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied, Malformed, NotFound
from pacs_secure.core.notices import KeptNotice, Notice, NoticeKind
from pacs_secure.ports import Ledger, Notices
from tests.builders import ELSEWHERE, HERE, NOW, draft, permit, subject
from tests.fakes import MemoryLedger
from tests.fakes_emergencies import MemoryNotices
from tests.postgres_fixture import ENGINES, Settled, place_of

OFFICER = permit(action=Action.NOTICE_ACKNOWLEDGE)
MOST = 100


@dataclass
class Outbox:
    """One adapter of the port beside the ledger that fills it."""

    notices: Notices
    ledger: Ledger

    def tell(self, of: str = HERE, kind: NoticeKind = NoticeKind.BREAK_GLASS) -> Notice:
        """Record an act and tell of it."""
        begun = draft(by=subject(of=of))
        notice = Notice(uuid4(), begun.institution, kind, uuid4(), begun.act, begun.at, b"a box of the tests")
        self.ledger.append(begun, notice)
        return notice

    def acknowledge(self, notice_id: UUID) -> None:
        self.notices.acknowledge(OFFICER, notice_id, "an officer", NOW, draft())

    def waiting(self, channel: str = "mail", limit: int = MOST) -> list[Notice]:
        return [kept.notice for kept in self.notices.waiting(HERE, channel, limit)]

    def listed(self, *, acknowledged: bool = False, limit: int = MOST) -> list[Notice]:
        return [kept.notice for kept in self.notices.listed(HERE, limit, acknowledged=acknowledged)]

    def found(self, notice: Notice) -> KeptNotice:
        kept = self.notices.get(HERE, notice.notice_id)
        assert kept is not None
        return kept


@pytest.fixture(params=["memory", *ENGINES])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Outbox(MemoryNotices(ledger), ledger)
        return
    database = Settled(place_of(request, tmp_path))
    yield Outbox(SqlNotices(database), SqlLedger(database))
    database.close()


def test_a_notice_is_kept_with_the_entry_of_its_act(outbox: Outbox) -> None:
    outbox.ledger.append(draft())

    notice = outbox.tell()

    assert outbox.found(notice) == KeptNotice(notice, number=1)
    assert outbox.listed() == [notice]
    assert outbox.waiting() == [notice]


def test_an_entry_that_cannot_be_written_tells_nobody(outbox: Outbox) -> None:
    flawed: Draft = draft(facts={"note": "\ud800"})
    notice = Notice(uuid4(), flawed.institution, NoticeKind.BREAK_GLASS, uuid4(), flawed.act, flawed.at, b"a box")

    with pytest.raises(Malformed):
        outbox.ledger.append(flawed, notice)

    assert (outbox.listed(), outbox.ledger.size()) == ([], 0)


def test_a_notice_of_another_institution_is_kept_nowhere_and_neither_is_the_entry(outbox: Outbox) -> None:
    begun = draft()
    foreign = Notice(uuid4(), ELSEWHERE, NoticeKind.BREAK_GLASS, uuid4(), begun.act, begun.at, b"a box")

    with pytest.raises(Denied):
        outbox.ledger.append(begun, foreign)

    assert outbox.ledger.size() == 0


def test_each_institution_is_told_of_its_own(outbox: Outbox) -> None:
    here, elsewhere = outbox.tell(), outbox.tell(ELSEWHERE)

    assert outbox.listed() == outbox.waiting() == [here]
    assert outbox.notices.get(HERE, elsewhere.notice_id) is None


def test_the_newest_stand_first_and_no_more_than_wanted(outbox: Outbox) -> None:
    made = [outbox.tell(kind=kind) for kind in (*NoticeKind, *NoticeKind)]

    assert outbox.listed() == made[::-1]
    assert outbox.listed(limit=2) == made[:-3:-1]


def test_what_waits_is_taken_in_order_by_each_channel_for_itself(outbox: Outbox) -> None:
    made = [outbox.tell() for _ in range(3)]
    numbers = [outbox.found(one).number for one in made]

    assert outbox.waiting(limit=2) == made[:2]
    outbox.notices.sent(HERE, "mail", numbers[1], NOW)
    assert outbox.waiting() == made[2:]
    assert outbox.waiting("webhook") == made
    outbox.notices.sent(HERE, "mail", numbers[2], NOW + timedelta(hours=1))
    outbox.notices.sent(HERE, "webhook", numbers[2], NOW + timedelta(hours=2))
    assert outbox.waiting() == outbox.waiting("webhook") == []
    assert [outbox.found(one).sent_at for one in made] == [NOW, NOW, NOW + timedelta(hours=1)]
    assert outbox.waiting() == []
    later = outbox.tell()
    assert outbox.waiting() == [later]


def test_what_was_read_waits_no_longer_and_stands_among_what_was_read(outbox: Outbox) -> None:
    first, second = outbox.tell(), outbox.tell()

    outbox.acknowledge(first.notice_id)

    kept = outbox.found(first)
    assert (kept.acknowledged_at, kept.acknowledged_by) == (NOW, "an officer")
    assert outbox.waiting() == outbox.listed() == [second]
    assert outbox.listed(acknowledged=True) == [first]
    outbox.notices.sent(HERE, "mail", outbox.found(second).number, NOW)
    assert outbox.found(first).sent_at is None


def test_reading_is_recorded_once(outbox: Outbox) -> None:
    notice = outbox.tell()
    outbox.acknowledge(notice.notice_id)
    before = outbox.ledger.size()

    with pytest.raises(Conflict):
        outbox.acknowledge(notice.notice_id)

    assert (before, outbox.ledger.size()) == (2, 2)


@pytest.mark.parametrize("of", [HERE, ELSEWHERE])
def test_what_is_not_there_or_not_theirs_cannot_be_acknowledged(outbox: Outbox, of: str) -> None:
    outbox.tell()
    foreign = outbox.tell(ELSEWHERE)

    with pytest.raises(NotFound):
        outbox.acknowledge(foreign.notice_id if of == ELSEWHERE else uuid4())

    assert outbox.ledger.size() == 2


def test_an_act_of_one_institution_is_not_recorded_in_another(outbox: Outbox) -> None:
    notice = outbox.tell()

    with pytest.raises(Denied):
        outbox.notices.acknowledge(OFFICER, notice.notice_id, "an officer", NOW, draft(by=subject(of=ELSEWHERE)))

    assert outbox.listed() == [notice]
