"""One-time codes: enough to guess at, easy to say, and kept so that nobody can read them back."""

import pytest

from pacs_secure.core.errors import Tampered
from pacs_secure.crypto.one_time_code import ALPHABET, LENGTH, keep, new_code, proves


def test_a_code_has_at_least_fifty_bits_in_signs_that_are_not_mistaken_for_one_another() -> None:
    signs = new_code().replace("-", "")

    assert len(signs) == LENGTH
    assert set(signs) <= set(ALPHABET)
    assert len(ALPHABET) ** LENGTH >= 1 << 50
    assert not set(ALPHABET) & set("OILU")


def test_every_bit_of_it_comes_from_the_entropy() -> None:
    assert new_code(lambda count: b"\0" * count) == "0000-0000-0000"
    assert new_code(lambda count: b"\xff" * count) == "ZZZZ-ZZZZ-ZZZZ"
    assert len({new_code() for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "written", ["01K7-QF2M-9XTB", "01k7qf2m9xtb", " O1K7 QF2M 9XTB ", "oik7-qf2m-9xtb", "0lK7.QF2M.9XTB"]
)
def test_a_code_is_known_however_it_was_written_down(written: str) -> None:
    assert proves(written, keep("01K7-QF2M-9XTB"))


@pytest.mark.parametrize("written", ["", "01K7-QF2M-9XTC", "01K7-QF2M-9XT", "01K7-QF2M-9XTBB", "\ud800", "🂡" * 64])
def test_any_other_is_not(written: str) -> None:
    assert not proves(written, keep("01K7-QF2M-9XTB"))


def test_what_is_kept_holds_no_sign_of_the_code_and_differs_each_time() -> None:
    code = new_code()

    assert keep(code) != keep(code)
    assert code.encode() not in keep(code)


@pytest.mark.parametrize("kept", [b"", b"\x01", b"\x02" + b"\0" * 48, b"\x01" + b"\0" * 47])
def test_what_is_of_another_shape_proves_nothing(kept: bytes) -> None:
    with pytest.raises(Tampered):
        proves("01K7-QF2M-9XTB", kept)
