"""What a witness promises, asked over the network and within this process alike (C2SP tlog-witness)."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure.adapters.https_witness import HttpsWitness
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.crypto.tlog import consistency_proof, parse_checkpoint, verify_cosignature, witness_key
from pacs_secure.ports import Cosigned, SeenElsewhere, Witness
from tests.certificates import Authority
from tests.fakes_witness import MemoryWitness
from tests.witnesses import LOG_VERIFIER, leaves, make, note_of, running

Submit = Callable[[int, list[bytes]], Cosigned | SeenElsewhere]


@pytest.fixture(params=["https", "http", "memory"])
def witness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Witness]:
    if request.param == "memory":
        yield MemoryWitness(tmp_path, str(LOG_VERIFIER), "w1")
        return
    verifier = make(tmp_path / "w1", "w1.example")
    if request.param == "http":
        with running(tmp_path / "w1") as one:
            yield HttpsWitness("w1", one.url, verifier)
        return
    authority = Authority(tmp_path)
    pair = authority.issue("witness")
    with running(tmp_path / "w1", "--certificate", pair.certificate, "--certificate-key", pair.key) as one:
        yield HttpsWitness("w1", f"https://127.0.0.1:{one.port}", verifier, authority.file)


@pytest.fixture
def submit(witness: Witness) -> Submit:
    """Show it a log as it is, with the right proof."""

    def show(old: int, hashes: list[bytes]) -> Cosigned | SeenElsewhere:
        return witness.submit(old, consistency_proof(hashes, old) if old else [], note_of(hashes))

    return show


def test_growth_is_co_signed_and_what_comes_back_verifies(witness: Witness, submit: Submit) -> None:
    assert witness.name == "w1"
    for old, size in [(0, 3), (3, 3), (3, 300)]:
        answer = submit(old, leaves(size))
        assert isinstance(answer, Cosigned)
        assert abs(answer.at - datetime.now(UTC)) < timedelta(minutes=1)
        assert answer.line.startswith("\u2014 w1.example ")


def test_its_own_cosignature_is_known_again_and_no_other(witness: Witness, submit: Submit) -> None:
    answer, note = submit(0, leaves(3)), note_of(leaves(3))
    assert isinstance(answer, Cosigned)
    line = f"{answer.line}\n".encode()
    assert witness.signed(note + line)
    assert not witness.signed(note)
    assert not witness.signed(note_of(leaves(4)) + line)
    assert not witness.signed(note + line.replace(b"w1.example", b"w2.example"))
    with pytest.raises(Tampered):
        witness.signed(line)


def test_whoever_starts_elsewhere_learns_what_was_seen(submit: Submit) -> None:
    submit(0, leaves(5))

    assert submit(0, leaves(6)) == submit(4, leaves(6)) == SeenElsewhere(5)


def test_another_root_of_the_size_that_was_seen_is_answered_with_that_size(submit: Submit) -> None:
    submit(0, leaves(5))

    assert submit(5, leaves(5, fork_at=2)) == SeenElsewhere(5)


def test_another_history_is_tampering(submit: Submit) -> None:
    submit(0, leaves(5))

    with pytest.raises(Tampered):
        submit(5, leaves(9, fork_at=2))


def test_a_ledger_that_is_not_watched_is_not_signed(witness: Witness) -> None:
    with pytest.raises(Unavailable):
        witness.submit(0, [], note_of(leaves(2), "other.example/ledger"))
    with pytest.raises(Unavailable):
        witness.submit(0, [], note_of(leaves(2), key=Ed25519PrivateKey.from_private_bytes(bytes(32))))


def test_a_cosignature_is_believed_under_the_configured_key_only(tmp_path: Path) -> None:
    make(tmp_path / "w1", "w1.example")
    another = make(tmp_path / "w2", "w1.example")
    with running(tmp_path / "w1") as one:
        with pytest.raises(Tampered, match="under the key that is trusted"):
            HttpsWitness("w1", one.url, another).submit(0, [], note_of(leaves(2)))
        line = one.newest()[2].splitlines()[-1]
        verify_cosignature(line, witness_key(one.verifier), parse_checkpoint(note_of(leaves(2))).text)


def test_a_witness_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    verifier = make(tmp_path / "w1", "w1.example")
    with running(tmp_path / "w1") as one:
        gone = HttpsWitness("w1", one.url, verifier)
    with pytest.raises(Unavailable):
        gone.submit(0, [], note_of(leaves(2)))
