"""One entry, proven by what was published, checked before it is given."""

import pytest

from pacs_secure.archive.ledger_proofs import LedgerProofs
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Conflict, Denied, NotFound, Tampered
from pacs_secure.crypto.tlog import leaf_hash, verify_inclusion, verify_note
from tests.builders import subject
from tests.unit.archive.instances import data_set, store
from tests.unit.archive.people import DPO, THEIR_DPO
from tests.world import ORIGIN, World

NOTE = {"protocol": "test"}


@pytest.fixture
def proofs(world: World) -> LedgerProofs:
    """A published ledger of seven entries and more that no checkpoint covers."""
    for number in range(1, 4):
        store(world, data_set(1, number))
    world.archive.verify.check_ledger(DPO)
    world.notary.attest()
    return world.archive.ledger_proofs


def test_every_published_entry_is_proven_to_whoever_has_the_key(world: World, proofs: LedgerProofs) -> None:
    size = len(world.ledger.kept)
    for index in range(size):
        proof = proofs.of(DPO, None, index, details=NOTE)

        assert (proof.index, proof.size, proof.content) == (index, size, world.ledger.kept[index].content)
        verify_note(proof.checkpoint, ORIGIN, world.keyring.public_key())
        assert verify_inclusion(leaf_hash(proof.content), index, proof.size, proof.path, proof.root)


def test_asking_for_a_proof_is_on_record(world: World, proofs: LedgerProofs) -> None:
    proofs.of(DPO, None, 3, details=NOTE)

    begun, completed = world.entries()[-2:]
    assert (begun["action"], begun["facts"]["proof"]) == ("ledger:verify", "3")
    assert (completed["outcome"], completed["facts"]["size"]) == ("completed", len(world.ledger.kept) - 2)


@pytest.mark.parametrize("index", [-1, 10**30])
def test_what_is_not_in_the_ledger_is_not_found(world: World, proofs: LedgerProofs, index: int) -> None:
    with pytest.raises(NotFound):
        proofs.of(DPO, None, index, details=NOTE)
    assert world.entries()[-1]["outcome"] == "failed"


def test_an_entry_of_another_institution_is_not_there(proofs: LedgerProofs) -> None:
    with pytest.raises(NotFound):
        proofs.of(THEIR_DPO, None, 0, details=NOTE)


def test_what_no_checkpoint_covers_yet_is_asked_for_again_later(world: World, proofs: LedgerProofs) -> None:
    young = len(world.ledger.kept)
    with pytest.raises(Conflict):
        proofs.of(DPO, None, young, details=NOTE)


def test_before_the_first_checkpoint_nothing_is_proven(world: World) -> None:
    with pytest.raises(Conflict):
        world.archive.ledger_proofs.of(DPO, None, 0, details=NOTE)


def test_published_entries_that_were_changed_prove_nothing(world: World, proofs: LedgerProofs) -> None:
    world.publisher.entries[2] = world.publisher.entries[2].replace(b"technologist", b"radiologist")

    with pytest.raises(Tampered):
        proofs.of(DPO, None, 2, details=NOTE)


def test_a_checkpoint_of_another_key_proves_nothing(world: World, proofs: LedgerProofs) -> None:
    assert world.publisher.note is not None
    world.publisher.note = world.publisher.note.replace("—".encode(), "— another".encode(), 1)

    with pytest.raises(Tampered):
        proofs.of(DPO, None, 0, details=NOTE)


def test_who_may_not_verify_the_ledger_gets_no_proof(proofs: LedgerProofs) -> None:
    with pytest.raises(Denied):
        proofs.of(subject(Role.RADIOLOGIST), None, 0, details=NOTE)
