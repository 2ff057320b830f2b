"""Certificate revocation lists: believed when an authority that is trusted here has signed them (RFC 5280 5)."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from pacs_secure.core.errors import Malformed
from pacs_secure.crypto.certificates import CertificateFacts, serial_text

LEEWAY = timedelta(minutes=5)
"""How far the authority's clock may be ahead of ours."""

_PEM = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One verified list: whose it is, how new, how long good, and what it names."""

    issuer: bytes
    """Distinguished name of the authority, DER."""
    number: int
    """CRL Number, which only grows (RFC 5280 5.2.3)."""
    made_at: datetime
    good_until: datetime
    """UTC; ``nextUpdate``: a newer one is there by then."""
    serials: frozenset[str] = field(repr=False)
    """Serial numbers of the revoked certificates, as in `CertificateFacts`."""
    pem: bytes = field(repr=False)

    def names(self, certificate: CertificateFacts) -> bool:
        """Say whether this certificate is revoked."""
        return certificate.issuer == self.issuer and certificate.serial in self.serials

    def stale(self, now: datetime) -> bool:
        """Say whether more than a third of its time has passed, so that a newer one should be asked for."""
        return now - self.made_at > (self.good_until - self.made_at) / 3

    def expired(self, now: datetime) -> bool:
        """Say whether it proves nothing any more."""
        return now >= self.good_until


def read_lists(encoded: bytes, authorities: bytes, now: datetime) -> tuple[RevocationList, ...]:
    """Read and verify every list of a PEM text against the authorities of another.

    Raises:
        Malformed: there is none, or one is not signed by any of the authorities, has no end or is of the future.
    """
    try:
        trusted = x509.load_pem_x509_certificates(authorities)
        lists = tuple(_verified(pem, trusted, now) for pem in _PEM.findall(encoded))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Malformed("a revocation list or the authorities cannot be read") from None
    if not lists:
        raise Malformed("there is no revocation list")
    return lists


def _verified(pem: bytes, trusted: list[x509.Certificate], now: datetime) -> RevocationList:
    one = x509.load_pem_x509_crl(pem)
    keys = [authority.public_key() for authority in trusted if authority.subject == one.issuer]
    if not any(_signed_by(one, key) for key in keys):
        raise Malformed("no authority of ours has signed the revocation list")
    if one.next_update_utc is None or one.last_update_utc > now + LEEWAY:
        raise Malformed("the revocation list has no end, or is of the future")
    return RevocationList(
        issuer=one.issuer.public_bytes(),
        number=_number(one),
        made_at=one.last_update_utc,
        good_until=one.next_update_utc,
        serials=frozenset(serial_text(entry.serial_number) for entry in one),
        pem=pem + b"\n",
    )


def _signed_by(one: x509.CertificateRevocationList, key: object) -> bool:
    if not isinstance(key, EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey):
        return False
    return one.is_signature_valid(key)


def _number(one: x509.CertificateRevocationList) -> int:
    try:
        return one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
