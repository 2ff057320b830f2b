"""Commands that read the ledger."""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_secure.adapters.vault_keyring import VaultSigner
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.archive.notary import Notary
from pacs_secure.bootstrap import assemble
from pacs_secure.cli import ledger_reading
from pacs_secure.core.access import Role
from pacs_secure.core.identifiers import institution
from pacs_secure.crypto.tlog import leaf_hash, verify_inclusion
from pacs_secure.house import House
from pacs_secure.settings import load
from tests.builders import subject
from tests.unit.archive.instances import received
from tests.unit.cli.test_cli import config, run
from tests.vault_fixture import RunningVault

__all__ = ["config"]

pytestmark = pytest.mark.real


@contextmanager
def house_of(config: Path) -> Iterator[House]:
    with assemble(load(config)) as house:
        yield house


@pytest.fixture
def filled(config: Path, openbao: RunningVault) -> Path:
    """An archive that took one picture, and whose ledger was published."""
    settings = load(config)
    with house_of(config) as house:
        technologist = subject(Role.TECHNOLOGIST, of=settings.institution)
        with house.archive.ingest.begin(technologist, None, {}) as reception:
            reception.store(received())
        session = openbao.session(VaultRole.SIGNER)
        signer, engines = VaultSigner(session, institution(settings.institution)), house.engines
        Notary(engines.ledger, engines.publisher, signer, engines.origin).attest()
        session.close()
    return config


def test_a_proof_is_written_that_anybody_can_check(filled: Path) -> None:
    assert ledger_reading.ledger_proof.__doc__
    code, written = run("--config", filled, "ledger", "proof", "1")

    proof = json.loads(written)
    leaf, path = leaf_hash(b64decode(proof["entry"])), [b64decode(node) for node in proof["path"]]
    assert (code, proof["index"], proof["size"]) == (0, 1, 2)
    assert proof["checkpoint"].splitlines()[:3] == [load(filled).ledger.origin, "2", proof["root"]]
    assert verify_inclusion(leaf, 1, 2, path, b64decode(proof["root"]))
    assert run("--config", filled, "ledger", "proof", "99")[0] == 1
