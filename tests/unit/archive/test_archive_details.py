"""What ledger entries say of persons, opened again."""

from dataclasses import replace
from uuid import uuid4

import pytest

from pacs_secure.archive.details import MOST_KEYS, Details
from pacs_secure.core.audit import Draft, SealedDetails
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.index_seal import DetailsSeal
from pacs_secure.ports import Shelf
from tests.builders import ELSEWHERE, HERE, draft, subject
from tests.fakes_keys import FakeKeyring


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


def sealed(keyring: FakeKeyring, told: bytes, of: Institution = HERE) -> Draft:
    """Return a draft whose details are sealed under a key of its own."""
    minted, written = keyring.mint(of, Shelf.LEDGER), draft(by=subject(of=of))
    box = DetailsSeal(minted.key).seal(written.act, told)
    return replace(written, details=SealedDetails(minted.key_id, box))


def test_each_detail_opens_under_the_key_it_names_in_the_order_asked(keyring: FakeKeyring) -> None:
    here, there = sealed(keyring, b'{"subject":"a"}'), sealed(keyring, b'{"subject":"b","q":"c"}', ELSEWHERE)

    opened = Details(keyring).open([there, draft(details=None), here])

    assert opened == [{"subject": "b", "q": "c"}, None, {"subject": "a"}]


def test_a_forgotten_key_leaves_its_details_shut_and_the_others_open(keyring: FakeKeyring) -> None:
    kept, forgotten = sealed(keyring, b'{"subject":"a"}'), sealed(keyring, b'{"subject":"b"}')
    assert forgotten.details is not None
    keyring.forget(forgotten.details.key_id)

    assert Details(keyring).open([forgotten, kept]) == [None, {"subject": "a"}]


def test_many_keys_are_fetched_in_batches(keyring: FakeKeyring) -> None:
    drafts = [sealed(keyring, b'{"subject":"%d"}' % number) for number in range(MOST_KEYS + 1)]

    opened = Details(keyring).open([*drafts, *drafts])

    assert [told["subject"] for told in opened if told] == [str(number) for number in range(MOST_KEYS + 1)] * 2
    assert keyring.fetched == 2


def test_nothing_is_fetched_for_drafts_without_details(keyring: FakeKeyring) -> None:
    assert Details(keyring).open([draft(details=None)]) == [None]
    assert keyring.fetched == 0


@pytest.mark.parametrize("told", [b"no JSON", b'["a"]'])
def test_details_that_are_none_are_tampered(keyring: FakeKeyring, told: bytes) -> None:
    with pytest.raises(Tampered):
        Details(keyring).open([sealed(keyring, told)])


def test_details_of_another_act_do_not_open(keyring: FakeKeyring) -> None:
    with pytest.raises(Tampered):
        Details(keyring).open([replace(sealed(keyring, b"{}"), act=uuid4())])


def test_a_shelf_out_of_reach_is_no_empty_answer(keyring: FakeKeyring) -> None:
    written = sealed(keyring, b"{}")
    keyring.sealed = True

    with pytest.raises(Unavailable):
        Details(keyring).open([written])
