import time

import pytest

from pacs_secure.core.errors import Malformed
from pacs_secure.core.query import MatchKey
from pacs_secure.dicom.matching import matches, significant_characters
from pacs_secure.dicom.query_keys import resolve

Attributes = dict[str, dict[str, object]]


def key(keyword: str, *values: str) -> MatchKey:
    attribute = resolve(keyword)
    return MatchKey(attribute.tag, attribute.keyword, attribute.vr, values)


def having(keyword: str, *values: object) -> Attributes:
    attribute = resolve(keyword)
    return {attribute.tag: {"vr": attribute.vr, "Value": list(values)}}


def found(stored: Attributes, keyword: str, *asked: str, fuzzy: bool = False) -> bool:
    return matches(stored, key(keyword, *asked), fuzzy=fuzzy)


@pytest.mark.parametrize("asked", [(), ("",), ("*",), ("**",)])
def test_no_value_matches_everything_even_what_is_absent(asked: tuple[str, ...]) -> None:
    assert found({}, "PatientName", *asked)
    assert found(having("PatientName", {"Alphabetic": "Doe"}), "PatientName", *asked)


@pytest.mark.parametrize("empty", [{}, {"00080050": {"vr": "SH"}}, {"00080050": {"vr": "SH", "Value": [None]}}])
def test_what_is_absent_or_empty_matches_no_value(empty: Attributes) -> None:
    assert not found(empty, "AccessionNumber", "1")
    assert not found(empty, "AccessionNumber", "?")
    assert not found(empty, "AccessionNumber", "?*")


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("Head", "Head", True),
        ("Head", "head", False),
        ("Head", "Hea", False),
        ("Head", "Head ", True),
        ("Head", "*ea*", True),
        ("Head", "H*d", True),
        ("Head", "H*x", False),
        ("Head", "H??d", True),
        ("Head", "H?d", False),
        ("Head", "????", True),
        ("Head", "?????", False),
        ("Head", "Head?", False),
        ("Head", "Head*", True),
        ("aab", "*ab", True),
        ("abcabc", "a*b*c*c", True),
        ("abc", "ab*bc", False),
        ("a.c", "a.c", True),
        ("abc", "a.*", False),
        ("a\nc", "a*c", True),
        ("[x](y)", "[x](*", True),
        ("x" * 20_000, "x*x", True),
    ],
)
def test_text_is_matched_with_wildcards_and_by_case(text: str, pattern: str, *, expected: bool) -> None:
    assert found(having("StudyDescription", text), "StudyDescription", pattern) is expected


def test_any_value_of_several_matches() -> None:
    stored = having("ModalitiesInStudy", "CT", "SR")

    assert found(stored, "ModalitiesInStudy", "SR")
    assert found(stored, "ModalitiesInStudy", "MR", "CT")
    assert not found(stored, "ModalitiesInStudy", "MR")


def test_a_backslash_within_an_attribute_of_one_value_is_part_of_it() -> None:
    stored = having("PatientID", "A", None, "B")

    assert found(stored, "PatientID", "A\\\\B")
    assert found(stored, "PatientID", "*B")
    assert not found(stored, "PatientID", "A")


def test_uids_match_one_of_a_list_and_never_by_wildcards() -> None:
    stored = having("StudyInstanceUID", "1.2.3")

    assert found(stored, "StudyInstanceUID", "9.9", "1.2.3\0")
    assert not found(stored, "StudyInstanceUID", "1.2")
    assert not found(stored, "StudyInstanceUID", "1.2.*")


@pytest.mark.parametrize(
    ("stored", "asked", "expected"),
    [(5, "5", True), (5, "05", True), (5, "5.0", True), (5, "6", False), ("n/a", "n/a ", True), ("n/a", "5", False)],
)
def test_numbers_match_as_numbers(stored: object, asked: str, *, expected: bool) -> None:
    assert found(having("SeriesNumber", stored), "SeriesNumber", asked) is expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("20200229", True),
        ("20200101-20201231", True),
        ("-20200229", True),
        ("20200229-", True),
        ("20200301-", False),
        ("-20200228", False),
    ],
)
def test_dates_match_ranges_with_both_ends(asked: str, *, expected: bool) -> None:
    assert found(having("StudyDate", "20200229"), "StudyDate", asked) is expected
    assert found(having("StudyDate", "2020.02.29"), "StudyDate", asked) is expected


@pytest.mark.parametrize("asked", ["-", "yesterday", "2020*", "20200101--", "1/1/2020"])
def test_what_is_no_date_is_refused(asked: str) -> None:
    with pytest.raises(Malformed):
        found(having("StudyDate", "20200229"), "StudyDate", asked)


def test_something_of_a_sequence_is_refused_and_a_sequence_itself_may_be_asked_for() -> None:
    assert found({}, "RequestAttributesSequence")
    with pytest.raises(Malformed):
        found({}, "RequestAttributesSequence", "x")


YAMADA = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
MUELLER = {"Alphabetic": "Müller-Lüdenscheid^Jörg^^Dr."}


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        (YAMADA, "Yamada^Tarou", True),
        (YAMADA, "YAMADA^TAROU^^", True),
        (YAMADA, "yamada*", True),
        (YAMADA, "Yamada", False),
        (YAMADA, "山田^太郎", True),
        (YAMADA, "山田*", True),
        (YAMADA, "やまだ*", True),
        (YAMADA, "=山田*", True),
        (YAMADA, "Yamada*=山田*=やまだ*", True),
        (YAMADA, "Tarou*=山田*", False),
        (YAMADA, "山田*=", False),
        (YAMADA, "^=山田*", True),
        (YAMADA, "Yamada*===", False),
        (MUELLER, "muller*", True),
        (MUELLER, "M?ller*", True),
        (MUELLER, "MU\u0308LLER-LUDENSCHEID^JORG^^DR.", True),
        (MUELLER, "Mueller*", False),
        (MUELLER, "*Jörg*", True),
        (MUELLER, "*org*", True),
        (MUELLER, "Müller\uff0a", False),
        ({"Alphabetic": "Weiß^Anna"}, "WEISS^ANNA", True),
        ({"Alphabetic": "Doe^^^^"}, "Doe", True),
        ({}, "Doe", False),
    ],
)
def test_names_match_by_group_whatever_their_case_and_accents(
    name: dict[str, str], asked: str, *, expected: bool
) -> None:
    assert found(having("PatientName", name), "PatientName", asked) is expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("lud", True),
        ("JÖRG muller", True),
        ("*jor*", True),
        ("uller", False),
        ("*org*", False),
        ("muller^anna", False),
        ("dr", True),
    ],
)
def test_fuzzy_names_match_when_each_word_begins_a_word(asked: str, *, expected: bool) -> None:
    assert found(having("PatientName", MUELLER), "PatientName", asked, fuzzy=True) is expected


def test_fuzzy_words_are_found_in_any_group() -> None:
    assert found(having("PatientName", YAMADA), "PatientName", "太 yama", fuzzy=True)


@pytest.mark.parametrize(
    ("asked", "characters"), [(("*",), 0), (("D?e^*",), 2), (("山田*",), 2), (("1.2", "3"), 3), ((), 0)]
)
def test_only_letters_and_digits_count(asked: tuple[str, ...], characters: int) -> None:
    assert significant_characters(key("PatientName", *asked)) == characters


@pytest.mark.parametrize(
    "asked", ["*a" * 500 + "b", "*" + "?a" * 500 + "b", "?" * 1_000 + "*" + "a?" * 10 + "b", "*a?" * 300]
)
def test_no_key_makes_a_search_slow(asked: str) -> None:
    stored = having("PatientComments", "a" * 10_240)
    start = time.monotonic()

    matches(stored, key("PatientComments", asked), fuzzy=False)
    matches(having("PatientName", {"Alphabetic": "a" * 10_240}), key("PatientName", asked), fuzzy=False)

    assert time.monotonic() - start < 1
