"""The two keys of an institution: made once, the index key asked for again, the ledger key kept."""

import threading

import pytest

from pacs_secure.archive.institutions import OLDEST_INDEX_KEY, InstitutionSeals
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.index_seal import IndexSeal
from pacs_secure.ports import InstitutionKeys
from tests.builders import ELSEWHERE, HERE
from tests.fakes import MemoryRecords
from tests.fakes_keys import FakeKeyring


class House:
    def __init__(self) -> None:
        self.now = 0.0
        self.records, self.keyring = MemoryRecords(), FakeKeyring()
        self.seals = self.another_process()

    def another_process(self) -> InstitutionSeals:
        return InstitutionSeals(self.records, self.keyring, self.keyring, lambda: self.now)


@pytest.fixture
def house() -> House:
    return House()


def test_keys_are_made_when_an_institution_is_first_met_and_never_again(house: House) -> None:
    sealed = house.seals.index(HERE).seal("STUDY", "1", "1", b"content")
    house.seals.details(HERE)

    assert house.another_process().index(HERE).open("STUDY", "1", "1", sealed) == b"content"
    assert house.keyring.minted == 2


def test_of_two_processes_that_meet_an_institution_at_once_one_makes_its_keys(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, kept = house.another_process(), house.records.institution_keys
    first: list[InstitutionKeys] = []

    def late(of: Institution, proposed: InstitutionKeys | None) -> InstitutionKeys | None:
        if proposed is not None:
            monkeypatch.undo()
            first.append(other.ledger_keys(HERE))
        return kept(of, proposed)

    monkeypatch.setattr(house.records, "institution_keys", late)
    assert [house.seals.ledger_keys(HERE)] == first


def test_institutions_share_no_key(house: House) -> None:
    assert house.seals.index(HERE).token("PatientID", "1") != house.seals.index(ELSEWHERE).token("PatientID", "1")
    assert house.seals.ledger_keys(HERE) != house.seals.ledger_keys(ELSEWHERE)


def test_an_index_key_serves_five_minutes_then_the_shelf_is_asked_again(house: House) -> None:
    first = house.seals.index(HERE)
    house.now = OLDEST_INDEX_KEY
    assert house.seals.index(HERE) is first

    house.now += 0.001
    assert house.seals.index(HERE) is not first
    house.keyring.sealed = True
    house.now += OLDEST_INDEX_KEY + 1
    with pytest.raises(Unavailable):
        house.seals.index(HERE)


def test_a_flushed_index_key_is_gone_and_the_ledger_key_stays(house: House) -> None:
    house.seals.index(HERE)
    details = house.seals.details(HERE)
    house.keyring.sealed = True
    house.seals.flush()

    assert house.seals.details(HERE) is details
    assert not any(isinstance(held, IndexSeal) for held in vars(house.seals)["_index"].values())
    with pytest.raises(Unavailable):
        house.seals.index(HERE)


@pytest.mark.parametrize("which", ["index", "ledger"])
def test_a_key_that_is_missing_from_the_shelf_is_never_made_anew(house: House, which: str) -> None:
    keys = house.seals.ledger_keys(HERE)
    house.keyring.forget(getattr(keys, which))
    process = house.another_process()

    with pytest.raises(Tampered):
        process.index(HERE) if which == "index" else process.details(HERE)
    assert house.keyring.minted == 2


def test_a_forgotten_index_key_does_not_keep_acts_from_being_recorded(house: House) -> None:
    house.keyring.forget(house.seals.ledger_keys(HERE).index)

    assert house.another_process().details(HERE).pseudonym(HERE, "someone")


def test_however_many_wait_a_key_is_fetched_once(house: House) -> None:
    house.seals.ledger_keys(HERE)
    process = house.another_process()
    fetched = house.keyring.fetched
    threads = [threading.Thread(target=ask, args=(HERE,)) for ask in (process.index, process.details) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert house.keyring.fetched == fetched + 2
