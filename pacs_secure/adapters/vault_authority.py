"""The PKI engine of the vault as the authority of the devices: issues, revokes, and says what is revoked."""

from datetime import timedelta

from pacs_secure.adapters.vault_provisioning import CertificateRole, issue_certificate
from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.core.devices import device_uri
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import IssuedCertificate

LIFE = timedelta(days=365)


class VaultAuthority:
    """`pacs_secure.ports.CertificateAuthority` by two roles of the vault, one to give and one to take back.

    A process may have been given neither; then it can enrol devices by certificates of others.
    """

    def __init__(self, enroller: VaultSession | None, revoker: VaultSession | None) -> None:
        self._enroller = enroller
        self._revoker = revoker

    def issue(self, of: Institution, ae_title: str, *, destination: bool) -> IssuedCertificate:
        """Issue a P-256 certificate for a year; its URI names the device, and it has no other name.

        Under the same authority a host name or address would let a device pose as the archive itself.

        Raises:
            Unavailable: the vault is out of reach, or this process was given no right to issue.
        """
        role = CertificateRole.DESTINATION if destination else CertificateRole.DEVICE
        uris = (device_uri(of, ae_title),)
        return issue_certificate(_given(self._enroller), role, ae_title, uri_sans=uris, ttl=LIFE)

    def revoke(self, serial: str) -> bool:
        """Revoke a certificate and have the list name it at once; false when the engine does not know it.

        Raises:
            Unavailable: the vault is out of reach, or this process was given no right to revoke.
        """
        revoker = _given(self._revoker)
        octets = ":".join(serial[place : place + 2] for place in range(0, len(serial), 2))
        if not serial or not revoker.post("pki/revoke", {"serial_number": octets}).done:
            return False
        _rotate(revoker)  # an engine that was told to rebuild its list now and then would wait
        return True


class VaultRevocations:
    """`pacs_secure.ports.RevocationLists` of the PKI engine; reading needs no login."""

    def __init__(self, anonymous: VaultSession, revoker: VaultSession | None) -> None:
        self._anonymous = anonymous
        self._revoker = revoker

    def fetch(self) -> bytes:
        """Return the newest list as PEM; raises `Unavailable` when the vault is out of reach."""
        return self._anonymous.get("pki/cert/crl").demand_done().text("data", "certificate").encode()

    def renew(self) -> None:
        """Have the engine sign a new list; raises `Unavailable` when it does not, or this process may not ask."""
        _rotate(_given(self._revoker))


def _rotate(revoker: VaultSession) -> None:
    revoker.get("pki/crl/rotate").demand_done()


def _given(session: VaultSession | None) -> VaultSession:
    if session is None:
        raise Unavailable("this process was given no right to issue or revoke certificates")
    return session
