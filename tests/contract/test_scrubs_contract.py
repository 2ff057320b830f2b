"""How far the scrub has come: remembered, and never back; in memory and in SQL alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.scrubs import SqlScrubs
from pacs_secure.core.scrubs import ScrubRound
from pacs_secure.ports import Scrubs
from tests.builders import NOW
from tests.fakes_scrubs import MemoryScrubs
from tests.postgres_fixture import ENGINES, place_of

FIRST = ScrubRound(1, NOW, NOW)
HALF = replace(FIRST, looked_at=NOW + timedelta(days=1), place=7, objects=6, octets=5 << 40, wanting=1)


@pytest.fixture(params=[*ENGINES, "memory"])
def scrubs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scrubs]:
    if request.param == "memory":
        yield MemoryScrubs()
        return
    database = Database(place_of(request, tmp_path))
    yield SqlScrubs(database)
    database.close()


def test_before_the_first_round_there_is_none(scrubs: Scrubs) -> None:
    assert (scrubs.newest(), scrubs.finished()) == (None, None)


def test_a_round_is_remembered_as_far_as_it_came_and_never_back(scrubs: Scrubs) -> None:
    scrubs.keep(FIRST)
    scrubs.keep(HALF)
    scrubs.keep(replace(FIRST, place=3))

    assert (scrubs.newest(), scrubs.finished()) == (HALF, None)


def test_the_last_that_ended_is_told_while_the_next_is_under_way(scrubs: Scrubs) -> None:
    ended = replace(HALF, finished_at=NOW + timedelta(days=2))
    under_way = ScrubRound(2, NOW + timedelta(days=9), NOW + timedelta(days=9))
    for one in (HALF, ended, under_way):
        scrubs.keep(one)

    assert (scrubs.newest(), scrubs.finished()) == (under_way, ended)
