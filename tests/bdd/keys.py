"""Two key stores that a scenario may seal: a real OpenBao, and a shelf in memory."""

from dataclasses import dataclass, field
from pathlib import Path

from pacs_secure.adapters.vault_key_list import VaultKeyList
from pacs_secure.adapters.vault_keyring import VaultCanary, VaultEraser, VaultSigner, VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_rewrapper import VaultRewrapper
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import KeyCanary, KeyEraser, KeyList, KeyRewrapper, KeyUnwrapper, KeyWrapper, Signer
from tests.builders import HERE
from tests.fakes_keys import FakeKeyring
from tests.vault_fixture import RunningVault


@dataclass
class MemoryKeys:
    """A key store in memory, sealed by a word."""

    keyring: FakeKeyring = field(default_factory=FakeKeyring)
    institution: Institution = HERE
    directories: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        self.wrapper: KeyWrapper = self.keyring
        self.unwrapper: KeyUnwrapper = self.keyring
        self.canary: KeyCanary = self.keyring
        self.signer: Signer = self.keyring
        self.eraser: KeyEraser = self.keyring
        self.key_list: KeyList = self.keyring
        self.rewrapper: KeyRewrapper = self.keyring

    def seal(self) -> None:
        self.keyring.sealed = True

    def unseal(self) -> None:
        self.keyring.sealed = False


class VaultKeys:
    """A real OpenBao, with an institution that no other test knows."""

    def __init__(self, vault: RunningVault) -> None:
        self.vault = vault
        self.institution = vault.new_institution()
        self.directories = (vault.server.directory,)
        roles = (VaultRole.STORE, VaultRole.READER, VaultRole.SIGNER, VaultRole.ERASER, VaultRole.KEEPER)
        self.sessions = {role: vault.session(role) for role in roles}
        store, reader, signer, eraser, keeper = self.sessions.values()
        self.wrapper: KeyWrapper = VaultWrapper(store)
        self.unwrapper: KeyUnwrapper = VaultUnwrapper(reader)
        self.canary: KeyCanary = VaultCanary(store, reader, self.institution)
        self.signer: Signer = VaultSigner(signer, self.institution)
        self.eraser: KeyEraser = VaultEraser(eraser, reader)
        self.key_list: KeyList = VaultKeyList(keeper)
        self.rewrapper: KeyRewrapper = VaultRewrapper(keeper)

    def seal(self) -> None:
        self.vault.seal()

    def unseal(self) -> None:
        self.vault.unseal()

    def close(self) -> None:
        self.vault.unseal()
        for session in self.sessions.values():
            session.close()
