"""Secret ids on their way: opened once, by whom they were made for, and never unnoticed by another."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pacs_secure.adapters.vault_provisioning import VaultRole, wrapped_secret_id
from pacs_secure.adapters.vault_session import AppRole, VaultSession
from pacs_secure.adapters.vault_wrapping import unwrap_secret_id
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.settings import Settings, load
from pacs_secure.vault import Vault
from tests.settings_file import WHOLE, written
from tests.vault_fixture import RunningVault

pytestmark = pytest.mark.real

Alarms = list[tuple[str, dict[str, str | int]]]


def deliver(openbao: RunningVault, folder: Path, role: VaultRole = VaultRole.STORE, mode: int = 0o600) -> Path:
    file = folder / f"{role}.token"
    with openbao.administering() as vault:
        file.write_text(f"{wrapped_secret_id(vault, role)}\n")
    file.chmod(mode)
    return file


def unwrap(openbao: RunningVault, file: Path, role: str = "store") -> str:
    return unwrap_secret_id(openbao.address, openbao.ca_file, role, file)


def test_what_is_delivered_logs_in_and_its_token_is_gone(openbao: RunningVault, tmp_path: Path) -> None:
    file = deliver(openbao, tmp_path)

    secret_id = unwrap(openbao, file)

    identity = AppRole(openbao.credentials[VaultRole.STORE].role_id, secret_id)
    session = VaultSession(openbao.address, openbao.ca_file, identity)
    probe = {"plaintext": "", "context": "cHJvYmU="}
    assert session.post("transit/encrypt/kek-clinic", probe).done
    session.close()
    assert not file.exists()


def test_the_second_who_opens_it_hears_that_somebody_was_first(openbao: RunningVault, tmp_path: Path) -> None:
    file = deliver(openbao, tmp_path)
    token = file.read_text()
    unwrap(openbao, file)
    file.write_text(token)
    file.chmod(0o600)

    with pytest.raises(Tampered, match="role store was unwrapped already") as error:
        unwrap(openbao, file)
    assert token.strip() not in str(error.value)


def test_what_was_made_for_another_role_is_not_taken(openbao: RunningVault, tmp_path: Path) -> None:
    file = deliver(openbao, tmp_path, VaultRole.SIGNER)

    with pytest.raises(Tampered, match="exchanged"):
        unwrap(openbao, file)


def test_what_somebody_wrapped_anew_after_opening_it_is_not_taken(openbao: RunningVault, tmp_path: Path) -> None:
    file = tmp_path / "store.token"
    with openbao.administering() as vault:
        file.write_text(vault.post_wrapped("sys/wrapping/wrap", {"secret_id": "of my own"}, 60))
    file.chmod(0o600)

    with pytest.raises(Tampered, match="exchanged"):
        unwrap(openbao, file)


@pytest.mark.parametrize("what", ["missing", "empty", "no text", "shared"])
def test_a_token_that_is_not_there_or_lies_open_is_not_used(openbao: RunningVault, tmp_path: Path, what: str) -> None:
    file = tmp_path / "store.token"
    if what == "shared":
        deliver(openbao, tmp_path, mode=0o640)
    elif what != "missing":
        file.write_bytes(b"" if what == "empty" else b"\xff\xfe")

    with pytest.raises(Unavailable, match="role store"):
        unwrap(openbao, file)


def test_a_vault_that_is_away_spends_no_token(openbao: RunningVault, tmp_path: Path) -> None:
    file = deliver(openbao, tmp_path)
    with openbao.sealed(), pytest.raises(Unavailable):
        unwrap(openbao, file)

    assert unwrap(openbao, file)


class TestProcess:
    """A process that starts with credentials that were delivered wrapped."""

    @pytest.fixture
    def settings(self, openbao: RunningVault, tmp_path: Path) -> Settings:
        text = WHOLE.replace("https://127.0.0.1:8200", openbao.address)
        text = text.replace('ca_file = "ca.pem"', f'ca_file = "{openbao.ca_file}"', 1)
        text = text.replace('"credentials.json"', f'"{tmp_path / "credentials.json"}"')
        return load(written(tmp_path, text))

    @contextmanager
    def started(self, settings: Settings) -> Iterator[Vault]:
        with ExitStack() as stack:
            yield Vault(settings, stack)

    def give(self, openbao: RunningVault, folder: Path, *wrapped: VaultRole) -> None:
        told: dict[str, dict[str, str]] = {}
        for role in (VaultRole.STORE, VaultRole.SIGNER):
            identity = openbao.credentials[role]
            told[role] = {"role_id": identity.role_id, "secret_id": identity.secret_id}
            if role in wrapped:
                told[role] = {"role_id": identity.role_id, "wrapping_token_file": deliver(openbao, folder, role).name}
        (folder / "credentials.json").write_text(json.dumps(told))

    def alarms(self, vault: Vault) -> Alarms:
        told: Alarms = []
        vault.tell(lambda kind, facts: told.append((kind, dict(facts))))
        return told

    def test_each_role_is_unwrapped_once_however_often_it_is_used(
        self, openbao: RunningVault, tmp_path: Path, settings: Settings
    ) -> None:
        self.give(openbao, tmp_path, VaultRole.STORE)

        with self.started(settings) as vault:
            for _ in range(2):
                assert (
                    vault.session("store").post("transit/encrypt/kek-clinic", {"plaintext": "", "context": "eA=="}).done
                )
            assert vault.session_if_given("reader") is None
            vault.demand_whole()
            assert self.alarms(vault) == []

    def test_a_token_that_somebody_else_has_opened_is_an_error_and_an_alarm_once(
        self, openbao: RunningVault, tmp_path: Path, settings: Settings
    ) -> None:
        self.give(openbao, tmp_path, VaultRole.STORE, VaultRole.SIGNER)
        token = (tmp_path / "store.token").read_text()
        unwrap(openbao, tmp_path / "store.token")
        (tmp_path / "store.token").write_text(token)
        (tmp_path / "store.token").chmod(0o600)

        with self.started(settings) as vault:
            with pytest.raises(Tampered):
                vault.session("store")
            with pytest.raises(Tampered):
                vault.demand_whole()
            assert vault.session_if_given("store") is None
        # Without that role nothing could be recorded: the next start does it.
        self.give(openbao, tmp_path)
        with self.started(settings) as vault:
            vault.demand_whole()
            ((kind, facts),) = self.alarms(vault)
            assert (kind, facts["role"]) == ("vault credentials", "store")
            assert self.alarms(vault) == []

    def test_an_alarm_that_cannot_be_recorded_waits(
        self, openbao: RunningVault, tmp_path: Path, settings: Settings
    ) -> None:
        self.give(openbao, tmp_path)
        spent = tmp_path / "credentials.json.spent"
        spent.write_text('{"role": "store", "noticed": "2026-03-01T12:00:00+00:00"}\nnot one\n"nor this"\n')

        def away(*_: object) -> None:
            raise Unavailable("the ledger is out of reach")

        with self.started(settings) as vault:
            with pytest.raises(Unavailable):
                vault.tell(away)
            assert [facts["role"] for _, facts in self.alarms(vault)] == ["store"]
        assert not spent.exists()

    @pytest.mark.parametrize("told", ["[]", "no JSON", '{"store": {"role_id": "x"}}', '{"signer": {}}'])
    def test_credentials_that_are_none_are_not_guessed(self, tmp_path: Path, settings: Settings, told: str) -> None:
        (tmp_path / "credentials.json").write_text(told)

        with pytest.raises(Unavailable, match="vault credentials"), self.started(settings) as vault:
            vault.session("store")
        with pytest.raises(Unavailable, match="vault credentials"), self.started(settings) as vault:
            vault.session_if_given("signer" if "signer" in told else "store")

    def test_where_nothing_can_be_noted_the_error_still_comes(
        self, openbao: RunningVault, tmp_path: Path, settings: Settings
    ) -> None:
        self.give(openbao, tmp_path, VaultRole.SIGNER)
        (tmp_path / "signer.token").write_text("s.unknown")
        (tmp_path / "credentials.json.spent").mkdir()

        with self.started(settings) as vault, pytest.raises(Tampered):
            vault.demand_whole()
