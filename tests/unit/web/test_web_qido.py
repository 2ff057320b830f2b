"""QIDO-RS: what a URL asks, and whatever else it may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Malformed
from pacs_secure.core.query import Level, MatchKey
from pacs_secure.web.qido import query

OHIF = "limit=101&offset=0&fuzzymatching=true&includefield=00081030,00080060,00080090,00100030"


def test_the_first_question_of_ohif_is_understood() -> None:
    asked = query(Level.STUDY, OHIF.encode())

    assert (asked.limit, asked.offset, asked.fuzzy, asked.keys) == (101, 0, True, ())
    assert asked.include == {"00081030", "00080060", "00080090", "00100030"}


def test_a_key_is_named_by_keyword_or_tag_and_is_also_returned() -> None:
    for name in ("PatientID", "00100020"):
        asked = query(Level.STUDY, f"{name}=A%201".encode())
        assert asked.keys == (MatchKey("00100020", "PatientID", "LO", ("A 1",)),)
        assert "00100020" in asked.include


def test_an_empty_value_only_asks_for_the_attribute() -> None:
    asked = query(Level.STUDY, b"AccessionNumber=")

    assert asked.keys == ()
    assert asked.include == {"00080050"}


@pytest.mark.parametrize("separator", [",", "%5C", "%2C"])
def test_uids_may_be_a_list(separator: str) -> None:
    assert query(Level.STUDY, f"StudyInstanceUID=1.2{separator}1.3".encode()).keys[0].values == ("1.2", "1.3")


def test_a_comma_in_another_value_is_part_of_it() -> None:
    assert query(Level.STUDY, b"StudyDescription=a,b").keys[0].values == ("a,b",)


def test_fields_to_include_may_be_repeated_and_all() -> None:
    asked = query(Level.STUDY, b"includefield=StudyDescription&includefield=00100030,all")

    assert asked.include_all
    assert asked.include == {"00081030", "00100030"}


@pytest.mark.parametrize("limit", [1, 501, 10_000, 1_000_000_000])
def test_any_limit_may_be_asked_for_and_the_archive_caps_it(limit: int) -> None:
    assert query(Level.STUDY, f"limit={limit}".encode()).limit == limit


@pytest.mark.parametrize(
    "question",
    [
        "Unknown=1",
        "0010=1",
        "ZZZZZZZZ=1",
        "includefield=Unknown",
        "includefield=",
        "PatientID=1&PatientID=2",
        "PatientID=1&00100020=1",
        "limit=1&limit=2",
        "limit=0",
        "limit=1000000001",
        "limit=00000000001",
        "limit=-1",
        "limit=x",
        "limit=%D9%A1",
        "offset=-1",
        "offset=99999999999999999999",
        "fuzzymatching=yes",
        "PatientID",
        "PatientID=%FF",
        "PatientID=%0A",
        f"PatientID={'1' * 1025}",
        "&".join(f"{number:08}=1" for number in range(101)),
    ],
)
def test_what_cannot_be_asked_is_malformed(question: str) -> None:
    with pytest.raises(Malformed):
        query(Level.STUDY, question.encode())


@given(st.binary(max_size=100))
def test_whatever_is_asked_is_a_query_or_refused(question: bytes) -> None:
    try:
        assert 1 <= query(Level.STUDY, question).limit <= 1_000_000_000
    except Malformed:
        return
