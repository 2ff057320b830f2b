"""What every memory of used tokens keeps, held against the one in SQL and the one in memory alike."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure.adapters.sql.used_tokens import SqlUsedTokens
from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import UsedTokens
from tests.builders import NOW, digest
from tests.fakes import MemoryUsedTokens
from tests.postgres_fixture import ENGINES, Settled, place_of

MINUTE = timedelta(minutes=1)
Make = Callable[[int], UsedTokens]


@pytest.fixture(params=[*ENGINES, "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    if request.param == "memory":
        yield MemoryUsedTokens
        return
    database = Settled(place_of(request, tmp_path))
    yield lambda most: SqlUsedTokens(database, most)
    database.close()


def test_a_token_counts_once_until_it_has_ended(make: Make) -> None:
    used = make(9)

    assert used.use(digest("one"), NOW + MINUTE, NOW)
    assert used.use(digest("other"), NOW + MINUTE, NOW)
    assert not used.use(digest("one"), NOW + MINUTE, NOW)
    assert not used.use(digest("one"), NOW + MINUTE, NOW + MINUTE)
    assert used.use(digest("one"), NOW + 9 * MINUTE, NOW + 2 * MINUTE)


def test_more_than_can_be_remembered_are_not_believed(make: Make) -> None:
    used = make(2)
    assert used.use(digest(1), NOW + MINUTE, NOW)
    assert used.use(digest(2), NOW + MINUTE, NOW)

    with pytest.raises(Unavailable):
        used.use(digest(3), NOW + MINUTE, NOW)
    assert not used.use(digest(1), NOW + MINUTE, NOW)
    assert used.use(digest(3), NOW + 9 * MINUTE, NOW + 2 * MINUTE)


def test_of_many_who_bring_one_token_at_once_one_is_believed(make: Make) -> None:
    used = make(9)

    with ThreadPoolExecutor(8) as threads:
        believed = list(threads.map(lambda _: used.use(digest("one"), NOW + MINUTE, NOW), range(8)))
    assert sum(believed) == 1


def test_neither_a_restart_nor_a_second_process_forgets(place: str | Path) -> None:
    first, second = (Settled(place) for _ in range(2))

    assert SqlUsedTokens(first).use(digest("one"), NOW + MINUTE, NOW)
    assert not SqlUsedTokens(second).use(digest("one"), NOW + MINUTE, NOW)
    for database in (first, second):
        database.close()
    third = Settled(place)
    assert not SqlUsedTokens(third).use(digest("one"), NOW + MINUTE, NOW)
    third.close()
