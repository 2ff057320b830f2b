"""How far a rewrapping has come: kept with its record, and never of another one; in SQL and in memory alike."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from pacs_secure.adapters.sql import Database, SqlLedger
from pacs_secure.adapters.sql.rewraps import SqlRewraps
from pacs_secure.core.errors import Conflict, Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import Ledger, RewrapRow, Rewraps, Shelf
from tests.builders import ELSEWHERE, HERE, NOW, draft, permit
from tests.fakes import MemoryLedger
from tests.fakes_keys import MemoryRewraps
from tests.postgres_fixture import ENGINES, Settled, place_of
from tests.security.test_sql_hostile_database import tamper

ROWS = [RewrapRow(HERE, shelf, 2, NOW) for shelf in sorted(Shelf)]


@dataclass
class Kept:
    rewraps: Rewraps
    ledger: Ledger


@pytest.fixture(params=[*ENGINES, "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Kept(MemoryRewraps(ledger), ledger)
        return
    database = Settled(place_of(request, tmp_path))
    yield Kept(SqlRewraps(database), SqlLedger(database))
    database.close()


def test_before_anything_began_there_are_no_rows(kept: Kept) -> None:
    assert list(kept.rewraps.of(HERE)) == []


def test_a_beginning_and_its_record_come_together(kept: Kept) -> None:
    kept.rewraps.begin(permit(), ROWS, draft())

    assert list(kept.rewraps.of(HERE)) == ROWS
    assert kept.ledger.size() == 1


def test_a_new_beginning_takes_the_place_of_the_one_before_and_of_nobody_elses(kept: Kept) -> None:
    others = [replace(row, institution=ELSEWHERE) for row in ROWS]
    newer = [replace(row, version=3) for row in ROWS]
    for rows in (ROWS, others, newer):
        kept.rewraps.begin(permit(), rows, draft())

    assert list(kept.rewraps.of(HERE)) == newer
    assert list(kept.rewraps.of(ELSEWHERE)) == others


def test_how_far_one_shelf_has_come_is_kept(kept: Kept) -> None:
    kept.rewraps.begin(permit(), ROWS, draft())
    further = replace(ROWS[1], last=KeyId(UUID(int=7)), done=100, failed=1)
    kept.rewraps.advance(permit(), further)
    assert list(kept.rewraps.of(HERE)) == [ROWS[0], further, *ROWS[2:]]

    ended = replace(further, finished=NOW)
    kept.rewraps.advance(permit(), ended)
    assert list(kept.rewraps.of(HERE)) == [ROWS[0], ended, *ROWS[2:]]


@pytest.mark.parametrize("other", ["version", "begun", "institution"])
def test_whoever_works_on_an_older_rewrapping_hears_so(kept: Kept, other: str) -> None:
    kept.rewraps.begin(permit(), ROWS, draft())
    changed = {
        "version": replace(ROWS[0], version=1),
        "begun": replace(ROWS[0], begun=NOW.replace(year=2001)),
        "institution": replace(ROWS[0], institution=ELSEWHERE),
    }[other]

    with pytest.raises(Conflict):
        kept.rewraps.advance(permit(), changed)
    assert list(kept.rewraps.of(HERE)) == ROWS


def test_rows_that_nobody_wrote_are_noticed(tmp_path: Path) -> None:
    database = Database(tmp_path / "index.db")
    rewraps = SqlRewraps(database)
    rewraps.begin(permit(), ROWS, draft())
    tamper(tmp_path / "index.db", "UPDATE rewraps SET shelf = 'none' WHERE shelf = 'study'")

    with pytest.raises(Tampered):
        rewraps.of(HERE)
    database.close()
