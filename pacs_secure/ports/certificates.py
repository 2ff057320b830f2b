"""Who issues certificates to devices, and who says which of them no longer hold."""

from dataclasses import dataclass, field
from typing import Protocol

from pacs_secure.core.identifiers import Institution


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate with its private key and its authority, all PEM."""

    cert_pem: str
    key_pem: str = field(repr=False)
    ca_pem: str


class CertificateAuthority(Protocol):
    """Issues certificates to devices and takes them back; it keeps no private key."""

    def issue(self, of: Institution, ae_title: str, *, destination: bool) -> IssuedCertificate:
        """Issue a certificate whose URI names the device; a ``destination`` is also called, for C-MOVE."""

    def revoke(self, serial: str) -> bool:
        """Revoke a certificate by its serial number, again if need be; false when it is another authority's."""


class RevocationLists(Protocol):
    """Where an authority says which certificates it has revoked (RFC 5280 5)."""

    def fetch(self) -> bytes:
        """Return the newest lists as PEM; nothing is verified here."""

    def renew(self) -> None:
        """Have the authority make a newer list now."""
