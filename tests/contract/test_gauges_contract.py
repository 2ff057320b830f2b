"""What every keeper of numbers promises."""

from collections.abc import Callable
from math import isnan

import pytest

from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.ports import Gauges
from pacs_secure.web.metrics import PREFIX, PrometheusGauges
from tests.fakes_metrics import MemoryGauges

Look = Callable[[], dict[str, float]]


def in_memory() -> tuple[Gauges, Look]:
    gauges = MemoryGauges()
    return gauges, gauges.now


def as_prometheus_reads_it() -> tuple[Gauges, Look]:
    gauges = PrometheusGauges()

    def look() -> dict[str, float]:
        lines = [line.split(" ") for line in gauges.text().decode().splitlines() if not line.startswith("#")]
        return {name.removeprefix(PREFIX): float(value) for name, value in lines}

    return gauges, look


@pytest.fixture(params=[in_memory, as_prometheus_reads_it])
def both(request: pytest.FixtureRequest) -> tuple[Gauges, Look]:
    made: tuple[Gauges, Look] = request.param()
    return made


def test_the_newest_value_is_shown(both: tuple[Gauges, Look]) -> None:
    gauges, look = both

    gauges.set("free_bytes", 3)
    gauges.set("free_bytes", 4.5)
    gauges.set("ready", 1)

    assert look() == {"free_bytes": 4.5, "ready": 1.0}


def test_what_is_watched_is_read_anew_at_every_look(both: tuple[Gauges, Look]) -> None:
    gauges, look = both
    sizes = iter([7.0, 8.0])

    gauges.watch("ledger_entries", lambda: next(sizes))

    assert [look(), look()] == [{"ledger_entries": 7.0}, {"ledger_entries": 8.0}]


def test_what_cannot_be_told_is_no_number_and_hides_nothing_else(both: tuple[Gauges, Look]) -> None:
    gauges, look = both

    def away() -> float:
        raise Unavailable("the ledger is out of reach")

    gauges.watch("ledger_entries", away)
    gauges.set("ready", 0)

    shown = look()
    assert isnan(shown["ledger_entries"])
    assert shown["ready"] == 0.0


@pytest.mark.parametrize("name", ["", "Free", "free bytes", "patient_4711", "free_", 'ready{of="x"}'])
def test_a_name_holds_words_and_nothing_else(both: tuple[Gauges, Look], name: str) -> None:
    gauges, look = both

    with pytest.raises(Malformed):
        gauges.set(name, 1)
    assert look() == {}
