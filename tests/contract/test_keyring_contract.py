"""What every keyring keeps, held against the real vault and the fake alike."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pacs_secure.adapters.vault_keyring import (
    VaultCanary,
    VaultEraser,
    VaultSigner,
    VaultUnwrapper,
    VaultWrapper,
    shelf_path,
)
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_shelf import VaultShelf
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, institution
from pacs_secure.ports import KeyCanary, KeyEraser, KeyShelf, KeyUnwrapper, KeyWrapper, Shelf, Signer
from tests.fakes_keys import FakeKeyring, Place
from tests.vault_fixture import RunningVault

NOWHERE = institution("never-provisioned")


@dataclass
class Keyring:
    """One implementation, and what its keeper may do to it from outside."""

    here: Institution
    elsewhere: Institution
    wrapper: KeyWrapper
    unwrapper: KeyUnwrapper
    eraser: KeyEraser
    shelf: KeyShelf
    canary: KeyCanary
    signer: Signer
    forget: Callable[[Place], None]
    copy: Callable[[Place, Place], None]
    sealed: Callable[[], AbstractContextManager[None]]


def fake_keyring() -> Keyring:
    here, elsewhere = institution("here"), institution("elsewhere")
    fake = FakeKeyring({here, elsewhere})

    @contextmanager
    def sealed() -> Iterator[None]:
        fake.sealed = True
        yield
        fake.sealed = False

    return Keyring(
        here, elsewhere, fake, fake, fake, fake, fake, fake, lambda place: fake.forget(place[2]), fake.copy, sealed
    )


@contextmanager
def vault_keyring(openbao: RunningVault, *, proving_by_list: bool) -> Iterator[Keyring]:
    roles = (VaultRole.STORE, VaultRole.READER, VaultRole.SIGNER, VaultRole.ERASER)
    store, reader, signer, eraser = (openbao.session(role) for role in roles)
    vault = openbao.administrator()
    here = openbao.new_institution()

    def forget(place: Place) -> None:
        vault.delete(shelf_path(*place)).demand_done()

    def copy(source: Place, target: Place) -> None:
        vault.post(shelf_path(*target), vault.get(shelf_path(*source)).mapping("data")).demand_done()

    try:
        yield Keyring(
            here,
            openbao.new_institution(),
            VaultWrapper(store),
            VaultUnwrapper(reader),
            VaultEraser(eraser, None if proving_by_list else reader),
            VaultShelf(reader),
            VaultCanary(store, reader, here),
            VaultSigner(signer, here),
            forget,
            copy,
            openbao.sealed,
        )
    finally:
        for session in (store, reader, signer, eraser, vault):
            session.close()


@pytest.fixture(params=["fake", *(pytest.param(name, marks=pytest.mark.real) for name in ("openbao", "by listing"))])
def keyring(request: pytest.FixtureRequest) -> Iterator[Keyring]:
    if request.param == "fake":
        yield fake_keyring()
    else:
        openbao = request.getfixturevalue("openbao")
        with vault_keyring(openbao, proving_by_list=request.param == "by listing") as real:
            yield real


class TestKeyring:
    @pytest.mark.parametrize("shelf", list(Shelf))
    def test_a_minted_key_comes_back_the_same(self, keyring: Keyring, shelf: Shelf) -> None:
        minted = keyring.wrapper.mint(keyring.here, shelf)

        assert keyring.unwrapper.fetch(keyring.here, shelf, [minted.key_id]) == {minted.key_id: minted}

    def test_keys_are_32_bytes_and_all_different_under_random_ids(self, keyring: Keyring) -> None:
        minted = [keyring.wrapper.mint(keyring.here, Shelf.STUDY) for _ in range(8)]

        assert {len(one.key) for one in minted} == {32}
        assert len({one.key for one in minted}) == len({one.key_id for one in minted}) == 8
        assert {one.key_id.version for one in minted} == {4}

    def test_many_keys_come_back_in_one_call(self, keyring: Keyring) -> None:
        minted = {one.key_id: one for one in (keyring.wrapper.mint(keyring.here, Shelf.STUDY) for _ in range(130))}

        assert keyring.unwrapper.fetch(keyring.here, Shelf.STUDY, minted.keys()) == minted

    def test_asking_for_nothing_brings_nothing(self, keyring: Keyring) -> None:
        assert keyring.unwrapper.fetch(keyring.here, Shelf.STUDY, []) == {}

    def test_forgotten_and_unknown_keys_are_left_out(self, keyring: Keyring) -> None:
        kept, forgotten = (keyring.wrapper.mint(keyring.here, Shelf.STUDY) for _ in range(2))
        keyring.forget((keyring.here, Shelf.STUDY, forgotten.key_id))

        found = keyring.unwrapper.fetch(
            keyring.here, Shelf.STUDY, [kept.key_id, forgotten.key_id, KeyId(uuid4()), kept.key_id]
        )

        assert found == {kept.key_id: kept}

    @pytest.mark.parametrize("shelf", [Shelf.STUDY, Shelf.LEDGER])
    def test_erased_keys_are_gone_and_their_neighbours_stay(self, keyring: Keyring, shelf: Shelf) -> None:
        gone, stay = ([keyring.wrapper.mint(keyring.here, shelf) for _ in range(5)] for _ in range(2))
        elsewhere = keyring.wrapper.mint(keyring.elsewhere, shelf)

        keyring.eraser.erase(keyring.here, shelf, [one.key_id for one in gone])

        asked = [one.key_id for one in (*gone, *stay)]
        assert keyring.unwrapper.fetch(keyring.here, shelf, asked) == {one.key_id: one for one in stay}
        assert keyring.unwrapper.fetch(keyring.elsewhere, shelf, [elsewhere.key_id])

    def test_erasing_what_is_gone_or_never_was_is_done_at_once(self, keyring: Keyring) -> None:
        gone = keyring.wrapper.mint(keyring.here, Shelf.LEDGER).key_id

        for _ in range(2):
            keyring.eraser.erase(keyring.here, Shelf.LEDGER, [gone, KeyId(uuid4())])
        keyring.eraser.erase(NOWHERE, Shelf.LEDGER, [gone])
        keyring.eraser.erase(keyring.here, Shelf.LEDGER, [])

        assert keyring.unwrapper.fetch(keyring.here, Shelf.LEDGER, [gone]) == {}

    @pytest.mark.parametrize("shelf", [Shelf.INDEX, Shelf.INSTITUTION, Shelf.WRITER])
    def test_the_key_of_an_index_an_institution_or_a_writer_is_not_for_erasing(
        self, keyring: Keyring, shelf: Shelf
    ) -> None:
        stays = keyring.wrapper.mint(keyring.here, shelf)

        with pytest.raises(Unavailable):
            keyring.eraser.erase(keyring.here, shelf, [stays.key_id])

        assert keyring.unwrapper.fetch(keyring.here, shelf, [stays.key_id]) == {stays.key_id: stays}

    @pytest.mark.parametrize("count", [1, 30], ids=["few", "many"])
    def test_the_shelf_tells_what_lies_on_it_though_it_would_not_unwrap(self, keyring: Keyring, count: int) -> None:
        there = [keyring.wrapper.mint(keyring.here, Shelf.STUDY).key_id for _ in range(count)]
        spoilt, gone = KeyId(uuid4()), keyring.wrapper.mint(keyring.here, Shelf.STUDY).key_id
        keyring.copy((keyring.here, Shelf.STUDY, there[0]), (keyring.here, Shelf.STUDY, spoilt))
        keyring.forget((keyring.here, Shelf.STUDY, gone))

        asked = [*there, spoilt, gone, KeyId(uuid4())]
        assert keyring.shelf.lying(keyring.here, Shelf.STUDY, asked) == {*there, spoilt}
        assert keyring.shelf.lying(keyring.here, Shelf.LEDGER, asked) == frozenset()
        assert keyring.shelf.lying(keyring.elsewhere, Shelf.STUDY, asked) == frozenset()
        assert keyring.shelf.lying(keyring.here, Shelf.STUDY, []) == frozenset()

    def test_a_key_lies_on_one_shelf_of_one_institution(self, keyring: Keyring) -> None:
        minted = keyring.wrapper.mint(keyring.here, Shelf.STUDY)

        assert keyring.unwrapper.fetch(keyring.here, Shelf.INDEX, [minted.key_id]) == {}
        assert keyring.unwrapper.fetch(keyring.elsewhere, Shelf.STUDY, [minted.key_id]) == {}

    @pytest.mark.parametrize("moved", ["institution", "shelf", "key"])
    def test_a_wrapped_key_put_in_anothers_place_is_noticed(self, keyring: Keyring, moved: str) -> None:
        minted, other = (keyring.wrapper.mint(keyring.here, Shelf.STUDY) for _ in range(2))
        source = (keyring.here, Shelf.STUDY, minted.key_id)
        target = {
            "institution": (keyring.elsewhere, Shelf.STUDY, minted.key_id),
            "shelf": (keyring.here, Shelf.LEDGER, minted.key_id),
            "key": (keyring.here, Shelf.STUDY, other.key_id),
        }[moved]
        keyring.copy(source, target)

        with pytest.raises(Tampered):
            keyring.unwrapper.fetch(target[0], target[1], [target[2]])

    def test_one_spoilt_key_among_good_ones_is_noticed(self, keyring: Keyring) -> None:
        minted = [keyring.wrapper.mint(keyring.here, Shelf.STUDY) for _ in range(6)]
        keyring.copy(
            (keyring.here, Shelf.STUDY, minted[0].key_id),
            (keyring.here, Shelf.STUDY, minted[3].key_id),
        )

        with pytest.raises(Tampered):
            keyring.unwrapper.fetch(keyring.here, Shelf.STUDY, [one.key_id for one in minted])

    def test_an_institution_without_a_kek_gets_no_key(self, keyring: Keyring) -> None:
        with pytest.raises(Unavailable):
            keyring.wrapper.mint(NOWHERE, Shelf.STUDY)

    def test_no_key_shows_in_a_representation(self, keyring: Keyring) -> None:
        minted = keyring.wrapper.mint(keyring.here, Shelf.STUDY)

        assert repr(minted.key) not in repr(minted)

    def test_signatures_verify_under_the_public_key(self, keyring: Keyring) -> None:
        public = keyring.signer.public_key()
        signature = keyring.signer.sign(b"checkpoint")

        assert (len(public), len(signature)) == (32, 64)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, b"checkpoint")
        with pytest.raises(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(public).verify(signature, b"another")

    def test_the_public_key_stays_the_same(self, keyring: Keyring) -> None:
        assert keyring.signer.public_key() == keyring.signer.public_key()

    def test_sealed_nothing_works_and_unsealed_everything_does_again(self, keyring: Keyring) -> None:
        minted = keyring.wrapper.mint(keyring.here, Shelf.STUDY)
        keyring.canary.sing()

        with keyring.sealed():
            for act in (
                keyring.canary.sing,
                lambda: keyring.wrapper.mint(keyring.here, Shelf.STUDY),
                lambda: keyring.unwrapper.fetch(keyring.here, Shelf.STUDY, [minted.key_id]),
                lambda: keyring.signer.sign(b"checkpoint"),
                lambda: keyring.shelf.lying(keyring.here, Shelf.STUDY, [minted.key_id]),
                lambda: keyring.eraser.erase(keyring.here, Shelf.STUDY, [minted.key_id]),
            ):
                with pytest.raises(Unavailable):
                    act()

        assert keyring.unwrapper.fetch(keyring.here, Shelf.STUDY, [minted.key_id]) == {minted.key_id: minted}
