"""Writers that number and sign what they say, and cannot take it back."""

from dataclasses import replace
from uuid import UUID

import pytest

from pacs_secure.core.audit import Statement
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import Author, AuthorCheck, state
from tests.vectors.generate import draft

WRITER = KeyId(UUID(int=5))
KEY = bytes(range(32))
SAID = [state(draft(number)) for number in range(6)]


def signed(author: Author | None = None) -> list[Statement]:
    author = author or Author(WRITER, KEY)
    return [author.sign(said) for said in SAID]


def test_what_a_writer_says_is_numbered_from_zero_in_its_name() -> None:
    by = [said.authorship for said in signed()]
    assert [(one.writer, one.number) for one in by if one] == [(WRITER, number) for number in range(6)]
    assert len({one.mac for one in by if one}) == 6


def test_it_holds_against_the_first_key_and_no_other() -> None:
    check, other = AuthorCheck(KEY), AuthorCheck(bytes(32))
    for index, said in enumerate(signed()):
        assert check.holds(said, index)
        assert not other.holds(said, index)


def test_nothing_that_was_said_can_be_changed_renumbered_or_said_again() -> None:
    first, second, third = signed()[:3]
    assert first.authorship is not None
    check = AuthorCheck(KEY)
    assert not check.holds(replace(first, said=first.said.replace(b"192.0.2.7", b"192.0.2.8")), 9)
    assert not check.holds(replace(first, at="2026-01-31T23:59:59.000007Z"), 9)
    assert not check.holds(replace(first, authorship=None), 9)
    assert check.holds(second, 9)
    assert not check.holds(second, 9)
    assert not check.holds(first, 9)
    assert not check.holds(replace(third, authorship=first.authorship), 9)
    assert check.holds(third, 9)


def test_a_number_beyond_what_could_have_been_said_costs_nothing() -> None:
    first = signed()[0]
    assert first.authorship is not None
    beyond = replace(first, authorship=replace(first.authorship, number=1 << 60))
    check = AuthorCheck(KEY)
    assert not check.holds(beyond, 1)
    assert check.holds(first, 0)


def test_what_was_taken_back_is_said_again_under_the_same_number() -> None:
    author = Author(WRITER, KEY)
    author.sign(SAID[0])
    mark = author.mark
    lost = author.sign(SAID[1])
    author.rewind(mark)
    assert author.sign(SAID[1]) == lost


def test_a_writer_keeps_no_key_to_what_it_said() -> None:
    author = Author(WRITER, KEY)
    before = author.mark[1]
    author.sign(SAID[0])
    assert before not in {value for name in Author.__slots__ for value in [getattr(author, name)]}


@pytest.mark.parametrize("key", [bytes(32), KEY])
def test_writers_of_one_key_say_the_same(key: bytes) -> None:
    assert signed(Author(WRITER, key)) == signed(Author(WRITER, key))
