"""Identifiers: what is accepted as one, and how the archive makes its own."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import institution, object_id, uid


@pytest.mark.parametrize("text", ["1", "1.2.840.10008", "1.02.3", "9" * 64, "1.2\0", "1.2 ", "."])
def test_a_uid_is_taken_without_its_padding(text: str) -> None:
    assert uid(text) == text.rstrip("\0 ")


@pytest.mark.parametrize(
    "text", ["", " ", "\0", "1.2.x", "1 .2", "9" * 65, "\u0661.\u0662", "1.2\n", "../1", "1.2\0.3"]
)
def test_what_is_no_uid_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        uid(text)


@given(st.text(max_size=70))
def test_whatever_passes_as_a_uid_is_digits_and_dots(text: str) -> None:
    try:
        accepted = uid(text)
    except Malformed:
        return
    assert 1 <= len(accepted) <= 64
    assert set(accepted) <= set("0123456789.")


@pytest.mark.parametrize("text", ["clinic", "1-a", "a" * 63])
def test_an_institution_is_named_by_lower_case_letters_digits_and_hyphens(text: str) -> None:
    assert institution(text) == text


@pytest.mark.parametrize("text", ["", "-a", "A", "a" * 64, "a_b", "a/b", "a\n", "ä", "a b"])
def test_what_could_leave_its_place_in_a_path_names_no_institution(text: str) -> None:
    with pytest.raises(Malformed):
        institution(text)


@given(st.integers(0, (1 << 48) - 1), st.binary(min_size=10, max_size=16))
def test_an_object_id_is_a_uuid_of_version_7_that_begins_with_its_time(milliseconds: int, entropy: bytes) -> None:
    made = object_id(milliseconds, entropy)

    assert (UUID(str(made)).version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == milliseconds


def test_object_ids_sort_by_time() -> None:
    assert object_id(1, b"\xff" * 10) < object_id(2, bytes(10))


def test_all_of_the_entropy_that_fits_is_in_the_object_id() -> None:
    assert len({object_id(0, bit.to_bytes(10, "big")) for bit in (1 << shift for shift in range(80))}) == 75
