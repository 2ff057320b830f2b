"""What everything that turns keys and wraps them anew keeps, held against the real vault and the fake alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pacs_secure.adapters.vault_keyring import VaultUnwrapper, VaultWrapper, shelf_path
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_rewrapper import VaultRewrapper
from pacs_secure.adapters.vault_session import Json, Reply, VaultSession
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, institution
from pacs_secure.ports import ForgettableKey, KeyRewrapper, KeyUnwrapper, KeyWrapper, Shelf
from tests.fakes_keys import FakeKeyring, Place
from tests.vault_fixture import RunningVault

MINUTE = timedelta(minutes=1)


@dataclass
class Kept:
    """One implementation, and what happens to its shelf from outside."""

    here: Institution
    wrapper: KeyWrapper
    unwrapper: KeyUnwrapper
    rewrapper: KeyRewrapper
    forget: Callable[[Place], None]
    copy: Callable[[Place, Place], None]
    forget_between: Callable[[Place], None]
    """Forget a key after the next batch was read, before it is written."""

    def mint(self, count: int, shelf: Shelf = Shelf.STUDY) -> list[ForgettableKey]:
        return [self.wrapper.mint(self.here, shelf) for _ in range(count)]

    def fetch(self, *keys: ForgettableKey) -> set[ForgettableKey]:
        return set(self.unwrapper.fetch(self.here, Shelf.STUDY, [key.key_id for key in keys]).values())

    def place(self, key: ForgettableKey) -> Place:
        return self.here, Shelf.STUDY, key.key_id


class Interrupted(VaultSession):
    """A session in whose batches something happens between reading and writing."""

    between: Callable[[], object] = staticmethod(lambda: None)

    def post(self, path: str, body: Json) -> Reply:
        reply = super().post(path, body)
        if path.startswith("transit/rewrap/"):
            self.between()
        return reply


def fake() -> Kept:
    keyring = FakeKeyring()

    def forget_between(place: Place) -> None:
        keyring.between = lambda: keyring.forget(place[2])

    return Kept(
        institution("here"),
        keyring,
        keyring,
        keyring,
        lambda place: keyring.forget(place[2]),
        keyring.copy,
        forget_between,
    )


@contextmanager
def real(openbao: RunningVault) -> Iterator[Kept]:
    store, reader = openbao.session(VaultRole.STORE), openbao.session(VaultRole.READER)
    keeper = Interrupted(openbao.address, openbao.ca_file, openbao.credentials[VaultRole.KEEPER])
    vault = openbao.administrator()

    def forget(place: Place) -> None:
        vault.delete(shelf_path(*place)).demand_done()

    def copy(source: Place, target: Place) -> None:
        vault.post(shelf_path(*target), vault.get(shelf_path(*source)).mapping("data")).demand_done()

    def forget_between(place: Place) -> None:
        keeper.between = lambda: forget(place)

    try:
        yield Kept(
            openbao.new_institution(),
            VaultWrapper(store),
            VaultUnwrapper(reader),
            VaultRewrapper(keeper),
            forget,
            copy,
            forget_between,
        )
    finally:
        for session in (store, reader, keeper, vault):
            session.close()


@pytest.fixture(params=["fake", pytest.param("openbao", marks=pytest.mark.real)])
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    if request.param == "fake":
        yield fake()
    else:
        with real(request.getfixturevalue("openbao")) as one:
            yield one


def test_a_key_has_one_version_until_it_is_turned(kept: Kept) -> None:
    kept.mint(1)
    before = kept.rewrapper.state(kept.here)
    after = kept.rewrapper.rotate(kept.here)

    assert (before.newest, before.least) == (1, 1)
    assert (after.newest, after.least) == (2, 1)
    assert after == kept.rewrapper.state(kept.here)
    assert abs(datetime.now(UTC) - after.made_at) < MINUTE


def test_what_lies_on_a_shelf_is_told_in_order_and_of_one_shelf_only(kept: Kept) -> None:
    minted = kept.mint(5)
    kept.mint(1, Shelf.LEDGER)

    assert kept.rewrapper.shelved(kept.here, Shelf.STUDY) == sorted(key.key_id for key in minted)
    assert kept.rewrapper.shelved(kept.here, Shelf.INDEX) == []


def test_keys_stay_the_same_whatever_version_wraps_them(kept: Kept) -> None:
    minted = kept.mint(130)
    ids = [key.key_id for key in minted]
    kept.rewrapper.rotate(kept.here)
    assert kept.rewrapper.below(kept.here, Shelf.STUDY, ids, 2) == 130

    first = kept.rewrapper.rewrap(kept.here, Shelf.STUDY, ids, 2)
    again = kept.rewrapper.rewrap(kept.here, Shelf.STUDY, ids, 2)

    assert (first.done, first.current, first.gone, first.failed) == (frozenset(ids), 0, 0, frozenset())
    assert (again.done, again.current) == (frozenset(), 130)
    assert kept.rewrapper.below(kept.here, Shelf.STUDY, ids, 2) == 0
    kept.rewrapper.retire(kept.here, 2)
    assert kept.rewrapper.state(kept.here).least == 2
    assert kept.fetch(*minted) == set(minted)


def test_a_key_made_after_the_turn_needs_nothing(kept: Kept) -> None:
    kept.mint(1)
    kept.rewrapper.rotate(kept.here)
    (key,) = kept.mint(1)

    assert kept.rewrapper.rewrap(kept.here, Shelf.STUDY, [key.key_id], 2).current == 1


def test_what_was_left_under_a_retired_version_opens_no_more(kept: Kept) -> None:
    (key,) = kept.mint(1)
    kept.rewrapper.rotate(kept.here)
    kept.rewrapper.retire(kept.here, 2)

    with pytest.raises(Tampered):
        kept.fetch(key)


def test_a_version_that_is_not_there_is_not_made_the_oldest(kept: Kept) -> None:
    kept.mint(1)

    with pytest.raises(Unavailable):
        kept.rewrapper.retire(kept.here, 9)


def test_one_entry_that_cannot_be_wrapped_is_named_and_its_neighbours_are(kept: Kept) -> None:
    minted = kept.mint(4)
    kept.copy(kept.place(minted[0]), kept.place(minted[2]))  # bound to another place
    kept.rewrapper.rotate(kept.here)

    result = kept.rewrapper.rewrap(kept.here, Shelf.STUDY, [key.key_id for key in minted], 2)

    good = [minted[0], minted[1], minted[3]]
    assert result.failed == {minted[2].key_id}
    assert result.done == {key.key_id for key in good}
    assert kept.rewrapper.below(kept.here, Shelf.STUDY, [key.key_id for key in minted], 2) == 1
    assert kept.fetch(*good) == set(good)


def test_what_is_forgotten_is_left_out_and_not_counted_as_left(kept: Kept) -> None:
    gone, stays = kept.mint(2)
    kept.rewrapper.rotate(kept.here)
    kept.forget(kept.place(gone))

    result = kept.rewrapper.rewrap(kept.here, Shelf.STUDY, [gone.key_id, stays.key_id, KeyId(uuid4())], 2)

    assert (set(result.done), result.gone) == ({stays.key_id}, 2)
    assert kept.rewrapper.below(kept.here, Shelf.STUDY, [gone.key_id], 2) == 0


def test_what_is_forgotten_after_it_was_read_is_never_written_again(kept: Kept) -> None:
    gone, stays = kept.mint(2)
    kept.rewrapper.rotate(kept.here)
    kept.forget_between(kept.place(gone))

    result = kept.rewrapper.rewrap(kept.here, Shelf.STUDY, [gone.key_id, stays.key_id], 2)

    assert (set(result.done), result.gone) == ({stays.key_id}, 1)
    assert kept.rewrapper.shelved(kept.here, Shelf.STUDY) == [stays.key_id]
    assert kept.fetch(gone, stays) == {stays}
