"""What the keyring makes of answers that a real vault gives rarely or never."""

import base64
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.vault_keyring import VaultCanary, VaultEraser, VaultSigner, VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_session import Token, VaultSession
from pacs_secure.core.errors import ArchiveError, Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import Shelf
from tests.vault_stub import Answer, Asked, StubVault, stub_vault

HERE = Institution("here")
KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[StubVault]:
    with stub_vault(tmp_path) as running:
        yield running


@pytest.fixture
def session(stub: StubVault) -> Iterator[VaultSession]:
    made = VaultSession(stub.address, stub.ca_file, Token("token"))
    yield made
    made.close()


def shelved(asked: Asked, results: Answer) -> Answer:
    return (200, {"data": {"wrapped": "vault:v1:w"}}) if asked.method == "GET" else results


def batch(*results: object) -> dict[str, object]:
    return {"data": {"batch_results": list(results)}}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, batch({"plaintext": "", "error": "cipher: message authentication failed"})), Tampered),
        ((200, batch({"plaintext": "", "error": "out of range"})), Tampered),
        ((200, batch({"reference": ""})), Tampered),
        ((200, batch({"plaintext": base64.b64encode(bytes(31)).decode()})), Tampered),
        ((200, batch({"plaintext": KEY}, {"plaintext": KEY})), Unavailable),
        ((200, batch()), Unavailable),
        ((200, {"data": {}}), Unavailable),
        ((400, {"errors": ["encryption key not found"]}), Unavailable),
    ],
)
def test_a_key_that_does_not_unwrap_is_never_returned(
    session: VaultSession, stub: StubVault, answer: Answer, error: type[ArchiveError]
) -> None:
    stub.answer = lambda asked: shelved(asked, answer)

    with pytest.raises(error):
        VaultUnwrapper(session).fetch(HERE, Shelf.STUDY, [KeyId(uuid4())])


def test_an_entry_that_is_no_wrapped_key_is_unavailable(session: VaultSession, stub: StubVault) -> None:
    stub.answer = lambda _: (200, {"data": {"something": "else"}})

    with pytest.raises(Unavailable):
        VaultUnwrapper(session).fetch(HERE, Shelf.STUDY, [KeyId(uuid4())])


def test_250_keys_are_unwrapped_in_three_batches_of_at_most_100(session: VaultSession, stub: StubVault) -> None:
    def answer(asked: Asked) -> Answer:
        assert asked.body is None or isinstance(asked.body, dict)
        count = len(asked.body["batch_input"]) if asked.body else 0
        return shelved(asked, (200, batch(*[{"plaintext": KEY}] * count)))

    stub.answer = answer
    key_ids = [KeyId(uuid4()) for _ in range(250)]

    assert VaultUnwrapper(session).fetch(HERE, Shelf.STUDY, key_ids).keys() == set(key_ids)
    batches = [asked.body["batch_input"] for asked in stub.asked if isinstance(asked.body, dict)]
    assert [len(one) for one in batches] == [100, 100, 50]


def test_the_context_names_institution_shelf_and_key(session: VaultSession, stub: StubVault) -> None:
    stub.answer = lambda _: (200, {"data": {"ciphertext": "vault:v1:w"}})
    minted = VaultWrapper(session).mint(HERE, Shelf.INDEX)

    encrypt, put = stub.asked
    assert isinstance(encrypt.body, dict)
    assert base64.b64decode(encrypt.body["context"]) == b"here\0index\0" + minted.key_id.bytes
    assert base64.b64decode(encrypt.body["plaintext"]) == minted.key
    assert (put.path, put.body) == (f"/v1/shelf/index/here/{minted.key_id}", {"wrapped": "vault:v1:w"})


def test_a_key_that_did_not_reach_the_shelf_is_not_handed_out(session: VaultSession, stub: StubVault) -> None:
    stub.answer = lambda asked: (
        (200, {"data": {"ciphertext": "vault:v1:w"}}) if "transit" in asked.path else (400, {"errors": ["full"]})
    )

    with pytest.raises(Unavailable):
        VaultWrapper(session).mint(HERE, Shelf.STUDY)


@pytest.mark.parametrize("reading", [False, True])
@pytest.mark.parametrize("method", ["DELETE", "GET", "LIST"])
def test_a_key_that_is_not_proven_gone_is_not_called_erased(
    session: VaultSession, stub: StubVault, method: str, *, reading: bool
) -> None:
    key_id = KeyId(uuid4())
    there: Answer = (200, {"data": {"keys": ["another", str(key_id)]}})
    bad: dict[str, Answer] = {"DELETE": (400, {"errors": ["read-only"]}), "GET": there, "LIST": there}
    stub.answer = lambda asked: (
        bad[method] if asked.method == method else ((204, None) if asked.method == "DELETE" else (404, {"errors": []}))
    )
    eraser = VaultEraser(session, session if reading else None)

    if method in {"DELETE", "GET" if reading else "LIST"}:
        with pytest.raises(Unavailable):
            eraser.erase(HERE, Shelf.LEDGER, [key_id])
    else:
        eraser.erase(HERE, Shelf.LEDGER, [key_id])
    assert stub.asked[0].path == f"/v1/shelf/ledger/here/{key_id}"


def test_a_canary_that_gets_back_something_else_does_not_sing(session: VaultSession, stub: StubVault) -> None:
    stub.answer = lambda _: (200, {"data": {"ciphertext": "vault:v1:w", "plaintext": KEY}})

    with pytest.raises(Unavailable):
        VaultCanary(session, session, HERE).sing()


def signing(signature: str, version: object = 3, public: str = KEY) -> dict[str, object]:
    return {"data": {"latest_version": version, "keys": {"3": {"public_key": public}}, "signature": signature}}


GOOD = base64.b64encode(bytes(64)).decode()


def test_a_signer_keeps_to_the_version_whose_public_key_it_told(session: VaultSession, stub: StubVault) -> None:
    stub.answer = lambda _: (200, signing(f"vault:v3:{GOOD}"))
    signer = VaultSigner(session, HERE)

    assert (signer.public_key(), signer.sign(b"m")) == (bytes(32), bytes(64))
    assert [asked.body for asked in stub.asked] == [None, {"input": "bQ==", "key_version": 3}]


@pytest.mark.parametrize(
    "answer",
    [
        signing(f"vault:v4:{GOOD}"),
        signing(f"vault:v3:{KEY}"),
        signing("vault:v3:?"),
        signing(f"vault:v3:{GOOD}", version="3"),
        signing(f"vault:v3:{GOOD}", public=GOOD),
        {"data": {}},
    ],
)
def test_a_signature_that_is_not_as_asked_is_refused(
    session: VaultSession, stub: StubVault, answer: dict[str, object]
) -> None:
    stub.answer = lambda _: (200, answer)

    with pytest.raises(Unavailable):
        VaultSigner(session, HERE).sign(b"m")
