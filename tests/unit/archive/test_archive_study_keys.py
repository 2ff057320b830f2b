"""Study keys in memory: few, briefly, and fetched once however many wait."""

import threading
from collections.abc import Collection
from uuid import uuid4

import pytest

from pacs_secure.archive.study_keys import MOST_IDLE, MOST_KEYS, MOST_OCTETS, MOST_USES, OLDEST, SHORTER, StudyKeys
from pacs_secure.core.errors import NotFound, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, uid
from pacs_secure.ports import ForgettableKey, Shelf
from tests.builders import ELSEWHERE, HERE
from tests.fakes_keys import FakeKeyring

STUDY = uid("1.2.3")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Keys:
    def __init__(self) -> None:
        self.clock = Clock()
        self.keyring = FakeKeyring()
        self.cache = StudyKeys(self.keyring, self.keyring, self.clock, lambda: 0.0)

    def mint(self, count: int = 1) -> list[KeyId]:
        return [self.keyring.mint(HERE, Shelf.STUDY).key_id for _ in range(count)]

    def open(self, *key_ids: KeyId) -> dict[KeyId, ForgettableKey]:
        return self.cache.for_opening(HERE, key_ids)


@pytest.fixture
def keys() -> Keys:
    return Keys()


def test_a_study_is_sealed_under_one_key_while_it_is_in_memory(keys: Keys) -> None:
    first = keys.cache.for_sealing(HERE, STUDY)

    assert keys.cache.for_sealing(HERE, STUDY) == first
    assert keys.keyring.minted == 1


def test_studies_and_institutions_never_share_a_key(keys: Keys) -> None:
    made = {keys.cache.for_sealing(of, uid(study)).key for of in (HERE, ELSEWHERE) for study in ("1.2", "1.3")}

    assert len(made) == 4


def test_a_key_is_fetched_once_while_it_is_in_memory(keys: Keys) -> None:
    (key_id,) = keys.mint()

    assert keys.open(key_id) == keys.open(key_id)
    assert keys.keyring.fetched == 1


def test_keys_of_many_objects_are_fetched_in_one_batch_of_those_that_are_missing(keys: Keys) -> None:
    one, *others = keys.mint(5)
    keys.open(one)

    assert keys.open(one, *others).keys() == {one, *others}
    assert keys.keyring.fetched == 2


def test_no_keys_wanted_none_fetched(keys: Keys) -> None:
    assert keys.open() == {}
    assert keys.keyring.fetched == 0


def test_a_forgotten_key_opens_nothing_though_others_are_there(keys: Keys) -> None:
    there, forgotten = keys.mint(2)
    keys.keyring.forget(forgotten)

    with pytest.raises(NotFound):
        keys.open(there, forgotten)


def test_a_key_of_another_institution_is_not_found(keys: Keys) -> None:
    (key_id,) = keys.mint()
    keys.open(key_id)

    with pytest.raises(NotFound):
        keys.cache.for_opening(ELSEWHERE, [key_id])


def advance(keys: Keys, key_id: KeyId, until: float, step: float) -> None:
    """Let time pass while the key is in use."""
    end = keys.clock.now + until
    while keys.clock.now + step < end:
        keys.clock.now += step
        keys.open(key_id)
    keys.clock.now = end


def test_a_key_in_use_is_fetched_again_after_five_minutes(keys: Keys) -> None:
    (key_id,) = keys.mint()
    keys.open(key_id)

    advance(keys, key_id, OLDEST, 30)
    keys.open(key_id)
    assert keys.keyring.fetched == 1
    keys.clock.now += 0.001
    keys.open(key_id)
    assert keys.keyring.fetched == 2


def test_a_key_that_nobody_uses_is_fetched_again_after_a_minute(keys: Keys) -> None:
    (key_id,) = keys.mint()
    keys.open(key_id)

    keys.clock.now += MOST_IDLE
    keys.open(key_id)
    assert keys.keyring.fetched == 1
    keys.clock.now += MOST_IDLE + 0.001
    keys.open(key_id)
    assert keys.keyring.fetched == 2


def test_idle_keys_leave_the_memory_whatever_key_is_asked_for(keys: Keys) -> None:
    *idle, other = keys.mint(10)
    keys.open(*idle)
    keys.clock.now += MOST_IDLE + 1
    keys.open(other)

    assert [place[1] for place in keys.cache._opening._keys] == [other]


def test_at_most_4096_keys_stay_and_the_least_used_leaves_first(keys: Keys) -> None:
    first, second = keys.mint(2)
    keys.open(first)
    keys.open(second)
    keys.open(first)
    keys.open(*keys.mint(MOST_KEYS - 1))

    assert len(keys.cache._opening._keys) == MOST_KEYS
    fetched = keys.keyring.fetched
    keys.open(first)
    assert keys.keyring.fetched == fetched
    keys.open(second)
    assert keys.keyring.fetched == fetched + 1


def test_a_key_seals_no_more_than_a_million_objects(keys: Keys) -> None:
    first = keys.cache.for_sealing(HERE, STUDY)
    kept = keys.cache._sealing._keys[HERE, STUDY, 0]
    kept.uses = MOST_USES - 1

    assert keys.cache.for_sealing(HERE, STUDY) == first
    assert kept.uses == MOST_USES
    assert keys.cache.for_sealing(HERE, STUDY) != first


def test_dropped_keys_are_gone_at_once(keys: Keys) -> None:
    (key_id,) = keys.mint()
    keys.open(key_id)
    sealing = keys.cache.for_sealing(HERE, STUDY)
    keys.cache.flush()

    assert keys.cache.for_sealing(HERE, STUDY) != sealing
    keys.keyring.sealed = True
    with pytest.raises(Unavailable):
        keys.open(key_id)


def test_a_failed_fetch_is_not_remembered(keys: Keys) -> None:
    (key_id,) = keys.mint()
    keys.keyring.sealed = True
    with pytest.raises(Unavailable):
        keys.open(key_id)
    keys.keyring.sealed = False

    assert keys.open(key_id)


class SlowKeyring(FakeKeyring):
    """A keyring that waits until it is let go, so that others come meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def mint(self, institution: Institution, shelf: Shelf) -> ForgettableKey:
        assert self.go.wait(10)
        return super().mint(institution, shelf)

    def fetch(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> dict[KeyId, ForgettableKey]:
        assert self.go.wait(10)
        return super().fetch(institution, shelf, key_ids)


@pytest.mark.parametrize("way", ["sealing", "opening"])
def test_a_key_that_many_wait_for_is_asked_for_once(way: str) -> None:
    keyring = SlowKeyring()
    keyring.go.set()
    key_id = keyring.mint(HERE, Shelf.STUDY).key_id
    keyring.go.clear()
    cache = StudyKeys(keyring, keyring, Clock())
    got: list[ForgettableKey] = []

    def ask() -> None:
        opened = cache.for_opening(HERE, [key_id])[key_id] if way == "opening" else cache.for_sealing(HERE, STUDY)
        got.append(opened)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    keyring.go.set()
    for thread in threads:
        thread.join(30)

    assert len(got) == 20
    assert len({one.key for one in got}) == 1
    assert (keyring.minted, keyring.fetched) == ((1, 1) if way == "opening" else (2, 0))


def test_no_key_shows_when_it_is_printed(keys: Keys) -> None:
    made = keys.cache.for_sealing(HERE, STUDY)

    assert repr(made.key) not in repr(made)
    assert uuid4() != made.key_id


def test_a_key_seals_no_more_than_a_tebibyte(keys: Keys) -> None:
    first = keys.cache.for_sealing(HERE, STUDY)
    keys.cache.sealed(HERE, STUDY, MOST_OCTETS - 1)
    assert keys.cache.for_sealing(HERE, STUDY) == first
    keys.cache.sealed(HERE, STUDY, 1)

    assert keys.cache.for_sealing(HERE, STUDY) != first
    keys.cache.sealed(HERE, uid("1.2.9"), 1)  # of a study whose key has left the memory, nobody counts


def test_not_all_keys_grow_equally_old() -> None:
    keys = Keys()
    ages = iter((0.0, 1.0))
    cache = StudyKeys(keys.keyring, keys.keyring, keys.clock, lambda: next(ages))
    long, short = keys.mint(2)
    cache.for_opening(HERE, [long])
    cache.for_opening(HERE, [short])
    for _ in range(6):
        keys.clock.now += 45.1  # 270.6 s in the end
        before = keys.keyring.fetched
        cache.for_opening(HERE, [long])
        assert keys.keyring.fetched == before
        if keys.clock.now < 1_000 + OLDEST * (1 - SHORTER):
            cache.for_opening(HERE, [short])

    with pytest.raises(StopIteration):
        cache.for_opening(HERE, [short])  # it is fetched again, and asks for another age


def test_keys_that_outlast_an_outage_go_on_sealing_and_open_nothing() -> None:
    keys = Keys()
    cache = StudyKeys(keys.keyring, keys.keyring, keys.clock, outlasting=True)
    key = cache.for_sealing(HERE, STUDY)
    cache.flush()
    keys.keyring.sealed = True

    assert cache.for_sealing(HERE, STUDY) == key
    with pytest.raises(Unavailable):
        cache.for_opening(HERE, [key.key_id])
