"""Ledger keys: one a patient and year, kept briefly, fetched once, and forgotten for good."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from pacs_secure.archive.key_pool import KeyPool
from pacs_secure.archive.ledger_keys import MOST_KEYS, OLDEST, LedgerKeys
from pacs_secure.archive.proofs import of_ledger_key
from pacs_secure.core.access import AccessRequest, Action, Role
from pacs_secure.core.audit import Outcome, SealedDetails
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, uid
from pacs_secure.crypto.index_seal import DetailsSeal
from pacs_secure.ports import KeyEraser, KeyShelf, KeyUnwrapper, LedgerKey, Shelf, Tombstone
from tests.builders import ELSEWHERE, HERE, NOW, draft, permit, subject
from tests.fakes import MemoryLedger, MemoryLedgerKeys
from tests.fakes_keys import FakeKeyring, MemorySnapshots
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import World

PATIENT, YEAR = uuid4(), 2026
PROVING = DetailsSeal(bytes(32))
AT = datetime(YEAR, 6, 1, tzinfo=UTC)


def listed(key_id: KeyId, of: Institution = HERE, patient: UUID | None = PATIENT, year: int = YEAR) -> LedgerKey:
    """Return a key as the archive lists it."""
    key = LedgerKey(key_id, of, patient, year)
    return replace(key, proof=of_ledger_key(PROVING, key))


class House:
    def __init__(self) -> None:
        self.now = 0.0
        self.ledger, self.keyring = MemoryLedger(), FakeKeyring()
        self.list = MemoryLedgerKeys(self.ledger)
        self.keys = self.process()

    def process(self, *, may_unwrap: bool = True, may_erase: bool = True) -> LedgerKeys:
        unwrapper: KeyUnwrapper | None = self.keyring if may_unwrap else None
        eraser: KeyEraser | None = self.keyring if may_erase else None
        shelf: KeyShelf | None = self.keyring if may_unwrap else None
        return LedgerKeys(
            self.list, self.ledger, self.keyring, unwrapper, eraser, shelf, lambda _: PROVING, lambda: self.now
        )

    def recorded(self, keys: LedgerKeys, patient: UUID | None = PATIENT, year: int = YEAR) -> KeyId:
        """Seal for a patient and record it, as an entry would; return the key."""
        key_id, _ = keys.seal(HERE, patient, year)
        self.ledger.keys.setdefault(key_id, listed(key_id, HERE, patient, year))
        return key_id

    def on_shelf(self, *key_ids: KeyId) -> int:
        return len(self.keyring.fetch(HERE, Shelf.LEDGER, key_ids))


@pytest.fixture
def house() -> House:
    return House()


def test_one_place_has_one_key_and_another_has_another(house: House) -> None:
    places = [(HERE, PATIENT, YEAR), (HERE, PATIENT, YEAR + 1), (HERE, uuid4(), YEAR), (HERE, None, YEAR)]
    places.append((ELSEWHERE, PATIENT, YEAR))

    first = [house.keys.seal(*place) for place in places]

    assert [house.keys.seal(*place) for place in places] == first
    assert len({key_id for key_id, _ in first}) == len(places) == house.keyring.minted


def test_what_one_process_seals_another_opens_with_the_same_key(house: House) -> None:
    key_id = house.recorded(house.keys)
    _, seal = house.keys.seal(HERE, PATIENT, YEAR)
    act = uuid4()
    box = seal.seal(act, b"details")

    other_id, other = house.process().seal(HERE, PATIENT, YEAR)

    assert (other_id, other.open(act, box)) == (key_id, b"details")
    assert house.keyring.minted == 1


def test_a_process_that_may_not_unwrap_makes_another_key(house: House) -> None:
    first = house.recorded(house.keys)

    assert house.process(may_unwrap=False).seal(HERE, PATIENT, YEAR)[0] != first
    assert house.keyring.minted == 2


def test_a_key_that_was_forgotten_elsewhere_serves_five_minutes_at_most(house: House) -> None:
    forgotten = house.recorded(house.keys)
    house.keyring.forget(forgotten)

    house.now = OLDEST
    assert house.keys.seal(HERE, PATIENT, YEAR)[0] == forgotten
    house.now += 0.001
    assert house.keys.seal(HERE, PATIENT, YEAR)[0] != forgotten


def test_a_key_in_memory_serves_on_while_the_vault_is_away_and_is_asked_for_again_after_it(house: House) -> None:
    held = house.recorded(house.keys)
    house.keyring.sealed = True
    house.now = 10 * OLDEST

    assert house.keys.seal(HERE, PATIENT, YEAR)[0] == held
    with pytest.raises(Unavailable):
        house.keys.seal(HERE, uuid4(), YEAR)

    house.keyring.sealed = False
    fetched = house.keyring.fetched
    same = [house.keys.seal(HERE, PATIENT, YEAR) for _ in range(2)]
    assert {key_id for key_id, _ in same} == {held}
    assert house.keyring.fetched == fetched + 1


def test_however_many_wait_a_key_is_made_once(house: House) -> None:
    got, together = [], threading.Barrier(8)

    def ask() -> None:
        together.wait(10)
        got.append(house.keys.seal(HERE, PATIENT, YEAR)[0])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert (len(got), len(set(got)), house.keyring.minted) == (8, 1, 1)


def test_memory_is_bounded_and_the_longest_unused_key_goes_first(house: House) -> None:
    first, second = (house.recorded(house.keys, uuid4()) for _ in range(2))
    places = {key.key_id: key.patient_alias for key in house.ledger.keys.values()}
    for _ in range(MOST_KEYS - 2):
        house.keys.seal(HERE, uuid4(), YEAR)
    house.keys.seal(HERE, places[first], YEAR)
    house.keys.seal(HERE, uuid4(), YEAR)
    fetched = house.keyring.fetched

    house.keys.seal(HERE, places[first], YEAR)
    assert house.keyring.fetched == fetched
    house.keys.seal(HERE, places[second], YEAR)
    assert house.keyring.fetched == fetched + 1


def test_a_key_made_beforehand_goes_to_the_next_new_patient_without_the_vault(house: House) -> None:
    house.keys.expect(HERE)
    house.keys.expect(HERE)
    assert house.keyring.minted == 1
    house.keys.seal(HERE, None, YEAR)
    assert house.keyring.minted == 2  # one for nobody is not a patient's
    house.keyring.sealed = True

    house.keys.seal(HERE, PATIENT, YEAR)
    with pytest.raises(Unavailable):
        house.keys.seal(HERE, uuid4(), YEAR)


def test_a_forgotten_patient_has_no_key_left_and_others_keep_theirs(house: House) -> None:
    years = [house.recorded(house.keys, year=year) for year in (2024, 2025, 2026)]
    other, nobody = house.recorded(house.keys, uuid4()), house.recorded(house.keys, None)

    assert house.keys.forget(permit(), HERE, PATIENT) == 3

    assert house.on_shelf(*years) == 0
    assert house.on_shelf(other, nobody) == 2
    assert house.list.of_patient(HERE, PATIENT) == []
    assert house.keys.forget(permit(), HERE, PATIENT) == 0


def test_only_the_years_that_are_named_are_forgotten(house: House) -> None:
    years = [house.recorded(house.keys, year=year) for year in (2024, 2025, 2026)]

    assert house.keys.forget(permit(), HERE, PATIENT, 2025) == 2
    assert house.on_shelf(*years) == house.on_shelf(years[2]) == 1


def test_after_forgetting_new_details_are_sealed_under_a_new_key(house: House) -> None:
    forgotten = house.recorded(house.keys)
    house.keys.forget(permit(), HERE, PATIENT)

    assert house.keys.seal(HERE, PATIENT, YEAR)[0] != forgotten


def test_keys_of_several_institutions_are_erased_in_one_go_and_again_harmlessly(house: House) -> None:
    here, there = house.keys.seal(HERE, None, 2020)[0], house.keys.seal(ELSEWHERE, None, 2020)[0]
    keys = [listed(here, HERE, None, 2020), listed(there, ELSEWHERE, None, 2020)]

    assert [house.keys.erase(permit(), keys) for _ in range(2)] == [2, 2]
    assert house.on_shelf(here) == len(house.keyring.fetch(ELSEWHERE, Shelf.LEDGER, [there])) == 0


def test_whoever_was_not_given_the_right_forgets_nothing(house: House) -> None:
    key_id = house.recorded(house.keys)
    process = house.process(may_erase=False)

    assert (process.may_forget, house.keys.may_forget) == (False, True)
    with pytest.raises(Unavailable):
        process.forget(permit(), HERE, PATIENT)
    assert house.on_shelf(key_id) == 1


def test_a_key_that_could_not_be_erased_stays_on_the_list(house: House) -> None:
    house.recorded(house.keys)
    house.keyring.sealed = True

    with pytest.raises(Unavailable):
        house.keys.forget(permit(), HERE, PATIENT)
    assert len(house.list.of_patient(HERE, PATIENT)) == 1


def test_the_list_knows_every_key_that_an_entry_names(house: House) -> None:
    key_id, seal = house.keys.seal(HERE, None, YEAR)
    written = draft()
    sealed = SealedDetails(key_id, seal.seal(written.act, b"details"))
    house.ledger.append(replace(written, details=sealed, patient_alias=None))

    assert [key.key_id for key in house.list.of(HERE, None, written.at.year)] == [key_id]


@pytest.mark.parametrize("changed", ["year", "patient_alias", "institution", "key_id", "proof"])
def test_a_key_that_the_archive_did_not_list_so_is_not_erased(house: House, changed: str) -> None:
    key_id = house.recorded(house.keys)
    other = house.keyring.mint(HERE, Shelf.LEDGER).key_id
    forged = {"year": 2001, "patient_alias": uuid4(), "institution": ELSEWHERE, "key_id": other, "proof": b""}

    with pytest.raises(Tampered):
        house.keys.erase(permit(), [replace(house.ledger.keys[key_id], **{changed: forged[changed]})])  # type: ignore[arg-type]
    assert house.on_shelf(key_id, other) == 2


def test_details_are_never_sealed_under_a_key_that_somebody_else_put_on_the_list(house: House) -> None:
    anothers = house.recorded(house.keys, uuid4())
    house.ledger.keys[anothers] = replace(house.ledger.keys[anothers], patient_alias=PATIENT)

    assert house.keys.seal(HERE, PATIENT, YEAR)[0] != anothers


def told(house: House, key_id: KeyId, at: datetime = AT) -> None:
    """Record an entry about the patient that names a key."""
    details = SealedDetails(key_id, b"box", listed(key_id, year=at.year).proof)
    house.ledger.append(replace(draft(at=at), patient_alias=PATIENT, institution=HERE, details=details))


@pytest.mark.parametrize("may_unwrap", [True, False])
def test_a_key_whose_row_was_hidden_is_forgotten_all_the_same(house: House, *, may_unwrap: bool) -> None:
    hidden, shown = (house.keyring.mint(HERE, Shelf.LEDGER).key_id for _ in range(2))
    told(house, hidden)
    told(house, shown)
    house.ledger.append(replace(draft(at=AT), patient_alias=PATIENT, details=None))
    del house.ledger.keys[hidden]

    assert house.process(may_unwrap=may_unwrap).forget(permit(), HERE, PATIENT) == 2
    assert house.on_shelf(hidden, shown) == 0
    assert house.keys.forget(permit(), HERE, PATIENT) == 0


def test_only_the_years_that_are_named_are_forgotten_of_keys_whose_rows_were_hidden(house: House) -> None:
    first, second = (house.keyring.mint(HERE, Shelf.LEDGER).key_id for _ in range(2))
    told(house, first)
    told(house, second, AT.replace(year=YEAR + 1))
    house.ledger.keys.clear()

    assert house.keys.forget(permit(), HERE, PATIENT, YEAR) == 1
    assert (house.on_shelf(first), house.on_shelf(second)) == (0, 1)


def test_no_entry_that_somebody_else_wrote_has_anothers_key_forgotten_with_a_patient(house: House) -> None:
    anothers = house.recorded(house.keys, uuid4())
    forged = SealedDetails(anothers, b"box", house.ledger.keys[anothers].proof)
    house.ledger.append(replace(draft(at=AT), patient_alias=PATIENT, institution=HERE, details=forged))

    with pytest.raises(Tampered):
        house.keys.forget(permit(), HERE, PATIENT)
    assert house.on_shelf(anothers) == 1


def test_a_refusal_about_a_patient_names_nobodys_key_which_stays(house: House) -> None:
    nobodys = house.recorded(house.keys, None)
    refused = replace(draft(Outcome.REFUSED, at=AT), patient_alias=PATIENT, institution=HERE)
    house.ledger.append(replace(refused, details=SealedDetails(nobodys, b"box", house.ledger.keys[nobodys].proof)))

    assert house.keys.forget(permit(), HERE, PATIENT) == 0
    assert house.on_shelf(nobodys) == 1


def test_when_the_vault_is_away_a_key_that_was_made_beforehand_takes_the_place_of_one_to_fetch(house: House) -> None:
    known = house.recorded(house.keys)
    pool = KeyPool(house.keyring, house.keyring, MemorySnapshots(), HERE, 1, lambda: AT, only_in_snapshot=False)
    pool.fill()
    other = LedgerKeys(house.list, house.ledger, pool, house.keyring, None, None, lambda _: PROVING, lambda: house.now)
    house.keyring.sealed = True

    made, _ = other.seal(HERE, PATIENT, YEAR)
    assert made != known
    with pytest.raises(Unavailable):
        other.seal(HERE, uuid4(), YEAR)


def test_what_is_forgotten_of_a_patient_has_its_tombstones(world: World) -> None:
    store(world, data_set(1, PatientID="patient 1"))
    facts = world.archive.facts.of(subject(Role.RADIOLOGIST), None, uid(study_uid()))
    assert facts is not None
    asked = AccessRequest(subject(Role.OPERATOR, department=""), Action.LEDGER_EXPIRE, None)
    keys = {key.key_id for key in world.house.engines.ledger_keys.of_patient(HERE, facts.patient_alias)}
    permit_to_forget = world.archive.guard.decide(asked)

    assert world.archive.ledger_keys.forget(permit_to_forget, HERE, facts.patient_alias) == len(keys) > 0

    assert {(one.key_id, one.shelf) for one in world.tombstones.all()} == {(key_id, Shelf.LEDGER) for key_id in keys}
    assert world.keyring.lying(HERE, Shelf.LEDGER, keys) == frozenset()


def test_a_key_that_was_buried_and_not_deleted_yet_is_found_and_deleted(world: World) -> None:
    store(world, data_set(1, PatientID="patient 1"))
    facts = world.archive.facts.of(subject(Role.RADIOLOGIST), None, uid(study_uid()))
    assert facts is not None
    listed_keys = list(world.house.engines.ledger_keys.of_patient(HERE, facts.patient_alias))
    world.tombstones.bury([Tombstone(key.key_id, HERE, Shelf.LEDGER, NOW) for key in listed_keys])
    asked = AccessRequest(subject(Role.OPERATOR, department=""), Action.LEDGER_EXPIRE, None)
    permit_to_forget = world.archive.guard.decide(asked)
    world.house.engines.ledger_keys.remove(permit_to_forget, listed_keys)

    assert world.archive.ledger_keys.forget(permit_to_forget, HERE, facts.patient_alias) == len(listed_keys)
    assert world.keyring.lying(HERE, Shelf.LEDGER, [key.key_id for key in listed_keys]) == frozenset()
