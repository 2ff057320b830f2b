"""One search result: the levels joined, the counts, and only what was asked for."""

from dataclasses import replace

import orjson
import pytest

from pacs_secure.archive.answers import compose, merge
from pacs_secure.archive.indexing import OpenedHit
from pacs_secure.core.access import StoredFacts
from pacs_secure.core.identifiers import uid
from pacs_secure.core.instance import SealedHit
from pacs_secure.core.query import Level, Query
from tests.builders import study_facts

HIT = SealedHit(
    uid("1"), uid("1.1"), uid("1.1.1"), b"", b"", b"", ("CT", "SR"), 2, 5, 3, StoredFacts(study_facts(), b"")
)
STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"


def text(tag: str, value: str) -> bytes:
    return orjson.dumps({tag: {"vr": "LO", "Value": [value]}})


OPENED = OpenedHit(
    text(STUDY, "1"), orjson.dumps({SERIES: {}, "00080060": {}}), orjson.dumps({INSTANCE: {}, "00081111": {}})
)


def composed(query: Query, opened: OpenedHit = OPENED, hit: SealedHit = HIT) -> dict[str, object]:
    told: dict[str, object] = orjson.loads(compose(merge(hit, opened), query))
    return told


def test_the_counts_are_those_of_the_index() -> None:
    told = composed(Query(Level.INSTANCE))

    assert told["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert told["00201206"] == {"vr": "IS", "Value": [2]}
    assert told["00201208"] == {"vr": "IS", "Value": [5]}
    assert told["00201209"] == {"vr": "IS", "Value": [3]}
    assert told["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}


def test_a_study_has_no_count_of_one_series() -> None:
    hit = replace(HIT, series_box=None, instance_box=None, instances_in_series=None)

    assert "00201209" not in composed(Query(Level.STUDY, include_all=True), OpenedHit(OPENED.study, None, None), hit)


@pytest.mark.parametrize(
    ("query", "returned"),
    [
        (Query(Level.STUDY), {STUDY}),
        (Query(Level.PATIENT), {STUDY}),
        (Query(Level.SERIES), {STUDY, SERIES, "00080060"}),
        (Query(Level.SERIES, study_instance_uid=uid("1")), {STUDY, SERIES, "00080060"}),
        (Query(Level.INSTANCE), {STUDY, SERIES, INSTANCE, "00080060"}),
        (Query(Level.INSTANCE, study_instance_uid=uid("1")), {STUDY, SERIES, INSTANCE, "00080060"}),
        (
            Query(Level.INSTANCE, study_instance_uid=uid("1"), series_instance_uid=uid("1.1")),
            {STUDY, SERIES, INSTANCE},
        ),
        (Query(Level.STUDY, include=frozenset({"00081111"})), {STUDY, "00081111"}),
        (Query(Level.STUDY, include_all=True), {STUDY, SERIES, INSTANCE, "00080060", "00081111"}),
    ],
)
def test_only_what_was_asked_for_is_returned(query: Query, returned: set[str]) -> None:
    counted = {"00080056", "00080061", "00201206", "00201208", "00201209"}

    assert composed(query).keys() - counted == returned


def test_attributes_stand_in_ascending_order() -> None:
    told = list(composed(Query(Level.STUDY, include_all=True)))

    assert told == sorted(told)


def test_a_study_below_which_is_searched_is_not_described_again() -> None:
    opened = OpenedHit(text("00100010", "Doe"), b"{}", None)

    assert "00100010" in composed(Query(Level.SERIES), opened)
    assert "00100010" not in composed(Query(Level.SERIES, study_instance_uid=uid("1")), opened)
