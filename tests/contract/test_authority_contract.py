"""What every authority of devices keeps, held against the vault's PKI engine and the one in memory alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from pacs_secure.adapters.vault_authority import VaultAuthority, VaultRevocations
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.core.devices import device_uri
from pacs_secure.core.errors import Unavailable
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.crypto.revocation import read_lists
from pacs_secure.ports import CertificateAuthority, IssuedCertificate, RevocationLists
from tests.builders import HERE
from tests.fakes_authority import MemoryAuthority
from tests.vault_fixture import RunningVault


@dataclass
class Pki:
    authority: CertificateAuthority
    lists: RevocationLists

    def issue(self, *, destination: bool = False) -> IssuedCertificate:
        return self.authority.issue(HERE, "CT1", destination=destination)

    def names(self, issued: IssuedCertificate) -> bool:
        """Say whether the newest list names a certificate."""
        lists = read_lists(self.lists.fetch(), issued.ca_pem.encode(), datetime.now(UTC))
        return any(one.names(read_certificate(issued.cert_pem.encode())) for one in lists)


@pytest.fixture(params=["memory", pytest.param("vault", marks=pytest.mark.real)])
def pki(request: pytest.FixtureRequest) -> Iterator[Pki]:
    if request.param == "memory":
        memory = MemoryAuthority()
        yield Pki(memory, memory)
        return
    vault: RunningVault = request.getfixturevalue("openbao")
    enroller, revoker = vault.session(VaultRole.ENROLLER), vault.session(VaultRole.REVOKER)
    anonymous = VaultSession(vault.address, vault.ca_file, None)
    yield Pki(VaultAuthority(enroller, revoker), VaultRevocations(anonymous, revoker))
    for session in (enroller, revoker, anonymous):
        session.close()


@pytest.mark.parametrize("destination", [False, True])
def test_a_certificate_names_its_device_and_fits_its_key(pki: Pki, *, destination: bool) -> None:
    issued = pki.issue(destination=destination)
    key = load_pem_private_key(issued.key_pem.encode(), None).public_key()
    certificate = load_pem_x509_certificate(issued.cert_pem.encode())

    assert read_certificate(issued.cert_pem.encode()).uris == {device_uri(HERE, "CT1")}
    spki = [
        one.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for one in (key, certificate.public_key())
    ]
    assert spki[0] == spki[1]
    certificate.verify_directly_issued_by(load_pem_x509_certificate(issued.ca_pem.encode()))
    assert issued.key_pem not in repr(issued)


def test_what_is_revoked_stands_in_the_list_at_once_and_nothing_else_does(pki: Pki) -> None:
    one, other = pki.issue(), pki.issue()
    serial = read_certificate(one.cert_pem.encode()).serial

    assert not pki.names(one)
    assert pki.authority.revoke(serial)
    assert pki.authority.revoke(serial)
    assert (pki.names(one), pki.names(other)) == (True, False)


@pytest.mark.parametrize("serial", ["", "0abc", "no serial"])
def test_a_serial_number_of_another_authority_is_none_of_its_own(pki: Pki, serial: str) -> None:
    assert not pki.authority.revoke(serial)


def test_a_newer_list_is_made_when_asked_for(pki: Pki) -> None:
    authorities = pki.issue().ca_pem.encode()
    (before,) = read_lists(pki.lists.fetch(), authorities, datetime.now(UTC))

    pki.lists.renew()

    (after,) = read_lists(pki.lists.fetch(), authorities, datetime.now(UTC))
    assert after.number > before.number


def test_who_was_given_no_right_neither_issues_nor_revokes_nor_renews() -> None:
    powerless = VaultAuthority(None, None)
    anonymous = VaultSession.__new__(VaultSession)

    for act in (
        lambda: powerless.issue(HERE, "CT1", destination=False),
        lambda: powerless.revoke("0abc"),
        VaultRevocations(anonymous, None).renew,
    ):
        with pytest.raises(Unavailable, match="no right"):
            act()
