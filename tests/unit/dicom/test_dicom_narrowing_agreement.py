"""What matches is never lost by the index: keyed tokens and columns let through all that the matching rules accept."""

import unicodedata
from collections.abc import Callable
from functools import partial

import orjson
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from pacs_secure.archive.narrowing import narrow
from pacs_secure.core.errors import Malformed
from pacs_secure.core.instance import Description
from pacs_secure.core.query import Level, MatchKey, Narrowing, Query
from pacs_secure.crypto.index_seal import IndexSeal, normalise_word
from pacs_secure.dicom.folding import fold, words
from pacs_secure.dicom.header import scan
from pacs_secure.dicom.matching import matches
from pacs_secure.dicom.metadata import describe
from pacs_secure.dicom.query_keys import resolve
from tests.data_sets import EXPLICIT, explicit, identity

SEAL = IndexSeal(bytes(32))

LOOKALIKES = "\uff3e\uff0a\uff1f\uff1d\u3000\xa8"
"""Full-width marks, an ideographic space and a diaeresis: each folds to a mark or a space."""
letters = st.sampled_from("abcJÖößeé\u0301\u0308ςΣ山田ｱｶﾞ김\ufb01")
separators = st.sampled_from([*"^^^ =-\\*?", *LOOKALIKES])
parts = st.text(letters, min_size=1, max_size=9)
names = st.lists(st.tuples(parts, separators), max_size=4).map(lambda pairs: "".join(map("".join, pairs)))
wildcards = st.sampled_from(["", "", "*", "?", "*^", "*?", *LOOKALIKES])


@st.composite
def names_and_keys(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a name and a key that has a chance to match it: pieces of it, spelled otherwise, with wildcards put in."""
    name = draw(names)
    start = draw(st.sampled_from([0, 0, 1, len(name) // 2]))
    end = draw(st.sampled_from([len(name), len(name), 3, 5]))
    piece = name[start:end]
    hole = draw(st.integers(0, len(piece)))
    spellings: list[Callable[[str], str]] = [str, str.upper, str.lower, partial(unicodedata.normalize, "NFD")]
    spelled = draw(st.sampled_from(spellings))
    return name, draw(wildcards) + spelled(piece[:hole]) + draw(wildcards) + spelled(piece[hole:]) + draw(wildcards)


def described(*elements: tuple[int, str, str]) -> Description:
    """Describe a Data Set that holds these texts, in UTF-8."""
    texts = b"".join(
        explicit(tag, vr, text.encode("utf-8", "replace").ljust(2 * ((len(text.encode("utf-8", "replace")) + 1) // 2)))
        for tag, vr, text in elements
    )
    data_set = identity() + explicit(0x00080005, "CS", b"ISO_IR 192") + texts
    return describe(data_set, EXPLICIT, scan(data_set, EXPLICIT))


def key(keyword: str, *values: str) -> MatchKey:
    attribute = resolve(keyword)
    return MatchKey(attribute.tag, attribute.keyword, attribute.vr, values)


def narrowed(asked: MatchKey, *, fuzzy: bool = False) -> Narrowing:
    return narrow(SEAL, Query(Level.INSTANCE, (asked,), fuzzy=fuzzy), None)


@given(st.text(max_size=40))
def test_words_are_folded_alike_for_tokens_and_for_matching(text: str) -> None:
    assert fold(text) == normalise_word(text)


@given(names_and_keys(), st.booleans())
@example(("Müller^Jörg", "MULLER^J*"), False)
@example(("Miller", "Mil\uff0a"), False)
@settings(max_examples=1_000, deadline=None)
def test_no_name_that_matches_is_lost_by_its_tokens(name_and_key: tuple[str, str], fuzzy: bool) -> None:  # noqa: FBT001
    name, asked = name_and_key[0], key("PatientName", name_and_key[1])
    description = described((0x00100010, "PN", name))
    tokens = SEAL.name_tokens(description.patient_name)

    matched = matches(orjson.loads(description.study_json), asked, fuzzy=fuzzy)
    event("matched" if matched and any(asked.values) else "not matched")

    if matched:
        assert all(tokens & alternatives for alternatives in narrowed(asked, fuzzy=fuzzy).name_tokens)


identifiers = st.text(st.sampled_from("aA1 \\\ufb01\xa0\u3000Åé"), max_size=8)


@given(identifiers, identifiers, st.booleans(), st.sampled_from(["PatientID", "AccessionNumber"]))
@settings(max_examples=400, deadline=None)
def test_no_identifier_that_matches_is_lost_by_its_token(stored: str, other: str, same: bool, keyword: str) -> None:  # noqa: FBT001
    attribute = resolve(keyword)
    description = described((int(attribute.tag, 16), attribute.vr, stored))
    asked = key(keyword, stored if same else other)
    value = description.patient_id if keyword == "PatientID" else description.accession_number

    if matches(orjson.loads(description.study_json), asked, fuzzy=False):
        wanted = narrowed(asked)
        token = wanted.patient_id_token if keyword == "PatientID" else wanted.accession_number_token
        assert token in {None, SEAL.token(keyword, value)}


moments = st.sampled_from(
    ["19700101", "1970.01.01", "19700102", "1970.0102", "1970", "19700101\\19700102", "99999999", " 19700101"]
)
periods = st.sampled_from(["{}", "{}-", "-{}", "{}-{}", " {} - {} ", "-"])


@given(moments, moments, moments, periods)
@settings(max_examples=400, deadline=None)
def test_no_date_that_matches_is_lost_by_its_column_or_token(stored: str, one: str, other: str, period: str) -> None:
    description = described((0x00080020, "DA", stored), (0x00100030, "DA", stored))
    attributes = orjson.loads(description.study_json)
    text = period.format(one, other)
    try:
        taken, born = narrowed(key("StudyDate", text)), narrowed(key("PatientBirthDate", text))
    except Malformed:
        return

    if matches(attributes, key("StudyDate", text), fuzzy=False):
        assert description.study_date
        assert taken.study_date_from <= description.study_date <= (taken.study_date_to or "9" * 8)
    if matches(attributes, key("PatientBirthDate", text), fuzzy=False):
        assert born.birth_date_token in {None, SEAL.token("PatientBirthDate", description.patient_birth_date)}


numbers = st.sampled_from(
    ["1", "+1", "01", "1.0", "1e0", "-1", "", "x", "1\\2", "99999999999", "2147483648", "1_0", "10"]
)


@given(numbers, numbers)
@settings(max_examples=400, deadline=None)
def test_no_number_that_matches_is_lost_by_its_column(stored: str, asked: str) -> None:
    description = described((0x00200011, "IS", stored))
    try:
        wanted = narrowed(key("SeriesNumber", asked))
    except Malformed:
        return

    if asked and matches(orjson.loads(description.series_json), key("SeriesNumber", asked), fuzzy=False):
        assert wanted.series_number in {None, description.series_number}


@given(
    st.sampled_from(["CT", "CT\\MR", " CT", "ct", ""]),
    st.lists(st.sampled_from(["CT", "MR", "CT ", "CT\\MR"]), min_size=1),
)
def test_no_modality_that_matches_is_lost_by_its_column(stored: str, asked: list[str]) -> None:
    description = described((0x00080060, "CS", stored))

    if matches(orjson.loads(description.series_json), key("Modality", *asked), fuzzy=False):
        wanted = narrowed(key("Modality", *asked)).modalities
        assert not wanted or description.modality in wanted


def test_a_key_of_several_names_narrows_by_none_of_them() -> None:
    assert narrowed(key("PatientName", "Doe", "Miller")).name_tokens == ()


def test_padding_around_an_asked_uid_means_nothing() -> None:
    description = described()

    assert matches(orjson.loads(description.study_json), key("StudyInstanceUID", "1.2.3\0"), fuzzy=False)
    assert narrowed(key("StudyInstanceUID", "1.2.3\0")).study_instance_uids == ("1.2.3",)


def test_a_word_of_a_name_is_what_stands_between_its_separators() -> None:
    assert words("Müller-Lüdenscheid^Jörg=山田\u3000太郎") == ["muller", "ludenscheid", "jorg", "山田", "太郎"]
