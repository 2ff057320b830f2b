"""Filling an empty index from outside: only an empty one, resumed, and each entry as it was; in SQL and in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.rebuilds import SqlRebuilds
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.core.errors import Conflict
from pacs_secure.core.rebuilding import RebuildState
from pacs_secure.crypto.tlog import NO_ENTRY, compose_entry, state
from pacs_secure.ports import Ledger, Rebuilds, Records
from tests.builders import HERE, NOW, draft, indexed_instance, permit, study_facts, subject
from tests.fakes import MemoryLedger, MemoryRecords
from tests.fakes_rebuilds import MemoryRebuilds
from tests.postgres_fixture import ENGINES, Settled, place_of

LATER = NOW + timedelta(hours=1)


@dataclass
class Lost:
    rebuilds: Rebuilds
    records: Records
    ledger: Ledger


@pytest.fixture(params=[*ENGINES, "memory"])
def lost(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lost]:
    if request.param == "memory":
        ledger = MemoryLedger()
        records = MemoryRecords(ledger)
        yield Lost(MemoryRebuilds(records), records, ledger)
        return
    database = Settled(place_of(request, tmp_path))
    yield Lost(SqlRebuilds(database), SqlRecords(database), SqlLedger(database))
    database.close()


STUDY = study_facts()


def entries(many: int, start: int = 0, prev: bytes = NO_ENTRY) -> list[LedgerEntry]:
    written = []
    for place in range(start, start + many):
        said = draft(Outcome.BEGUN if place % 2 == 0 else Outcome.COMPLETED, study=STUDY)
        written.append(compose_entry(state(replace(said, at=NOW + timedelta(seconds=place))), place, prev))
        prev = written[-1].leaf_hash
    return written


def test_an_empty_index_is_begun_once_and_gone_on_with(lost: Lost) -> None:
    assert lost.rebuilds.newest() is None
    assert lost.rebuilds.begin(NOW) == RebuildState(NOW)
    lost.records.add(permit(subject(of=HERE)), indexed_instance(), None)
    assert lost.rebuilds.begin(LATER) == RebuildState(NOW)
    lost.rebuilds.finish(LATER)
    assert lost.rebuilds.newest() == RebuildState(NOW, LATER)
    lost.rebuilds.finish(LATER + timedelta(hours=1))
    assert lost.rebuilds.newest() == RebuildState(NOW, LATER)


@pytest.mark.parametrize("what", ["picture", "entry"])
def test_what_is_not_empty_is_not_filled(lost: Lost, what: str) -> None:
    if what == "picture":
        lost.records.add(permit(subject(of=HERE)), indexed_instance(), None)
    else:
        lost.ledger.append(draft())
    with pytest.raises(Conflict):
        lost.rebuilds.begin(NOW)
    assert lost.rebuilds.newest() is None


def test_published_entries_come_back_as_they_were_and_are_found_as_before(lost: Lost) -> None:
    lost.rebuilds.begin(NOW)
    published = entries(7)
    lost.rebuilds.take_back(published[:4])
    lost.rebuilds.take_back(published[4:])

    assert list(lost.ledger.entries(0, 99)) == published
    assert list(lost.ledger.about(STUDY.alias)) == published
    assert [one.act for one in lost.records.open_acts(LATER)] != []
    lost.ledger.append(draft())
    (last,) = lost.ledger.entries(7, 8)
    assert last.prev_hash == published[-1].leaf_hash


def test_entries_that_do_not_follow_are_not_taken(lost: Lost) -> None:
    lost.rebuilds.begin(NOW)
    published = entries(5)
    lost.rebuilds.take_back(published[:2])
    for wrong in (published[3:], published[1:2], entries(1, 2, bytes(32))):
        with pytest.raises(Conflict):
            lost.rebuilds.take_back(wrong)
    assert lost.ledger.size() == 2


def test_nothing_is_taken_back_unless_a_rebuild_is_under_way(lost: Lost) -> None:
    for _ in range(2):
        with pytest.raises(Conflict):
            lost.rebuilds.take_back(entries(1))
        with pytest.raises(Conflict):
            lost.rebuilds.take_back_expired({}, {})
        lost.rebuilds.begin(NOW)
        lost.rebuilds.finish(NOW)


def test_what_stands_for_expired_entries_comes_back_once(lost: Lost) -> None:
    lost.rebuilds.begin(NOW)
    leaves = [bytes([place]) * 32 for place in range(256)]
    for _ in range(2):
        lost.rebuilds.take_back_expired({256: (0, b"note")}, {0: b"".join(leaves)})
    rest = entries(2, 256, leaves[-1])
    lost.rebuilds.take_back(rest)

    assert list(lost.ledger.leaf_hashes(0, 258)) == leaves + [entry.leaf_hash for entry in rest]
    assert list(lost.ledger.entries(0, 999)) == rest
