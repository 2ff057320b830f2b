"""What provisioning makes of a vault that is not as it should be, and where it finds its policies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_secure.adapters import vault_provisioning
from pacs_secure.adapters.vault_provisioning import administrator, policy_directory, provision
from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.core.errors import Conflict, Unavailable
from pacs_secure.core.identifiers import Institution
from tests.vault_stub import StubVault, stub_vault

HERE = Institution("here")


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[StubVault]:
    with stub_vault(tmp_path) as running:
        yield running


@pytest.fixture
def vault(stub: StubVault) -> Iterator[VaultSession]:
    made = administrator(stub.address, stub.ca_file, "root")
    yield made
    made.close()


@pytest.mark.parametrize(
    "mounted",
    [
        {"transit/": {"type": "kv"}},
        {"transit/": {"type": "transit"}, "shelf/": {"type": "kv", "options": {"version": "2"}}},
    ],
    ids=["another engine", "a shelf that keeps versions"],
)
def test_an_engine_that_is_not_the_archives_is_not_taken_over(
    vault: VaultSession, stub: StubVault, mounted: object
) -> None:
    stub.answer = lambda _: (200, {"data": mounted})

    with pytest.raises(Conflict):
        provision(vault, HERE)
    assert [asked.method for asked in stub.asked] == ["GET"]


def test_a_vault_that_refuses_is_unavailable(vault: VaultSession, stub: StubVault) -> None:
    stub.answer = lambda _: (403, {"errors": ["permission denied"]})

    with pytest.raises(Unavailable):
        provision(vault, HERE)


def test_an_installed_package_brings_its_policies_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = tmp_path / "_bundled" / "vault"
    bundled.mkdir(parents=True)
    monkeypatch.setattr(vault_provisioning, "_PACKAGE", tmp_path)

    assert policy_directory() == bundled
