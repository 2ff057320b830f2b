"""Sealed columns and keyed tokens."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Tampered
from pacs_secure.core.query import Level
from pacs_secure.crypto.index_seal import DetailsSeal, IndexSeal, normalise_word

SEAL = IndexSeal(bytes(range(32)))
DETAILS = DetailsSeal(bytes(range(32)))
ACT = UUID(int=5)


@given(st.binary(max_size=300))
def test_a_row_opens_in_its_own_place(plaintext: bytes) -> None:
    assert SEAL.open(Level.STUDY, "1.2", "1.2", SEAL.seal(Level.STUDY, "1.2", "1.2", plaintext)) == plaintext


@pytest.mark.parametrize(
    "place", [(Level.SERIES, "1.2", "1.3"), (Level.STUDY, "1.9", "1.3"), (Level.STUDY, "1.2", "1.4")]
)
def test_a_row_moved_elsewhere_does_not_open(place: tuple[str, str, str]) -> None:
    box = SEAL.seal(Level.STUDY, "1.2", "1.3", b"{}")
    with pytest.raises(Tampered):
        SEAL.open(*place, box)


def test_a_row_of_another_institution_does_not_open() -> None:
    with pytest.raises(Tampered):
        IndexSeal(bytes(32)).open("STUDY", "1", "1", SEAL.seal("STUDY", "1", "1", b"{}"))


def test_no_flipped_bit_opens() -> None:
    row, details = SEAL.seal("STUDY", "1", "1", b"{}"), DETAILS.seal(ACT, b"{}")
    for place in range(len(row) * 8):
        flip = bytes(1 << place % 8 if place // 8 == at else 0 for at in range(len(row)))
        with pytest.raises(Tampered):
            SEAL.open("STUDY", "1", "1", bytes(a ^ b for a, b in zip(row, flip, strict=True)))
        with pytest.raises(Tampered):
            DETAILS.open(ACT, bytes(a ^ b for a, b in zip(details, flip, strict=True)))
    with pytest.raises(Tampered):
        SEAL.open("STUDY", "1", "1", b"")


def test_equal_values_have_equal_tokens_padding_and_width_aside() -> None:
    token = SEAL.token("PatientID", "MRN-7")
    assert len(token) == 16
    assert token == SEAL.token("PatientID", " MRN-7 \0") == SEAL.token("PatientID", "\uff2d\uff32\uff2e-7")
    others = {
        SEAL.token("PatientID", "mrn-7"),
        SEAL.token("AccessionNumber", "MRN-7"),
        IndexSeal(bytes(32)).token("PatientID", "MRN-7"),
    }
    assert len(others | {token}) == 4


def test_parts_of_a_joined_value_are_trimmed_each() -> None:
    assert SEAL.token("Patient", "HOSPITAL \0 7") == SEAL.token("Patient", "HOSPITAL\x007")
    assert SEAL.token("Patient", "A\x00B") != SEAL.token("Patient", "AB")


def test_a_value_that_is_no_proper_text_still_has_a_token() -> None:
    assert SEAL.token("PatientID", "\udcff") != SEAL.token("PatientID", "\udcfe")
    assert DETAILS.pseudonym("home", "\udcff") != DETAILS.pseudonym("home", "\udcfe")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller", "MULLER"),
        ("STRASSE", "straße"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("\uff34aro", "taro"),
        ("e\u0301", "\u00e9"),
        ("\u0130stanbul", "istanbul"),
    ],
)
def test_spellings_of_one_word_are_equal(one: str, other: str) -> None:
    assert normalise_word(one) == normalise_word(other)


def test_every_word_of_every_group_is_found_by_its_beginning() -> None:
    tokens = SEAL.name_tokens(
        "Yamada-Sato^Tarou Jiro=\u5c71\u7530\u4e09\u56db^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046"
    )
    for prefix in (
        "yam",
        "YAMADA",
        "sat",
        "Tarou",
        "jir",
        "\u5c71\u7530\u4e09",
        "\u3084\u307e\u305f",
        "\u305f\u308d\u3046",
    ):
        assert SEAL.name_prefix_tokens(prefix) <= tokens
        assert SEAL.name_prefix_tokens(prefix)
    assert all(len(token) == 3 for token in tokens)
    assert not SEAL.name_prefix_tokens("smith") & tokens


def test_a_prefix_too_short_narrows_nothing_but_a_whole_short_word_does() -> None:
    assert SEAL.name_prefix_tokens("ya") == SEAL.name_prefix_tokens("") == SEAL.name_prefix_tokens("^^") == frozenset()
    assert SEAL.name_prefix_tokens("", whole=True) == frozenset()
    assert SEAL.name_prefix_tokens("\u592a\u90ce", whole=True) <= SEAL.name_tokens(
        "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce"
    )


def test_a_long_word_is_found_by_its_first_eight_letters() -> None:
    tokens = SEAL.name_tokens("Wolfeschlegelsteinhausen")
    assert len(tokens) == 6
    assert SEAL.name_prefix_tokens("WOLFESCHLEGELST") <= tokens


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="^= -\\", exclude_categories=["Z", "C"]), min_size=1)


@given(st.lists(WORDS, min_size=1, max_size=4), st.data())
def test_no_word_beginning_is_ever_missed(words: list[str], data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(words))
    prefix = word[: data.draw(st.integers(1, len(word)))]
    assert SEAL.name_prefix_tokens(prefix) <= SEAL.name_tokens("^".join(words))
    assert SEAL.name_prefix_tokens(word, whole=True) <= SEAL.name_tokens("=".join(words))


def test_ledger_details_open_under_their_own_act_only() -> None:
    box = DETAILS.seal(ACT, b'{"name":"x"}')
    assert DETAILS.open(ACT, box) == b'{"name":"x"}'
    with pytest.raises(Tampered):
        DETAILS.open(UUID(int=6), box)
    with pytest.raises(Tampered):
        DetailsSeal(bytes(32)).open(ACT, box)


def test_pseudonyms_hold_for_one_person_of_one_institution_under_one_key() -> None:
    one = DETAILS.pseudonym("home", "dr.who")
    assert one == DETAILS.pseudonym("home", "dr.who")
    assert len(bytes.fromhex(one)) == 16
    assert one not in {
        DETAILS.pseudonym("away", "dr.who"),
        DETAILS.pseudonym("home", "dr.no"),
        DetailsSeal(bytes(32)).pseudonym("home", "dr.who"),
    }


def test_a_fingerprint_is_keyed_and_the_same_for_the_same_content() -> None:
    digest = bytes(range(32))

    assert IndexSeal(b"k" * 32).fingerprint(digest) == IndexSeal(b"k" * 32).fingerprint(digest)
    assert IndexSeal(b"k" * 32).fingerprint(digest) != IndexSeal(b"l" * 32).fingerprint(digest)
    assert IndexSeal(b"k" * 32).fingerprint(digest) != digest
    assert len(IndexSeal(b"k" * 32).fingerprint(digest)) == 32
