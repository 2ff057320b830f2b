"""Commands for the keys, on a real vault."""

import json
import os
from pathlib import Path

import pytest

from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.archive.key_pool import Level
from pacs_secure.bootstrap import assemble
from pacs_secure.cli import keys
from pacs_secure.settings import load
from tests.unit.cli.test_cli import config, run
from tests.vault_fixture import RunningVault

__all__ = ["config"]

pytestmark = pytest.mark.real


def test_a_key_is_turned_and_everything_is_wrapped_anew(config: Path) -> None:
    assert keys.keys_rotate.__doc__
    run("--config", config, "ledger", "verify")  # which makes keys

    code, said = run("--config", config, "keys", "rotate")
    assert (code, said.split(" wraps")[0]) == (0, "version 2")
    code, told = run("--config", config, "keys", "status", "--json")
    status = json.loads(told)
    assert (code, status["kek"]["newest"], status["kek"]["least"], status["pending"]) == (0, 2, 1, True)
    assert {one["shelf"]: one["keys"] > 0 for one in status["shelves"]} == {
        **dict.fromkeys(("index", "institution", "ledger", "writer"), True),
        "study": False,
    }
    assert run("--config", config, "keys", "rotate")[0] == 1

    code, said = run("--config", config, "keys", "rewrap", "--json")
    rekeyed = json.loads(said)
    assert (code, rekeyed["failed"], rekeyed["older"]) == (0, 0, "young")
    assert rekeyed["rewrapped"] >= 4
    code, said = run("--config", config, "keys", "rewrap")
    assert (code, "for a minute" in said) == (0, True)
    code, said = run("--config", config, "keys", "status")
    assert (code, "not at its end" in said, "institution" in said) == (0, True, True)
    assert json.loads(run("--config", config, "keys", "rotate", "--json")[1])["newest"] == 3


def test_without_the_role_nothing_is_turned(config: Path) -> None:
    file = config.parent / "credentials.json"
    credentials = json.loads(file.read_text())
    del credentials["keeper"]
    file.write_text(json.dumps(credentials))
    assert os.access(file, os.R_OK)

    assert run("--config", config, "keys", "rotate")[0] == 1
    assert run("--config", config, "keys", "rewrap")[0] == 1


@pytest.mark.parametrize("role", ["store", "minter"])
def test_an_archive_that_is_told_to_keep_keys_ready_has_a_pool(config: Path, openbao: RunningVault, role: str) -> None:
    config.write_text(f"{config.read_text()}\n[keys]\npool = 2\nonly_in_snapshot = false\n")
    file = config.parent / "credentials.json"
    credentials = json.loads(file.read_text())
    if role == "minter":
        minter = openbao.credentials[VaultRole.MINTER]
        file.write_text(
            json.dumps({**credentials, "minter": {"role_id": minter.role_id, "secret_id": minter.secret_id}})
        )

    with assemble(load(config)) as house:
        pool = house.engines.pool
        assert pool is not None
        assert pool.fill() == 4
        assert pool.level() == Level(4, 0)
    assert load(config).keys.only_in_snapshot is False
