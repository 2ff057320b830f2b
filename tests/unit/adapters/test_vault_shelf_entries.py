"""Entries on the shelf: of a known version, and answers of the vault that are understood, or nothing is done."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from pacs_secure.adapters.vault_keyring import LONGEST_MINT, VaultUnwrapper, VaultWrapper, shelf_path
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_rewrapper import VaultRewrapper
from pacs_secure.adapters.vault_session import Json, Reply, VaultSession
from pacs_secure.archive.rekey import SETTLING
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import ForgettableKey, Shelf
from tests.vault_fixture import RunningVault

pytestmark = pytest.mark.real


class Deaf(VaultSession):
    """A session whose vault answers otherwise than it should."""

    answers: dict[str, Json]

    def get(self, path: str) -> Reply:
        return self._instead(path, super().get(path))

    def list(self, path: str) -> Reply:
        return self._instead(path, super().list(path))

    def post(self, path: str, body: Json) -> Reply:
        return self._instead(path, super().post(path, body))

    def _instead(self, path: str, reply: Reply) -> Reply:
        for start, answer in self.answers.items():
            if path.startswith(start):
                return Reply(200, {"data": answer})
        return reply


@pytest.fixture
def here(openbao: RunningVault) -> Institution:
    return openbao.new_institution()


@pytest.fixture
def key(openbao: RunningVault, here: Institution) -> ForgettableKey:
    session = openbao.session(VaultRole.STORE)
    minted = VaultWrapper(session).mint(here, Shelf.STUDY)
    session.close()
    return minted


@pytest.fixture
def deaf(openbao: RunningVault) -> Iterator[Deaf]:
    session = Deaf(openbao.address, openbao.ca_file, openbao.credentials[VaultRole.KEEPER])
    session.answers = {}
    yield session
    session.close()


@pytest.mark.parametrize(("version", "known"), [(1, True), (2, False), ("1", False)])
def test_an_entry_of_another_version_is_neither_opened_nor_wrapped_anew(
    openbao: RunningVault, here: Institution, key: ForgettableKey, version: object, *, known: bool
) -> None:
    reader, keeper = openbao.session(VaultRole.READER), openbao.session(VaultRole.KEEPER)
    path = shelf_path(here, Shelf.STUDY, key.key_id)
    with openbao.administering() as vault:
        vault.post(path, {**vault.get(path).mapping("data"), "version": version}).demand_done()
        before = vault.get(path).mapping("data")
    rewrapper = VaultRewrapper(keeper)
    rewrapper.rotate(here)

    result = rewrapper.rewrap(here, Shelf.STUDY, [key.key_id], 2)

    assert (key.key_id in result.done, key.key_id in result.failed) == (known, not known)
    with openbao.administering() as vault:
        after = vault.get(path).mapping("data")
    assert (after == before) is not known
    assert after["version"] == version
    if known:
        assert VaultUnwrapper(reader).fetch(here, Shelf.STUDY, [key.key_id]) == {key.key_id: key}
    else:
        with pytest.raises(Unavailable, match="version"):
            VaultUnwrapper(reader).fetch(here, Shelf.STUDY, [key.key_id])
    for session in (reader, keeper):
        session.close()


@pytest.mark.parametrize(
    "answer",
    [
        {"latest_version": 1, "min_decryption_version": 1},
        {"latest_version": 1, "min_decryption_version": 1, "keys": {}},
        {"latest_version": "1", "min_decryption_version": 1, "keys": {"1": 1}},
        {"latest_version": 1, "min_decryption_version": None, "keys": {"1": 1}},
    ],
)
def test_a_state_that_is_not_understood_is_no_state(deaf: Deaf, here: Institution, answer: Json) -> None:
    deaf.answers = {"transit/keys/": answer}

    with pytest.raises(Unavailable):
        VaultRewrapper(deaf).state(here)


@pytest.mark.parametrize("names", [["not an id"], [7]])
def test_names_that_are_no_ids_are_not_passed_over(deaf: Deaf, here: Institution, names: list[object]) -> None:
    deaf.answers = {"shelf/study/": {"keys": names}}

    with pytest.raises(Unavailable):
        VaultRewrapper(deaf).shelved(here, Shelf.STUDY)


@pytest.mark.parametrize(
    "results", [[], [{"ciphertext": "vault:v1:older"}], [{"ciphertext": 7}], [{"error": "no"}], [{"ciphertext": "x"}]]
)
def test_an_answer_that_wraps_nothing_newer_changes_nothing(
    openbao: RunningVault, deaf: Deaf, here: Institution, key: ForgettableKey, results: list[Json]
) -> None:
    rewrapper = VaultRewrapper(deaf)
    rewrapper.rotate(here)
    with openbao.administering() as vault:
        before = vault.get(shelf_path(here, Shelf.STUDY, key.key_id)).mapping("data")
    deaf.answers = {"transit/rewrap/": {"batch_results": results}}

    if results:
        assert rewrapper.rewrap(here, Shelf.STUDY, [key.key_id], 2).failed == {key.key_id}
    else:
        with pytest.raises(Unavailable):
            rewrapper.rewrap(here, Shelf.STUDY, [key.key_id], 2)
    with openbao.administering() as vault:
        assert vault.get(shelf_path(here, Shelf.STUDY, key.key_id)).mapping("data") == before


def test_a_write_that_is_refused_for_another_reason_is_no_forgotten_key(
    openbao: RunningVault, here: Institution, key: ForgettableKey
) -> None:
    keeper = openbao.session(VaultRole.KEEPER)
    VaultRewrapper(keeper).rotate(here)

    class Refused(VaultSession):
        def post(self, path: str, body: Json) -> Reply:
            if path.startswith("shelf/"):
                raise Unavailable("the vault refuses this role")
            return super().post(path, body)

    session = Refused(openbao.address, openbao.ca_file, openbao.credentials[VaultRole.KEEPER])
    with pytest.raises(Unavailable):
        VaultRewrapper(session).rewrap(here, Shelf.STUDY, [key.key_id], 2)
    assert VaultRewrapper(keeper).rewrap(here, Shelf.STUDY, [KeyId(uuid4())], 2).gone == 1
    for one in (session, keeper):
        one.close()


def test_a_key_that_took_too_long_to_come_to_the_shelf_is_used_for_nothing(
    openbao: RunningVault, here: Institution
) -> None:
    """Its version of the institution's key may be retired as soon as nothing is under it."""
    session, moments = openbao.session(VaultRole.STORE), iter((0.0, LONGEST_MINT, 0.0, LONGEST_MINT + 0.1))
    wrapper = VaultWrapper(session, lambda: next(moments))

    assert len(wrapper.mint(here, Shelf.STUDY).key) == 32
    with pytest.raises(Unavailable, match="too long"):
        wrapper.mint(here, Shelf.STUDY)
    session.close()
    assert SETTLING.total_seconds() > 2 * LONGEST_MINT
