"""What everything that removes from a ledger keeps, held against the ones in SQL and the one in memory alike."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.notices import SqlNotices
from pacs_secure.adapters.sql.retention import SqlRetention
from pacs_secure.core.access import StudyFacts
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import Conflict
from pacs_secure.core.notices import Notice, NoticeKind
from pacs_secure.core.seeking import Sought
from pacs_secure.crypto.tlog import WIDTH
from pacs_secure.ports import Ledger, Notices, Retention
from tests.builders import HERE, draft, permit, study_facts
from tests.fakes import MemoryLedger, MemoryRetention
from tests.fakes_emergencies import MemoryNotices
from tests.postgres_fixture import ENGINES, Settled, place_of

STUDY = study_facts("1.2.1")


@dataclass
class Kept:
    ledger: Ledger
    retention: Retention
    notices: Notices

    def write(self, count: int, study: StudyFacts | None = None) -> list[Draft]:
        written = [draft(study=study) for _ in range(count)]
        for one in written[:-1]:
            self.ledger.follow(one)
        self.ledger.append(written[-1])
        return written

    def notice(self) -> None:
        begun = draft()
        told = Notice(uuid4(), HERE, NoticeKind.PROTECTED_ACCESS, begun.act, begun.act, begun.at, b"box")
        self.ledger.append(begun, told)

    def certify(self, horizon: int, note: bytes = b"certificate", start: int = 0) -> None:
        self.retention.certify(permit(), start, horizon, note, draft())

    def expire(self, horizon: int) -> int:
        removed = 0
        while gone := self.retention.expire(permit(), horizon):
            removed += gone
        return removed


@pytest.fixture(params=[*ENGINES, "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Kept(ledger, MemoryRetention(ledger), MemoryNotices(ledger))
    else:
        database = Settled(place_of(request, tmp_path))
        yield Kept(SqlLedger(database), SqlRetention(database), SqlNotices(database))
        database.close()


def test_nothing_has_gone_from_a_new_ledger(kept: Kept) -> None:
    assert (kept.retention.first(), kept.retention.oldest_open(), list(kept.retention.certificates())) == (0, None, [])
    assert kept.expire(0) == 0


def test_a_certificate_is_kept_and_recorded_once(kept: Kept) -> None:
    for _ in range(2):
        kept.certify(256)

    assert (list(kept.retention.certificates()), kept.ledger.size()) == ([b"certificate"], 1)
    with pytest.raises(Conflict):
        kept.certify(256, b"another")
    assert (list(kept.retention.certificates()), kept.ledger.size()) == ([b"certificate"], 1)


def test_certificates_come_oldest_first_and_each_begins_where_the_one_before_ended(kept: Kept) -> None:
    for start, horizon in ((0, 256), (256, 512), (512, 1024)):
        kept.certify(horizon, b"%d" % horizon, start)
    for start, horizon in ((0, 2048), (512, 2048), (1025, 2048), (256, 512)):
        with pytest.raises(Conflict):
            kept.certify(horizon, b"late", start)

    assert list(kept.retention.certificates()) == [b"256", b"512", b"1024"]


def test_without_a_certificate_nothing_goes(kept: Kept) -> None:
    kept.write(300)
    with pytest.raises(Conflict):
        kept.expire(256)
    kept.certify(256)
    with pytest.raises(Conflict):
        kept.expire(512)

    assert kept.retention.first() == 0
    assert sum(1 for _ in kept.ledger.entries(0, 999)) == 301


def test_below_the_horizon_entries_go_and_leaf_hashes_stay(kept: Kept) -> None:
    kept.write(2 * WIDTH + 5)
    before = [entry.leaf_hash for entry in kept.ledger.entries(0, 999)]
    entries = list(kept.ledger.entries(2 * WIDTH, 999))
    kept.certify(2 * WIDTH)

    assert kept.expire(2 * WIDTH) == 2 * WIDTH
    assert kept.expire(2 * WIDTH) == 0

    size = kept.ledger.size()
    assert (size, kept.retention.first()) == (2 * WIDTH + 6, 2 * WIDTH)
    assert list(kept.ledger.leaf_hashes(0, size))[:-1] == before
    assert list(kept.ledger.leaf_hashes(250, 520)) == list(kept.ledger.leaf_hashes(0, size))[250:520]
    assert list(kept.ledger.leaf_hashes(3, 3)) == []
    assert list(kept.ledger.entries(0, size))[:-1] == entries
    kept.ledger.append(draft())
    assert kept.ledger.size() == size + 1


def test_bundles_go_one_at_a_time_and_only_whole_ones(kept: Kept) -> None:
    kept.write(3 * WIDTH)
    kept.certify(2 * WIDTH + 10)

    assert [kept.retention.expire(permit(), 2 * WIDTH + 10) for _ in range(3)] == [WIDTH, WIDTH, 0]
    assert kept.retention.first() == 2 * WIDTH


def test_leaf_hashes_end_where_the_first_one_is_missing(kept: Kept) -> None:
    kept.write(5)

    assert len(list(kept.ledger.leaf_hashes(2, 999))) == 3
    assert list(kept.ledger.leaf_hashes(7, 999)) == []


def test_expired_entries_are_found_by_nothing_any_more(kept: Kept) -> None:
    kept.write(WIDTH - 1, STUDY)
    kept.write(3, STUDY)
    kept.certify(WIDTH)
    kept.expire(WIDTH)

    assert [entry.index for entry in kept.ledger.about(STUDY.alias)] == [WIDTH, WIDTH + 1]
    for sought in (Sought(HERE), Sought(HERE, patients=frozenset({STUDY.patient_alias}))):
        assert min(entry.index for entry in kept.ledger.find(sought)) == WIDTH


def test_notices_of_expired_entries_go_with_them(kept: Kept) -> None:
    for _ in range(2):
        kept.notice()
        kept.write(WIDTH - 1)
    kept.certify(WIDTH)
    kept.expire(WIDTH)

    assert [one.number for one in kept.notices.listed(HERE, 9, acknowledged=False)] == [WIDTH]


def test_the_oldest_act_that_is_under_way_is_known(kept: Kept) -> None:
    kept.write(3)
    first = draft(Outcome.BEGUN)
    for begun in (first, draft(Outcome.BEGUN)):
        kept.ledger.append(begun)

    assert kept.retention.oldest_open() == 3
    kept.ledger.append(draft(act=first.act))
    assert kept.retention.oldest_open() == 4


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger WHERE entry_index = 256",
        "DELETE FROM retention_certificates",
        "UPDATE retention_certificates SET horizon = 9999",
        "DELETE FROM retained_tiles",
        "UPDATE retained_tiles SET number = 7",
        "UPDATE ledger SET content = ''",
    ],
)
def test_sqlite_lets_nothing_else_go(tmp_path: Path, statement: str) -> None:
    database = Database(tmp_path / "index.db")
    kept = Kept(SqlLedger(database), SqlRetention(database), SqlNotices(database))
    kept.write(300)
    kept.certify(256)
    kept.expire(256)
    database.close()

    with (
        closing(sqlite3.connect(tmp_path / "index.db")) as shell,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        shell.execute(statement)


def test_sqlite_lets_an_entry_go_only_once_its_leaf_hash_is_kept(tmp_path: Path) -> None:
    database = Database(tmp_path / "index.db")
    kept = Kept(SqlLedger(database), SqlRetention(database), SqlNotices(database))
    kept.write(300)
    kept.certify(256)
    database.close()

    with closing(sqlite3.connect(tmp_path / "index.db")) as shell:
        for hashes in (None, bytes(256 * 32)):
            if hashes is not None:
                shell.execute("INSERT INTO retained_tiles VALUES (0, ?)", (hashes,))
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                shell.execute("DELETE FROM ledger WHERE entry_index = 0")
