"""What every leader keeps: one process leads, another stands by, and follows within a second."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from pacs_secure.adapters.file_leader import FileLeader
from pacs_secure.adapters.sql.sequencer import Sequencer
from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import Leader
from tests.postgres_fixture import ENGINES, Settled, place_of


def eventually(true: Callable[[], bool], seconds: float = 5) -> bool:
    patience = monotonic() + seconds
    while not true() and monotonic() < patience:
        sleep(0.005)
    return true()


def silent(kind: str, facts: object) -> None:
    raise AssertionError(kind)


@pytest.fixture(params=ENGINES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Leader, Leader]]:
    """Return the leaders of two archives on one database."""
    database = Settled(place_of(request, tmp_path))
    leaders = database.leader(), database.leader()
    yield leaders
    for one in leaders:
        one.stop()
    database.close()


def test_nobody_leads_before_being_asked_to(pair: tuple[Leader, Leader]) -> None:
    assert [one.leads() for one in pair] == [False, False]


def test_the_first_leads_and_the_second_stands_by(pair: tuple[Leader, Leader]) -> None:
    first, second = pair
    first.start(silent)
    assert eventually(first.leads)
    second.start(silent)

    sleep(0.5)
    assert (first.leads(), second.leads()) == (True, False)


def test_when_the_first_ends_the_second_leads_within_a_second(pair: tuple[Leader, Leader]) -> None:
    first, second = pair
    first.start(silent)
    assert eventually(first.leads)
    second.start(silent)
    first.stop()
    first.stop()

    assert eventually(second.leads, 1)
    assert not first.leads()


def test_each_engine_has_the_leader_that_suits_it(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    kinds = {"sqlite": FileLeader, "postgres": Sequencer}
    for engine, kind in kinds.items():
        database = Settled(place_of(request, tmp_path, engine))
        assert isinstance(database.leader(), kind)
        database.close()


def test_a_file_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    for file in (tmp_path / "missing" / "leader", tmp_path):
        with pytest.raises(Unavailable):
            FileLeader(file).start(silent)
