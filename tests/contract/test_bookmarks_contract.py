"""How far receivers have come: kept for each, durable, and never back; in memory and in SQL alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_secure.adapters.sql.bookmarks import SqlBookmarks
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.ports import Bookmarks
from tests.fakes_feeds import MemoryBookmarks
from tests.postgres_fixture import ENGINES, place_of


@pytest.fixture(params=[*ENGINES, "memory"])
def bookmarks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bookmarks]:
    if request.param == "memory":
        yield MemoryBookmarks()
        return
    database = Database(place_of(request, tmp_path))
    yield SqlBookmarks(database)
    database.close()


def test_whoever_has_had_nothing_begins_with_the_first_entry(bookmarks: Bookmarks) -> None:
    assert bookmarks.place("syslog:127.0.0.1:6514") == 0


def test_each_receiver_has_its_own_place_and_never_goes_back(bookmarks: Bookmarks) -> None:
    bookmarks.move("one", 7)
    bookmarks.move("other", 3)
    bookmarks.move("one", 5)

    assert (bookmarks.place("one"), bookmarks.place("other")) == (7, 3)
    bookmarks.move("one", 8)
    assert bookmarks.place("one") == 8


def test_a_place_that_cannot_be_is_corrected_also_back(bookmarks: Bookmarks) -> None:
    bookmarks.move("one", 7)
    for channel in ("one", "new"):
        bookmarks.correct(channel, 2)
        assert bookmarks.place(channel) == 2


def test_a_restart_forgets_no_place(tmp_path: Path) -> None:
    for expected in (0, 9):
        database = Database(tmp_path / "index.db")
        kept = SqlBookmarks(database)
        assert kept.place("one") == expected
        kept.move("one", 9)
        database.close()
