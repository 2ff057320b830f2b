"""Two archives on one PostgreSQL: what one is sent the other shows, one of them signs, and either may go."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

import pytest

from pacs_secure.adapters.sql import Database
from pacs_secure.archive.notary import Notary
from pacs_secure.core.access import Action, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import NotFound
from pacs_secure.core.query import Level, Query
from pacs_secure.crypto.tlog import parse_checkpoint, parse_entry, read_draft, root
from tests.builders import NOW, subject
from tests.fakes_keys import FakeKeyring
from tests.unit.archive.instances import TECHNOLOGIST, data_set, received, study_uid
from tests.world import ORIGIN, DiskWorld, disk_world

pytestmark = pytest.mark.real

READER = subject(Role.RADIOLOGIST)


def eventually(true: Callable[[], bool], seconds: float = 10) -> bool:
    patience = monotonic() + seconds
    while not true() and monotonic() < patience:
        sleep(0.01)
    return true()


def silent(kind: str, facts: object) -> None:
    raise AssertionError((kind, facts))


class Archive:
    """One of them, with its leader and its notary."""

    def __init__(self, world: DiskWorld, keyring: FakeKeyring) -> None:
        engines = world.house.engines
        self.world, self.leader = world, engines.leader
        self.notary = Notary(engines.ledger, engines.publisher, keyring, ORIGIN, self.leader)

    def start(self) -> None:
        self.leader.start(silent)
        self.notary.start()

    def stop(self) -> None:
        self.notary.stop()
        self.leader.stop()
        self.world.database.close()

    def store(self, *studies: int) -> None:
        with self.world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
            for study in studies:
                reception.store(received(data_set(study)))

    def found(self) -> int:
        return len(self.world.archive.search.find(READER, None, Query(Level.STUDY), details={}).results)

    def read(self, study: int) -> None:
        with self.world.archive.retrieve.begin(READER, None, study_uid(study), details={}) as retrieval:
            assert [list(retrieval.data_set(row)) for row in retrieval.rows] == [[data_set(study)]]
            retrieval.complete()


@pytest.fixture
def archives(postgres_url: str, tmp_path: Path) -> Iterator[list[Archive]]:
    keyring = FakeKeyring()
    with ExitStack() as stack:
        opened = []
        for _ in range(2):
            database = Database(postgres_url)
            world = stack.enter_context(disk_world(tmp_path, keyring, keyring, keyring, database=database))
            opened.append(Archive(world, keyring))
        for one in opened:
            one.start()
            stack.callback(one.stop)
        yield opened


def test_what_one_is_sent_the_other_finds_and_opens(archives: list[Archive]) -> None:
    first, second = archives
    first.store(1, 2)
    second.store(2, 3)

    assert (first.found(), second.found()) == (3, 3)
    second.read(1)
    first.read(3)
    with pytest.raises(NotFound):
        first.read(4)


def test_one_of_them_signs_and_when_it_goes_the_other_does(archives: list[Archive]) -> None:
    first, second = archives
    assert eventually(lambda: first.leader.leads() != second.leader.leads())
    leading, standing_by = (first, second) if first.leader.leads() else (second, first)
    standing_by.store(1)
    ledger = standing_by.world.house.engines.ledger
    assert eventually(lambda: len(list(ledger.checkpoints())) > 0)

    leading.stop()
    began = monotonic()
    assert eventually(standing_by.leader.leads)
    assert monotonic() - began < 5
    standing_by.store(2)
    standing_by.world.database.settle()
    size = ledger.size()
    assert eventually(lambda: parse_checkpoint(list(ledger.checkpoints())[-1]).size >= size)
    newest = parse_checkpoint(list(ledger.checkpoints())[-1])
    assert newest.root == root(entry.leaf_hash for entry in ledger.entries(0, newest.size))


def test_both_write_one_ledger_each_under_its_own_name(archives: list[Archive]) -> None:
    for number, one in enumerate(archives * 3):
        one.store(number)
    archives[0].world.database.settle()
    ledger = archives[0].world.house.engines.ledger
    parsed = [parse_entry(entry.content) for entry in ledger.entries(0, ledger.size())]

    assert [one.index for one in parsed] == list(range(len(parsed)))
    by = [one.statement.authorship for one in parsed]
    assert len({one.writer for one in by if one is not None}) == 2
    assert eventually(lambda: len(list(ledger.checkpoints())) > 0)
    verdict = archives[0].world.archive.verify.check_ledger(subject(Role.DPO))
    assert (verdict.findings, verdict.checked >= len(parsed)) == ((), True)


def test_an_archive_that_starts_leaves_alone_what_the_other_has_under_way(archives: list[Archive]) -> None:
    first, second = archives
    with first.world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
        reception.store(received(data_set(1)))
        assert second.world.archive.recovery.close_open_acts(NOW.replace(year=2100)) == 0
    second.world.database.settle()

    ledger = second.world.house.engines.ledger
    drafts = [read_draft(entry.content) for entry in ledger.entries(0, ledger.size())]
    ends = [one.outcome for one in drafts if one.action is Action.STUDY_CREATE]
    assert ends == [Outcome.BEGUN, Outcome.COMPLETED]
