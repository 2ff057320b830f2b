"""Taking the ledger back: what was signed, all of it, or nothing; and keys by what the ledger proves."""

from datetime import datetime
from uuid import UUID

import pytest

from pacs_secure.archive.institution_recovery import InstitutionRecovery
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import InstitutionKeys, Shelf
from tests.aged import write_past
from tests.builders import HERE, subject
from tests.unit.archive.instances import data_set, store
from tests.world import World, memory_world

OPERATOR = subject(Role.OPERATOR)


def lose(world: World) -> World:
    return memory_world(of=world)


def test_where_nothing_was_published_the_ledger_begins_anew(world: World) -> None:
    store(world)
    verdict = lose(world).archive.rebuild.run(OPERATOR)

    assert (verdict.told["entries"], verdict.told["pseudonyms"]) == (0, "go on")


@pytest.mark.parametrize("what", ["hashes", "entries"])
def test_a_published_ledger_that_is_not_what_was_signed_is_not_believed(world: World, what: str) -> None:
    store(world, data_set(1), data_set(2))
    world.notary.attest()
    anew = lose(world)
    told = world.publisher.leaves if what == "hashes" else world.publisher.entries
    told[0], told[1] = told[1], told[0]
    with pytest.raises(Tampered):
        anew.archive.rebuild.run(OPERATOR)
    assert anew.ledger.size() == 0


def test_what_expired_is_not_missed_and_its_certificates_come_back(world: World) -> None:
    write_past(world.house, 600)
    world.notary.attest()
    world.archive.ledger_retention.expire(OPERATOR, None, details={})
    world.notary.attest()
    anew = lose(world)
    verdict = anew.archive.rebuild.run(OPERATOR)

    assert verdict.told["entries"] == world.publisher.published()
    assert (anew.ledger.first, anew.ledger.certificates) == (512, world.ledger.certificates)
    assert list(anew.ledger.leaf_hashes(0, 700))[:600] == list(world.ledger.leaf_hashes(0, 600))
    assert anew.archive.verify.check_ledger(OPERATOR).findings == ()


def test_a_checkpoint_of_another_key_is_not_believed(world: World) -> None:
    store(world)
    world.notary.attest()
    anew = lose(world)
    from tests.fakes_keys import FakeKeyring

    stranger = FakeKeyring()
    world.keyring._log_key = stranger._log_key
    with pytest.raises(Tampered):
        anew.archive.rebuild.run(OPERATOR)


def test_an_interrupted_return_goes_on_and_a_later_run_takes_nothing_twice(world: World) -> None:
    store(world, *(data_set(study) for study in range(1, 5)))
    world.notary.attest()
    anew = lose(world)
    rebuilds = anew.house.engines.rebuilds
    rebuilds.begin(datetime.now().astimezone())
    rebuilds.take_back(world.ledger.kept[:3])
    assert anew.archive.rebuild.ledger.take_back() == world.ledger.size()
    assert anew.ledger.kept == world.ledger.kept
    anew.archive.verify.check_ledger(OPERATOR)
    assert anew.archive.rebuild.ledger.take_back() == anew.ledger.size() > world.ledger.size()


def keys_of(world: World) -> InstitutionKeys:
    keys = world.records.institution_keys(HERE, None)
    assert keys is not None
    return keys


def test_of_several_keys_the_one_that_the_ledger_proves_is_the_institutions_own(world: World) -> None:
    store(world)
    world.notary.attest()
    for _ in range(3):
        world.keyring.mint(HERE, Shelf.INSTITUTION)
    strange = world.keyring.mint(HERE, Shelf.STUDY).key_id
    # Somebody with the vault's disks puts another key's entry there, under the first name of all.
    first = KeyId(UUID(int=0))
    world.keyring.copy((HERE, Shelf.STUDY, strange), (HERE, Shelf.INSTITUTION, first))
    anew = lose(world)
    verdict = anew.archive.rebuild.run(OPERATOR)

    assert verdict.told["pseudonyms"] == "go on"
    assert keys_of(anew).ledger == keys_of(world).ledger
    assert keys_of(anew).index == keys_of(world).index


def test_where_the_proven_key_is_gone_persons_get_other_pseudonyms(world: World) -> None:
    store(world)
    world.notary.attest()
    before = keys_of(world)
    world.keyring.forget(before.ledger)
    world.keyring.mint(HERE, Shelf.INSTITUTION)
    world.keyring.mint(HERE, Shelf.INDEX)
    anew = lose(world)
    verdict = anew.archive.rebuild.run(OPERATOR)

    assert verdict.told["pseudonyms"] == "begin anew"
    assert keys_of(anew).index != before.index


def test_a_key_that_goes_between_listing_and_fetching_is_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world)
    world.notary.attest()
    anew = lose(world)
    recovery: InstitutionRecovery = anew.archive.rebuild.institutions
    listed = anew.keyring.listed

    def late(*given: object) -> object:
        found = listed(*given)  # type: ignore[arg-type]
        anew.keyring.forget(keys_of(world).ledger)
        return found

    monkeypatch.setattr(anew.keyring, "listed", late)
    anew.house.engines.rebuilds.begin(datetime.now().astimezone())
    anew.archive.rebuild.ledger.take_back()
    assert recovery.settle(HERE) is False
    assert recovery.settle(HERE) is True
