"""What is read of an X.509 certificate: how its holder is known, and how long (RFC 5280)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_secure.core.errors import Malformed

_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""All that the library raises for what is no certificate, or one that nobody makes."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """One certificate, as far as a device is known by it."""

    spki_sha256: bytes
    """SHA-256 of the SubjectPublicKeyInfo (RFC 5280 4.1.2.7)."""
    sha256: bytes
    """SHA-256 of the whole certificate, its ``x5t#S256`` (RFC 8705 3.1)."""
    serial: str
    """Serial number, lower-case hexadecimal (RFC 5280 4.1.2.2)."""
    issuer: bytes
    """Distinguished name of whoever signed it, DER."""
    not_after: datetime
    """UTC."""
    uris: frozenset[str]
    """URIs among its subject alternative names (RFC 5280 4.2.1.6)."""


def read_certificate(encoded: bytes) -> CertificateFacts:
    """Read a certificate, DER or the first of a PEM file; nothing is verified here.

    Raises:
        Malformed: it is no certificate, or its key is of no kind that TLS knows.
    """
    try:
        pem = encoded.lstrip().startswith(b"-----")
        certificate = (x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(encoded)
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        uris = _uris(certificate)
    except _UNREADABLE:
        raise Malformed("the certificate cannot be read") from None
    return CertificateFacts(
        spki_sha256=hashlib.sha256(key).digest(),
        sha256=hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest(),
        serial=serial_text(certificate.serial_number),
        issuer=certificate.issuer.public_bytes(),
        not_after=certificate.not_valid_after_utc,
        uris=uris,
    )


def serial_text(number: int) -> str:
    """Write a serial number down as it is compared here: lower-case hexadecimal, two digits an octet."""
    digits = f"{number:x}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"


def _uris(certificate: x509.Certificate) -> frozenset[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(names.value.get_values_for_type(x509.UniformResourceIdentifier))
