"""`ledger witnesses`: what a witness is told, and how far they have signed."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.archive.notary import Notary
from pacs_secure.archive.witnessing import Witnessing
from pacs_secure.cli import ledger_witnesses
from pacs_secure.crypto.tlog import log_verifier_key
from tests.builders import draft
from tests.fakes import MemoryLedger
from tests.fakes_keys import FakeKeyring
from tests.fakes_witness import MemoryWitness
from tests.settings_file import WHOLE, written
from tests.unit.cli.test_cli import run

ORIGIN = "north.example/ledger"


def test_it_says_what_a_witness_is_told_and_how_far_they_have_signed(tmp_path: Path) -> None:
    keyring, ledger, publisher = FakeKeyring(), MemoryLedger(), TileDirectory(tmp_path / "ledger")
    key = log_verifier_key(ORIGIN, keyring.public_key())
    witness = MemoryWitness(tmp_path / "w1", key)
    pem = Ed25519PublicKey.from_public_bytes(keyring.public_key())
    (tmp_path / "public.pem").write_bytes(pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    text = WHOLE.replace('"ledger"', f'"{tmp_path}/ledger"').replace('"public.pem"', f'"{tmp_path}/public.pem"')
    text += f'[[ledger.witnesses]]\nname = "w1"\nurl = "http://127.0.0.1:1"\nverifier_key = "{witness.verifier_key}"\n'
    file = written(tmp_path, text)
    file.chmod(0o600)
    assert ledger_witnesses.ledger_witnesses.__doc__

    def told() -> dict[str, object]:
        code, said = run("--config", file, "ledger", "witnesses", "--json")
        assert code == 0
        found: dict[str, object] = json.loads(said)
        return found

    nothing = {
        "verifier_key": key,
        "published": 0,
        "witnessed": 0,
        "quorum": 1,
        "witnesses": {"w1": witness.verifier_key},
    }
    assert told() == nothing
    for entries in (3, 2):
        for _ in range(entries):
            ledger.append(draft())
        Notary(ledger, publisher, keyring, ORIGIN).attest()
        if entries == 3:
            Witnessing(ledger, publisher, lambda _: None, [witness], 1, lambda *_: None).attest()
    assert told() == {**nothing, "published": 5, "witnessed": 3}
    code, said = run("--config", file, "ledger", "witnesses")
    assert (code, key in said, "published  5 entries, 3 of them witnessed by 1 or more" in said) == (0, True, True)
