"""What lies on the shelf, by the listing: of one institution and shelf, real and in memory alike."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from pacs_secure.adapters.vault_key_list import VaultKeyList
from pacs_secure.adapters.vault_keyring import VaultWrapper
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import KeyList, KeyWrapper, Shelf
from tests.builders import ELSEWHERE, HERE
from tests.fakes_keys import FakeKeyring

Lists = tuple[KeyList, KeyWrapper, Institution, Institution]


@pytest.fixture(params=["fake", pytest.param("openbao", marks=pytest.mark.real)])
def lists(request: pytest.FixtureRequest) -> Iterator[Lists]:
    if request.param == "fake":
        fake = FakeKeyring()
        yield fake, fake, HERE, ELSEWHERE
        return
    openbao = request.getfixturevalue("openbao")
    sessions = [openbao.session(role) for role in (VaultRole.ERASER, VaultRole.STORE)]
    yield VaultKeyList(sessions[0]), VaultWrapper(sessions[1]), openbao.new_institution(), openbao.new_institution()
    for session in sessions:
        session.close()


def test_an_empty_shelf_has_no_names(lists: Lists) -> None:
    keys, _, here, _ = lists

    assert keys.listed(here, Shelf.STUDY) == frozenset()


def test_each_institution_and_shelf_has_its_own(lists: Lists) -> None:
    keys, wrapper, here, elsewhere = lists
    mine = {wrapper.mint(here, Shelf.STUDY).key_id for _ in range(3)}
    theirs = wrapper.mint(elsewhere, Shelf.STUDY).key_id
    wrapper.mint(here, Shelf.LEDGER)

    assert keys.listed(here, Shelf.STUDY) == mine
    assert keys.listed(elsewhere, Shelf.STUDY) == {theirs}
    assert keys.institutions(Shelf.STUDY) >= {here, elsewhere}


@pytest.mark.real
def test_what_the_archive_did_not_put_there_is_no_key(request: pytest.FixtureRequest) -> None:
    openbao = request.getfixturevalue("openbao")
    here, vault, eraser = openbao.new_institution(), openbao.administrator(), openbao.session(VaultRole.ERASER)
    for place in (f"shelf/study/{here}/stranger", f"shelf/study/Not An Institution/{uuid4()}"):
        vault.post(place, {"wrapped": "x"}).demand_done()
    keys = VaultKeyList(eraser)

    assert keys.listed(here, Shelf.STUDY) == frozenset()
    assert {here} <= keys.institutions(Shelf.STUDY)
    assert "Not An Institution" not in keys.institutions(Shelf.STUDY)
    vault.close()
    eraser.close()


@pytest.mark.real
def test_a_role_that_may_not_list_is_told_so(request: pytest.FixtureRequest) -> None:
    openbao = request.getfixturevalue("openbao")
    store = openbao.session(VaultRole.STORE)
    with pytest.raises(Unavailable):
        VaultKeyList(store).listed(openbao.new_institution(), Shelf.STUDY)
    store.close()
