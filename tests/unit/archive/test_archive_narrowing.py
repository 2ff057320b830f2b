"""What SQL can decide of a query, and what it must leave to the opened candidates."""

import pytest

from pacs_secure.archive.narrowing import decided, decides_alone, narrow
from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import uid
from pacs_secure.core.query import Level, MatchKey, Narrowing, Query
from pacs_secure.crypto.index_seal import IndexSeal
from pacs_secure.dicom.query_keys import resolve

SEAL = IndexSeal(b"k" * 32)
NOTHING = Narrowing(Level.STUDY)


def key(keyword: str, *values: str) -> MatchKey:
    attribute = resolve(keyword)
    return MatchKey(attribute.tag, attribute.keyword, attribute.vr, values)


def narrowed(*keys: MatchKey, fuzzy: bool = False) -> Narrowing:
    return narrow(SEAL, Query(Level.STUDY, keys, fuzzy=fuzzy), None)


def test_no_key_narrows_nothing_and_sql_decides() -> None:
    assert narrowed() == NOTHING
    assert decides_alone(Query(Level.STUDY))


@pytest.mark.parametrize(
    ("asked", "column", "value"),
    [
        (key("StudyInstanceUID", "1.2", "1.3"), "study_instance_uids", ("1.2", "1.3")),
        (key("SeriesInstanceUID", "1.2\0"), "series_instance_uids", ("1.2",)),
        (key("SOPInstanceUID", "1.2"), "sop_instance_uids", ("1.2",)),
        (key("SOPClassUID", "1.2"), "sop_class_uids", ("1.2",)),
        (key("Modality", "CT ", "MR"), "modalities", ("CT", "MR")),
        (key("ModalitiesInStudy", "US"), "modalities_in_study", ("US",)),
        (key("StudyDate", "20260301"), "study_date_from", "20260301"),
        (key("StudyDate", "-20260301"), "study_date_to", "20260301"),
    ],
)
def test_sql_decides_uids_codes_and_dates(asked: MatchKey, column: str, value: object) -> None:
    assert decided(asked)
    assert getattr(narrowed(asked), column) == value


@pytest.mark.parametrize(
    ("asked", "column", "value"),
    [
        (key("PatientID", "A 1 "), "patient_id_token", SEAL.token("PatientID", "A 1")),
        (key("AccessionNumber", "7"), "accession_number_token", SEAL.token("AccessionNumber", "7")),
        (key("PatientBirthDate", "19700101"), "birth_date_token", SEAL.token("PatientBirthDate", "19700101")),
        (key("PatientBirthDate", "1970.01.01"), "birth_date_token", SEAL.token("PatientBirthDate", "19700101")),
        (key("PatientBirthDate", "19700101-19700102"), "birth_date_token", None),
        (key("SeriesNumber", "07"), "series_number", 7),
        (key("InstanceNumber", "-3"), "instance_number", -3),
        (key("SeriesNumber", "99999999999"), "series_number", None),
    ],
)
def test_other_columns_narrow_and_the_opened_hit_decides(asked: MatchKey, column: str, value: object) -> None:
    assert not decided(asked)
    assert getattr(narrowed(asked), column) == value


@pytest.mark.parametrize(
    "asked",
    [
        key("PatientID", "A*"),
        key("PatientID", "A", "B"),
        key("AccessionNumber", "?7"),
        key("Modality", "C*"),
        key("Modality", "ct"),
        key("Modality", "CT", "DOE^JOHN"),
        key("ModalitiesInStudy", "CT\\MR"),
        key("StudyDate", "20260301", "20260302"),
        key("StudyInstanceUID", "1.2*"),
        key("StudyDescription", "Head"),
        key("SeriesNumber", "1", "2"),
        key("PatientName", "Doe", "Miller"),
        key("PatientName", "*oe"),
        key("PatientName", "Li"),
    ],
)
def test_what_no_column_can_answer_narrows_nothing(asked: MatchKey) -> None:
    assert narrowed(asked) == NOTHING
    assert not decided(asked)


@pytest.mark.parametrize("keyword", ["PatientName", "StudyInstanceUID", "Modality", "StudyDate", "PatientID"])
def test_an_empty_value_asks_nothing(keyword: str) -> None:
    assert narrowed(key(keyword, "")) == NOTHING


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("Mustermann^Erika", ["Mustermann", "Erika"]),
        ("Muster*^Eri?a", ["Muster", "Eri"]),
        ("*mann^Erika", ["Erika"]),
        ("Muster*mann", ["Muster"]),
        ("M\u00fcller-L\u00fcdenscheid", ["Muller", "Ludenscheid"]),
        ("\u5c71\u7530^\u592a\u90ce=Yamada", ["Yamada"]),
    ],
)
def test_a_name_narrows_by_the_words_whose_beginnings_it_tells(pattern: str, words: list[str]) -> None:
    wanted = narrowed(key("PatientName", pattern)).name_tokens

    assert list(wanted) == [SEAL.name_prefix_tokens(word) for word in words]


def test_fuzzily_a_wildcard_only_parts_words() -> None:
    assert len(narrowed(key("PatientName", "*mus*eri*"), fuzzy=True).name_tokens) == 2
    assert narrowed(key("PatientName", "*mus*eri*")).name_tokens == ()


def test_names_of_several_persons_are_a_conjunction() -> None:
    both = narrowed(key("PatientName", "Mustermann"), key("ReferringPhysicianName", "Weber"))

    assert len(both.name_tokens) == 2


def test_a_path_narrows_too_and_a_key_only_within_it() -> None:
    def below(*keys: MatchKey) -> Narrowing:
        return narrow(SEAL, Query(Level.INSTANCE, keys, uid("1.2"), uid("1.2.3")), None)

    assert (below().study_instance_uids, below().series_instance_uids) == (("1.2",), ("1.2.3",))
    assert below(key("StudyInstanceUID", "1.9", "1.2")).study_instance_uids == ("1.2",)
    assert below(key("StudyInstanceUID", "1.9")).study_instance_uids == ("0",)


def test_paging_is_done_in_sql_only_when_sql_decides_alone() -> None:
    query = Query(Level.STUDY, offset=7)

    assert (narrow(SEAL, query, 5).limit, narrow(SEAL, query, 5).offset) == (5, 7)
    assert (narrow(SEAL, query, None).limit, narrow(SEAL, query, None).offset) == (None, 0)
    assert not decides_alone(Query(Level.STUDY, (key("StudyDate", "20260301"), key("PatientID", "1"))))


@pytest.mark.parametrize(
    "asked",
    [
        key("StudyInstanceUID", "x"),
        key("StudyDate", "yesterday"),
        key("StudyDate", "-"),
        key("PatientBirthDate", "2"),
        key("SeriesNumber", "one"),
    ],
)
def test_a_value_that_is_none_of_its_kind_is_malformed(asked: MatchKey) -> None:
    with pytest.raises(Malformed):
        narrowed(asked)
